"""How far all that is made of a job is.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from htdl.errors import DiskFull
from htdl.jobs import Conversion, ConversionState, Job, State

TO_LOOK = "looking into what is to be converted"
_ENDED = {ConversionState.DONE, ConversionState.FAILED}


@dataclass(frozen=True, slots=True)
class Standing:
    """Of all videos of a job.  `fault` is the code and the words of what cannot be mended by waiting,
    `detail` says in words what is done just now, or waited for; not where that is room on the disk.
    """

    is_done: bool
    fault: tuple[str, str] | None = None
    found_disk_full: bool = False  # and nothing is made
    eta_seconds: int = -1  # until all are done; -1 while that is not known
    detail: str = ""


DONE = Standing(is_done=True)


def standing(job: Job, videos: int, records: Sequence[Conversion]) -> Standing:
    """`records` are those of its so many videos that were looked at."""
    ended = [x for x in records if x.status in _ENDED]
    if len(ended) < videos:  # one that fails does not stop the others
        return _under_way(videos, records, [x for x in records if x.status not in _ENDED])
    failed = next((x for x in ended if x.status is ConversionState.FAILED), None)
    is_asked_for = job.wanted is not None and job.status is State.CONVERTING
    if failed and (failed.error_code != "no_ffmpeg" or is_asked_for):
        return Standing(is_done=False, fault=(failed.error_code or "", failed.error_message or ""))
    return DONE


def _under_way(videos: int, records: Sequence[Conversion], left: Sequence[Conversion]) -> Standing:
    is_running = any(x.status is ConversionState.RUNNING for x in left)
    is_full = any(x.error_code == DiskFull.code for x in left if x.status is ConversionState.WAITING)
    is_known = len(records) == videos and min(x.eta_seconds for x in left) >= 0
    return Standing(
        is_done=False,
        found_disk_full=is_full and not is_running,
        eta_seconds=max(x.eta_seconds for x in left) if is_known else -1,
        detail="converting" if is_running else _waiting(left),
    )


def _waiting(left: Sequence[Conversion]) -> str:
    """Why nothing runs."""
    if any(x.attempts for x in left):
        return "its conversion failed, and is tried once more"
    if any(x.effort for x in left):
        return "waits for its turn to be converted"
    return TO_LOOK
