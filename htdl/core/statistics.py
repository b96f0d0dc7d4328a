"""All jobs together, in numbers.  Pure."""

from __future__ import annotations

from collections.abc import Collection

from htdl import __version__
from htdl.answers import Stats
from htdl.core.cleaning import Holding
from htdl.jobs import Job, State
from htdl.store.jobs import Totals


def summed(
    totals: Totals,
    living: Collection[Job],
    kept: Holding,
    *,
    cache_max_bytes: int,
    disk_free_bytes: int,
    uptime_seconds: float,
) -> Stats:
    """`totals` are of all rows, `living` the jobs in memory, whose speeds are those of this moment."""
    return Stats(
        by_status=totals.by_status,
        success_rate=totals.success_rate,
        average_seconds=totals.average_seconds,
        downloaded_bytes=totals.downloaded_bytes,
        uploaded_bytes=totals.uploaded_bytes,
        download_speed=sum(job.download_speed for job in living),
        upload_speed=sum(job.upload_speed for job in living),
        active=sum(job.status is State.DOWNLOADING for job in living),
        waiting=sum(job.status is State.PENDING for job in living),
        seeding=sum(job.seeding for job in living),
        disk_free_bytes=disk_free_bytes,
        uptime_seconds=round(uptime_seconds, 1),
        version=__version__,
        cache_videos=kept.videos,
        cache_bytes=kept.bytes,
        cache_max_bytes=cache_max_bytes,
        cache_pinned_bytes=kept.pinned_bytes,
        cache_removable_bytes=kept.removable_bytes,
    )
