"""What a running torrent's numbers mean for its job.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from htdl.jobs import Blocked, Job, JobFile
from htdl.torrent.api import Phase, Status

QUIET_SECONDS = 10.0  # without a byte, before it is worth saying why
MAX_TOLD = 200  # characters of what a tracker says
SMOOTHING = 0.3  # of the newest speed in the one that the ETA is made of


@dataclass(frozen=True, slots=True)
class Course:
    """How a download has gone since it was begun; times are of a monotonic clock."""

    moved_at: float
    done_bytes: int = -1
    has_metadata: bool = False
    smooth_speed: float = 0.0
    is_forsaken: bool = False

    def idle_seconds(self, now: float) -> float:
        return now - self.moved_at

    def may_be_damaged(self, now: float) -> bool:
        """Whether it stands still because libtorrent banned all who seemed to send damaged pieces: it may be
        our own disk, a file that was removed or cut while its pieces were written.
        """
        return self.is_forsaken and self.idle_seconds(now) >= QUIET_SECONDS


def follow(course: Course, status: Status, now: float) -> Course:
    """The course after this status.  A byte, the metadata or a running check count as movement."""
    has_metadata = status.phase is not Phase.METADATA
    has_moved = (
        status.done_bytes != course.done_bytes
        or has_metadata != course.has_metadata
        or (status.phase is not Phase.METADATA and status.phase is not Phase.DOWNLOADING)
    )
    speed = course.smooth_speed + SMOOTHING * (status.download_speed - course.smooth_speed)
    return Course(
        moved_at=now if has_moved else course.moved_at,
        done_bytes=status.done_bytes,
        has_metadata=has_metadata,
        smooth_speed=float(status.download_speed) if not course.smooth_speed else speed,
        is_forsaken=status.is_forsaken,
    )


def numbers(job: Job, status: Status, course: Course, now: float) -> dict[str, Any]:
    """The fields of a DOWNLOADING job that follow from its torrent."""
    fields: dict[str, Any] = {
        "download_speed": status.download_speed,
        "upload_speed": status.upload_speed,
        "uploaded_bytes": status.uploaded_bytes,
        "peers": status.peers,
        "blocked_by": blocked_by(status, course.idle_seconds(now)),
        "detail": detail(status, course.idle_seconds(now)),
        "eta_seconds": -1,
    }
    if status.total_bytes > 0 and status.phase is not Phase.CHECKING:
        missing = max(0, status.total_bytes - status.done_bytes)
        fields["total_bytes"] = status.total_bytes
        fields["done_bytes"] = status.done_bytes
        fields["progress"] = percent(status.done_bytes, status.total_bytes)
        fields["eta_seconds"] = eta(missing, course.smooth_speed)
    return fields


def totals(files: Iterable[JobFile]) -> dict[str, Any]:
    """The fields of a job that follow from its files alone, once something else is wanted of them."""
    wanted = [file for file in files if file.wanted]
    total = sum(file.size for file in wanted)
    done = sum(int(file.size * file.progress / 100) for file in wanted)
    return {"total_bytes": total, "done_bytes": done, "progress": percent(done, total)}


def percent(done: int, total: int) -> int:
    """0-100, rounded down; 99 for what is whole, since only COMPLETED says 100."""
    return 0 if total <= 0 else min(99, done * 100 // total)


def eta(missing: int, speed: float) -> int:
    """Seconds until this many bytes are here; -1 where nobody knows."""
    if missing <= 0:
        return 0
    return -1 if speed < 1 else min(round(missing / speed), 10**9)


def blocked_by(status: Status, idle_seconds: float) -> Blocked | None:
    """Why nothing has moved for a while, or None while it moves."""
    if idle_seconds < QUIET_SECONDS or status.phase in {Phase.CHECKING, Phase.FINISHED}:
        return None
    if status.phase is Phase.METADATA:
        return Blocked.NO_METADATA
    if status.peers:
        return Blocked.PEERS_CHOKING
    return Blocked.TRACKER_ERROR if status.tracker_error else Blocked.NO_PEERS


def detail(status: Status, idle_seconds: float) -> str:
    """Where the download is, in words; empty where the numbers say it all."""
    peers = _count(status.peers, "peer")
    if status.phase is Phase.CHECKING:
        return f"checking files on disk, {status.checked:.0%}"
    if status.phase is Phase.METADATA:
        trouble = f"; tracker: {_told(status)}" if status.tracker_error and not status.peers else ""
        return f"fetching metadata, {peers}{trouble}"
    why = blocked_by(status, idle_seconds)
    if why is Blocked.PEERS_CHOKING:
        return f"{peers}, none sends anything"
    if why is Blocked.TRACKER_ERROR:
        return f"no peers; tracker: {_told(status)}"
    if why is Blocked.NO_PEERS and status.is_forsaken:
        return "no peers; what came last was damaged"
    if why is Blocked.NO_PEERS:
        return f"no peers; {status.candidates} known, none answers" if status.candidates else "no peers"
    return ""


def waiting_words(reason: Blocked) -> str:
    """Why a PENDING job waits."""
    return {
        Blocked.DISK_FULL: "the disk is full; goes on by itself when there is room",
        Blocked.QUEUE: "waits for a free slot",
        Blocked.NO_METADATA: "nobody has its metadata; tried again in turn",
        Blocked.NO_PEERS: "nobody has it; tried again in turn",
    }.get(reason, "")


def has_seeded_enough(status: Status, total_bytes: int, ratio: float, minutes: int) -> bool:
    """Whether either seeding rule is met; -1 is a rule that never is."""
    by_ratio = ratio >= 0 and status.uploaded_bytes >= ratio * total_bytes
    by_time = minutes >= 0 and status.seeding_seconds >= minutes * 60
    return by_ratio or by_time


def _told(status: Status) -> str:
    """What a tracker said, which may be anything up to a megabyte."""
    return (status.tracker_error or "")[:MAX_TOLD]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
