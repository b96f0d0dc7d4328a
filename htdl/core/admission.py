"""Room on the disk: how much may still be written."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from htdl.jobs import Job, JobFile, State

MOST_LOOKS = 100  # in one turn at what waits for room


def free_bytes(folder: Path) -> int:
    """Free for us in the file system of this folder, or of the nearest parent that exists."""
    stat = os.statvfs(nearest(folder))
    if not stat.f_blocks:  # /proc and the like: not full, but no place for files, as writing there will say
        return sys.maxsize
    return stat.f_bavail * stat.f_frsize


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders are, or would be, in the same file system."""
    return device(one) == device(other)


def device(folder: Path) -> int:
    """The number of its file system, as stat(2) gives it."""
    return nearest(folder).stat().st_dev


def bytes_on_disk(save_path: Path, files: Iterable[JobFile]) -> int:
    """What the wanted files take there already; holes of a sparse file do not count."""
    total = 0
    for file in files:
        if file.wanted:
            with contextlib.suppress(OSError):  # not there, or not to be looked at: then nothing is
                stat = os.lstat(save_path / file.path)
                total += min(file.size, stat.st_blocks * 512)  # stat(2): in units of 512 bytes
    return total


class OnDisk:
    """What the files of jobs take there already, looked up for few of thousands at a time: each look takes
    some 30 µs, on the event loop.  Of the others holds what was found last, 0 before that.
    """

    def __init__(self, look: Callable[[Job], int]) -> None:
        self._look = look
        self._known: dict[str, int] = {}  # by job, the one looked at longest ago first

    def of(self, jobs: Iterable[Job]) -> Mapping[str, int]:
        """By job.  One that downloads is looked at each time: what it takes grows."""
        some = {job.id: job for job in jobs}
        known = {job_id: count for job_id, count in self._known.items() if job_id in some}
        running = [x for x in some if some[x].status is State.DOWNLOADING]
        due = dict.fromkeys((*running, *(x for x in some if x not in known), *known))
        for job_id in list(due)[: max(MOST_LOOKS, len(running))]:
            known.pop(job_id, None)
            known[job_id] = self._look(some[job_id])
        self._known = known
        return known


def nearest(folder: Path) -> Path:
    """The folder, or the nearest parent that exists."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - Path's raises where we may not look
        folder = folder.parent
    return folder


def room(folder: Path, reserve: int) -> int:
    """Bytes that may be written and still leave the reserve; 0 or less is a full disk."""
    return free_bytes(folder) - reserve
