"""`htdl.torrent.api.Engine` without a network: the test says what its torrents do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htdl.errors import BadSource
from htdl.torrent.api import (
    Failed,
    Finished,
    GotMetadata,
    Listener,
    Lost,
    Metadata,
    Network,
    NoRoom,
    Source,
    Status,
)
from htdl.torrent.pieces import Pieces


@dataclass(frozen=True)
class Held:
    """A torrent as it was added, and what became of it since."""

    resume: bytes
    save_path: Path
    wanted: tuple[int, ...] | None
    max_download_speed: int
    max_upload_speed: int
    recheck: bool
    status: Status | None = None
    progress: tuple[tuple[int, int], ...] = ()


class FakeEngine:
    """`sources` is what `inspect` knows; `faults` is what `add` raises, by key.  `add` and `remove`
    take as long as `may_go_on` is not set, and `busy` has their keys meanwhile.
    """

    def __init__(self) -> None:
        self.listener: Listener = lambda event: None
        self.sources: dict[str | bytes, Source] = {}
        self.faults: dict[str, Exception] = {}
        self.torrents: dict[str, Held] = {}
        # what `finish` leaves of a torrent: path, size
        self.on_disk: Callable[[str], list[tuple[str, int]]] = lambda key: []
        self.known: dict[str, tuple[Metadata, Pieces]] = {}  # of what is held, once there is metadata
        self._told: dict[str, Metadata] = {}  # by `get_metadata`, also before a torrent was let go
        self.wanted_pieces: dict[str, tuple[int, ...]] = {}  # by the last `want`
        self.saved: dict[str, bytes] = {}  # answers of the next `save`, once
        self.removed: list[str] = []
        self.reannounced: list[str] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.busy: list[str] = []
        self.is_broken = False
        self.limits: tuple[int, int] | None = None  # of all together, by the last `limit`

    # what a test makes happen

    def report(self, key: str, status: Status, progress: dict[int, int] | None = None) -> None:
        """The numbers of a torrent from now on, and its files' where given."""
        known = self.torrents[key]
        done = known.progress if progress is None else tuple(progress.items())
        self.torrents[key] = replace(known, status=status, progress=done)

    def get_metadata(self, key: str, metadata: Metadata) -> None:
        self._told[key] = metadata
        self._know(key, metadata)
        self.listener(GotMetadata(key, metadata))

    def arrive(self, key: str, pieces: Iterable[int]) -> None:
        """These can be read from now on."""
        self.known[key][1].add(pieces)

    def finish(self, key: str, resume: bytes = b"whole") -> None:
        for path, size in self.on_disk(key):
            target = self.torrents[key].save_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bytes(size))
        self.listener(Finished(key, frozenset(self.torrents[key].wanted or ()), resume))

    def fail(self, key: str, code: str, message: str) -> None:
        self.listener(Failed(key, code, message))

    def lose(self, key: str, message: str) -> None:
        self.listener(Lost(key, message))

    def fill_disk(self, key: str) -> None:
        self.listener(NoRoom(key, "No space left on device"))

    # Engine

    async def inspect(self, source: str | bytes) -> Source:
        if source not in self.sources:
            raise BadSource(f"not a source: {source!r}")
        return self.sources[source]

    async def add(
        self,
        key: str,
        resume: bytes,
        save_path: Path,
        *,
        wanted: Sequence[int] | None,
        max_download_speed: int = -1,
        max_upload_speed: int = -1,
        recheck: bool = False,
    ) -> None:
        if key in self.torrents:
            raise ValueError(f"there is a torrent {key} already")
        await self._work(key)
        if key in self.faults:
            raise self.faults[key]
        chosen = None if wanted is None else tuple(wanted)
        self.torrents[key] = Held(resume, save_path, chosen, max_download_speed, max_upload_speed, recheck)
        of_source = (source.metadata for source in self.sources.values() if source.resume == resume)
        if metadata := self._told.get(key) or next(of_source, None):
            self._told[key] = metadata
            self._know(key, metadata)

    def _know(self, key: str, metadata: Metadata) -> None:
        self.known[key] = metadata, Pieces(metadata.num_pieces, metadata.piece_length)

    async def remove(self, key: str) -> bytes | None:
        if key not in self.torrents:
            return None
        await self._work(key)
        del self.torrents[key]
        if key in self.known:
            self.known.pop(key)[1].end()
        self.removed.append(key)
        return f"removed {key}".encode()

    async def _work(self, key: str) -> None:
        self.busy.append(key)
        await self.may_go_on.wait()
        self.busy.remove(key)

    def select(self, key: str, wanted: Sequence[int]) -> None:
        if key in self.torrents:
            self.torrents[key] = replace(self.torrents[key], wanted=tuple(wanted))

    def set_limits(self, key: str, *, max_download_speed: int, max_upload_speed: int) -> None:
        if key in self.torrents:
            self.torrents[key] = replace(
                self.torrents[key], max_download_speed=max_download_speed, max_upload_speed=max_upload_speed
            )

    def limit(self, *, max_download_speed: int, max_upload_speed: int) -> None:
        self.limits = max_download_speed, max_upload_speed

    def reannounce(self, key: str) -> None:
        self.reannounced.append(key)

    def status(self, key: str) -> Status | None:
        return self.torrents[key].status if key in self.torrents else None

    def metadata(self, key: str) -> Metadata | None:
        return self.known[key][0] if key in self.known else None

    def pieces(self, key: str) -> Pieces | None:
        return self.known[key][1] if key in self.known else None

    def want(self, key: str, pieces: Sequence[int]) -> None:
        if key in self.torrents:
            self.wanted_pieces[key] = tuple(pieces)

    def trouble(self) -> str | None:
        return None

    async def network(self) -> Network:
        await self._work("network")
        return Network(
            port=6881,
            addresses=("0.0.0.0",),
            incoming=0,
            peers=0,
            dht_nodes=0,
            trackers_good=0,
            trackers_bad=0,
            tracker_error=None,
        )

    def held(self) -> set[str]:
        if self.is_broken:
            raise RuntimeError("broken")
        return set(self.torrents)

    async def file_progress(self, key: str) -> dict[int, int]:
        return dict(self.torrents[key].progress) if key in self.torrents else {}

    async def save(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.saved.pop(key) for key in keys if key in self.saved}
