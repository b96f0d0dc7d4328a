"""Room on the disk for what is made: what each result needs, and what is missing for those who wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from htdl.config import Config
from htdl.core import admission
from htdl.core.cleaning import size
from htdl.core.schedule import needed_bytes
from htdl.core.work import Work
from htdl.errors import DiskFull
from htdl.jobs import Blocked, ConversionState, Job, State
from htdl.media.plan import Effort


def expected(work: Work) -> int:
    """Bytes of the result; 0 where that is not known, and of what is only linked.  One for which the disk was
    full needs what it had used by then, whatever was reckoned.
    """
    plan = work.prepared.plan if work.prepared else None
    reckoned = plan.bytes or 0 if plan and plan.effort is not Effort.NONE else 0
    return max(reckoned, work.found_bytes)


def check(work: Work, config: Config, jobs: Iterable[Job], held_back: int = 0) -> None:
    """Raises DiskFull where there is none for the result beside what is still to be downloaded, and what is
    `held_back` for the conversions which run.
    """
    needed = expected(work)
    folder = Path(work.record.output or config.storage.base_path).parent
    coming = 0
    if admission.same_disk(folder, config.torrent.download_path):
        coming = held_back + sum(needed_bytes(x) for x in jobs if x.status is State.DOWNLOADING)
    if needed > admission.room(folder, config.storage.min_free) - coming:
        raise DiskFull(f"there is no room for the {size(needed)} of the result in {folder}")


def reserved(some: Iterable[Work], config: Config) -> int:
    """Bytes that the conversions which run will still write to the disk of the downloads.  One whose turn has
    come runs once there is room for it: until then the room is its download's, else that would stop for it.
    """
    if not admission.same_disk(config.storage.base_path, config.torrent.download_path):
        return 0
    running = [x for x in some if x.candidate and x.record.status is ConversionState.RUNNING]
    return sum(int(expected(x) * (1 - x.record.progress / 100)) for x in running)


def needs(jobs: Sequence[Job], some: Sequence[Work], config: Config) -> list[int]:
    """Bytes on the disk of the downloads: first of all that runs, then of each that waits for room, in the
    order of their turns.
    """
    running = sum(needed_bytes(x) for x in jobs if x.status is State.DOWNLOADING)
    waiting = [x for x in jobs if x.blocked_by is Blocked.DISK_FULL and x.status is State.PENDING]
    waiting.sort(key=lambda x: (-x.priority, x.position))
    return [
        running + reserved(some, config),
        *(needed_bytes(x) for x in waiting),
        *_of_conversions(some, config),
    ]


def _of_conversions(some: Iterable[Work], config: Config) -> Iterator[int]:
    for work in some:
        record = work.record
        waits = record.status is ConversionState.WAITING and record.error_code == DiskFull.code
        folder = Path(record.output or config.storage.base_path).parent
        if waits and admission.same_disk(folder, config.torrent.download_path):
            yield expected(work)
