"""Who makes way for what is being read.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set

from htdl.jobs import Job, State

YIELDED_SPEED = 1 << 20  # bytes a second that each other download keeps while somebody watches one
DETAIL = "slowed down while another is watched"


def yielding(jobs: Iterable[Job], read: Set[str]) -> set[str]:
    """The downloads that make way: all but those that somebody reads, while one of these still arrives."""
    running = {job.id for job in jobs if job.status is State.DOWNLOADING}
    return running - read if running & read else set()


def download_limit(job: Job) -> int:
    """Bytes a second for a job that makes way; its own limit where that is lower."""
    own = job.max_download_speed
    return YIELDED_SPEED if own < 0 else min(own, YIELDED_SPEED)
