"""Jobs and torrents to put into tests, each with what does not matter filled in."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from htdl.jobs import Job, JobFile, State
from htdl.torrent.api import Metadata, Phase, Status, TorrentFile

NOW = "2024-05-01T10:00:00.000+00:00"


def new_job(number: int = 1, **changes: Any) -> Job:
    """Job number 7: the numbers make ids, hashes and positions distinct."""
    values: dict[str, Any] = {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "video_id": f"video-{number}",
        "torrent_id": f"torrent-{number}",
        "created_at": NOW,
        "updated_at": NOW,
        "info_hash": f"{number:040x}",
        "name": f"film {number}",
        "position": number,
    }
    return Job(**(values | changes))


def running(number: int = 1, **changes: Any) -> Job:
    return new_job(number, **({"status": State.DOWNLOADING, "metadata_at": NOW} | changes))


def torrent_files(*sizes: tuple[str, int]) -> tuple[TorrentFile, ...]:
    offsets = accumulate((size for _, size in sizes), initial=0)
    return tuple(
        TorrentFile(index, path, size, offset)
        for index, ((path, size), offset) in enumerate(zip(sizes, offsets, strict=False))
    )


def job_file(index: int = 0, path: str = "film.mkv", size: int = 1000, **changes: Any) -> JobFile:
    return JobFile(index=index, path=path, size=size, **changes)


def new_metadata(*sizes: tuple[str, int], info_hash: str = "1" * 40) -> Metadata:
    files = torrent_files(*(sizes or (("film.mkv", 1000),)))
    total = sum(file.size for file in files)
    piece = max(16384, total // 1000)
    return Metadata("film", total, piece, -(-total // piece), files, info_hash, None)


def new_status(**changes: Any) -> Status:
    values: dict[str, Any] = {
        "phase": Phase.DOWNLOADING,
        "done_bytes": 0,
        "total_bytes": 1000,
        "checked": 0.0,
        "download_speed": 0,
        "upload_speed": 0,
        "uploaded_bytes": 0,
        "peers": 0,
        "candidates": 0,
        "seeding_seconds": 0,
        "tracker_error": None,
    }
    return Status(**(values | changes))
