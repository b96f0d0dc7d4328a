"""What the daemon tells of itself and of all jobs together: limits, sums, health, findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLimit:
    """What all downloads together may take one way: bytes a second, -1 for no limit.

    `by` is "configuration", "schedule" or "hand"; `rule` is the schedule's line.  `until` is the local time,
    ISO-8601 to the minute, when something else will hold; None for never.
    """

    speed: int
    by: str
    rule: str = ""
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimit:
    """The limits of one job that has some."""

    id: str
    name: str
    max_download_speed: int
    max_upload_speed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLimits:
    download: SpeedLimit
    upload: SpeedLimit
    jobs: tuple[JobLimit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest:
    """Limits of all downloads together, by hand: bytes a second, -1 for none; None leaves one as it is.
    `reset` first goes back to what is configured.
    """

    max_download_speed: int | None = None
    max_upload_speed: int | None = None
    reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """All jobs together.  `success_rate` is percent COMPLETED of all that ended; None when none has.  The
    cache is what is kept of them: `cache_max_bytes` 0 is no limit, `cache_removable_bytes` what goes next.
    """

    by_status: dict[str, int]
    success_rate: float | None
    average_seconds: float | None  # from added to completed
    downloaded_bytes: int
    uploaded_bytes: int
    download_speed: int
    upload_speed: int
    active: int  # have a slot
    waiting: int
    seeding: int
    disk_free_bytes: int
    uptime_seconds: float
    version: str
    cache_videos: int = 0
    cache_bytes: int = 0
    cache_max_bytes: int = 0
    cache_pinned_bytes: int = 0
    cache_removable_bytes: int = 0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, and not as well as it could
    FAIL = "fail"  # something does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `htdl doctor` has looked at; `hint` is what to do, empty where nothing is."""

    name: str
    level: Level
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Each check by name: "ok", or what is wrong and what to do in words.  `details`: what else is worth
    knowing of one that is well, as where it listens.
    """

    ok: bool
    version: str
    pid: int
    checks: dict[str, str]
    details: dict[str, str] = field(default_factory=dict)
