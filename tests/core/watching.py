"""A film that arrives piece by piece: what tests of watching have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htdl.jobs import Job
from htdl.torrent.api import Metadata, TorrentFile
from tests.clips import clip
from tests.core.world import World

PIECE = 1 << 18
SIZE = 40 * PIECE  # of no known kind: its first and its last MiB are its head and its index
FILES = (TorrentFile(0, "film.mkv", SIZE, 0), TorrentFile(1, "extra.mkv", PIECE, SIZE))
FILM = Metadata("film", SIZE + PIECE, PIECE, 41, FILES, "1" * 40, None)
EDGES = [0, 1, 2, 3, 36, 37, 38, 39]


SECONDS = 12


def film_bytes(folder: Path, size: int = SIZE) -> bytes:
    """An MP4 of SECONDS with its index first, and filled up to that size (ISO 14496-12, 8.1.2)."""
    data = clip(folder, seconds=SECONDS).read_bytes()
    return data + (size - len(data)).to_bytes(4, "big") + b"free" + bytes(size - len(data) - 8)


async def arriving(world: World, name: str = "film", **request: Any) -> Job:
    """A magnet's job whose metadata are here, and a file on disk that is a hole so far."""
    job = await world.add(name, **request)
    await world.until_held(job.id)
    world.engine.get_metadata(job.id, FILM)
    await world.until(lambda: world.service.streams.follow(job.id))
    target = Path(job.save_path) / "film.mkv"
    target.write_bytes(b"")
    with target.open("r+b") as file:
        file.truncate(SIZE)
    return await world.job(job.id)
