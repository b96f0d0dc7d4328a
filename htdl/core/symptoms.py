"""What the jobs themselves complain of, kind by kind, and what to do.  Pure.

One entry a cause that a user looks for: no download starts, no peers, slow, invalid torrent, file not found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from htdl.answers import Finding, Level, SpeedLimit, SpeedLimits
from htdl.config import Config
from htdl.jobs import Blocked, Job, State

SLOW_UPLOAD = 20 << 10  # bytes a second; peers give to who gives
_NAMED = 3  # jobs that are named of each kind

_BLOCKED: dict[Blocked, tuple[str, str]] = {
    Blocked.DISK_FULL: ("no room on the disk", "free some space; they go on by themselves"),
    Blocked.NO_PEERS: ("no peers", "wait, or look for a torrent with more seeders; see dht and trackers"),
    Blocked.NO_METADATA: (
        "nobody has answered the magnet",
        "wait, or take a magnet with trackers; see dht and trackers",
    ),
    Blocked.PEERS_CHOKING: (
        "slow: peers are there, and none sends",
        "wait; a higher torrent.max_upload_speed and a reachable port help",
    ),
    Blocked.TRACKER_ERROR: ("the trackers refuse or are gone", "`htdl show ID` has their words"),
}
_FAILED: dict[str, tuple[str, str]] = {
    "invalid_torrent": ("no valid torrent", "get the .torrent or the magnet once more, from elsewhere"),
    "bad_source": ("no valid torrent", "get the .torrent or the magnet once more, from elsewhere"),
    "io_error": ("the disk could not be written or read", "mend it or its folder, then: htdl retry ID"),
    "no_ffmpeg": ("not converted for want of ffmpeg", "install it, then: htdl convert ID"),
    "conversion_failed": ("not converted", "`htdl show ID` says why; then: htdl convert ID"),
    "bad_media": ("no video that can be read", "`htdl show ID` says why"),
}
_OTHER = ("failed", "`htdl show ID` says why; begin again with: htdl retry ID")


def of_living(jobs: Iterable[Job]) -> Iterator[Finding]:
    """Why living jobs stand still; one line where none does."""
    living = [job for job in jobs if not job.has_ended]
    stands = [job for job in living if job.blocked_by in _BLOCKED]
    queued = [job for job in living if job.blocked_by is Blocked.QUEUE]
    paused = [job for job in living if job.status is State.PAUSED]
    moving = len(living) - len(stands) - len(queued) - len(paused)
    words = f"{moving} under way, {len(queued)} queued, {len(paused)} paused, {len(stands)} standing still"
    yield Finding("downloads", Level.OK, words)
    if queued and not moving:
        hint = "raise torrent.max_active_downloads, or cancel what holds the slots"
        yield Finding("queue", Level.WARN, f"{_said(queued)}: queued, and nothing moves", hint)
    for kind, (what, hint) in _BLOCKED.items():
        if some := [job for job in stands if job.blocked_by is kind]:
            yield Finding(kind.value, Level.WARN, f"{_said(some)}: {what}", hint)


def of_failed(jobs: Iterable[Job], *, are_all: bool = True) -> Iterator[Finding]:
    """What went wrong with those that ended so, kind by kind; not `are_all`: there are more."""
    by_cause: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        by_cause.setdefault(_FAILED.get(job.error_code or "", _OTHER), []).append(job)
    for (what, hint), some in by_cause.items():
        yield Finding("failed", Level.WARN, f"{_said(some, are_all)}: {what}", hint)


def of_missing(jobs: Collection[Job], *, are_all: bool = True) -> Iterator[Finding]:
    """Of jobs that are complete, and whose main file is not where it was."""
    if jobs:
        hint = "put it back, or fetch it again with: htdl retry ID"
        yield Finding(
            "files",
            Level.WARN,
            f"{_said(jobs, are_all)}: file not found, it has left its place on the disk",
            hint,
        )


def of_limits(held: SpeedLimits) -> Finding:
    """The speeds that hold now: a limit that was forgotten is why a download is slow."""
    words = f"{_limit(held.download)} down, {_limit(held.upload)} up"
    if 0 <= held.upload.speed < SLOW_UPLOAD:
        hint = "raise it (htdl limit --up, torrent.max_upload_speed): peers send to those who send to them"
        return Finding("limits", Level.WARN, f"{words}: so little up makes downloads slow", hint)
    return Finding("limits", Level.OK, words)


def configured(config: Config) -> SpeedLimits:
    """What is configured, whatever the hour."""
    down, up = config.torrent.max_download_speed, config.torrent.max_upload_speed
    return SpeedLimits(download=_by_configuration(down), upload=_by_configuration(up))


def _by_configuration(speed: int) -> SpeedLimit:
    """Of KB/s."""
    return SpeedLimit(speed=-1 if speed < 0 else speed * 1024, by="configuration")


def _limit(held: SpeedLimit) -> str:
    if held.speed < 0:
        return "no limit"
    why = {"schedule": " by the schedule", "hand": " set by hand"}.get(held.by, "")
    return f"{held.speed // 1024} KiB/s{why}"


def _said(jobs: Collection[Job], are_all: bool = True) -> str:
    """2 jobs (3f2a1b2c, 77aa0011); "or more" where these are not all."""
    names = [job.id[:8] for job in jobs][:_NAMED]
    more = ", …" if len(jobs) > _NAMED else ""
    count = f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}" + ("" if are_all else " or more")
    return f"{count} ({', '.join(names)}{more})"
