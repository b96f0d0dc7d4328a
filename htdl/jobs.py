"""A job, what its owner wishes, and where it is.  No I/O, no clock.

Two fields, not one: the *wish* is what the user wants, the *status* is where the job is.  A verb changes the
wish; only the runner moves the status, by comparing the two.  So `kill -9` needs no repair: the next start
compares again.

       ┌──── a file's own job ────┐ ┌─ convert ──┐
       │                          ▼ ▼            │
    PENDING ──► DOWNLOADING ──► CONVERTING ──► COMPLETED
       ▲  │          │   │            │
       │  └──► PAUSED◄───┘            │         any of them ──► FAILED or CANCELLED
       └── resume, retry ─────────────┘         retry: FAILED or CANCELLED ──► PENDING,
                                                and COMPLETED to be verified
                                                convert: FAILED ──► CONVERTING
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    PENDING = "PENDING"  # waits for a slot, for room on the disk, or for its turn
    DOWNLOADING = "DOWNLOADING"  # metadata, a check of files on disk, and the download itself
    CONVERTING = "CONVERTING"  # the download is whole, its conversion is not
    PAUSED = "PAUSED"  # stands still because its owner wishes so
    COMPLETED = "COMPLETED"  # the files are whole and verified; it may go on seeding
    FAILED = "FAILED"  # ended; `error_code` and `error_message` say why
    CANCELLED = "CANCELLED"  # ended because its owner wished so


class Wish(StrEnum):
    RUN = "RUN"
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"


class Blocked(StrEnum):
    """Why nothing moves."""

    DISK_FULL = "disk_full"
    NO_PEERS = "no_peers"
    NO_METADATA = "no_metadata"
    PEERS_CHOKING = "peers_choking"
    TRACKER_ERROR = "tracker_error"
    QUEUE = "queue"


ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {State.DOWNLOADING, State.CONVERTING, State.PAUSED, State.FAILED, State.CANCELLED}
    ),
    State.DOWNLOADING: frozenset(
        {State.PENDING, State.PAUSED, State.CONVERTING, State.COMPLETED, State.FAILED, State.CANCELLED}
    ),
    State.CONVERTING: frozenset(
        {State.PENDING, State.PAUSED, State.COMPLETED, State.FAILED, State.CANCELLED}
    ),
    State.PAUSED: frozenset({State.PENDING, State.FAILED, State.CANCELLED}),
    State.COMPLETED: frozenset({State.PENDING, State.CONVERTING}),  # verified and mended; converted anew
    State.FAILED: frozenset({State.PENDING, State.CONVERTING}),
    State.CANCELLED: frozenset({State.PENDING}),
}


def can_move(old: State, new: State) -> bool:
    """Whether a job may go from one state to the other; staying is always allowed."""
    return old is new or new in TRANSITIONS[old]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job's owner asks of its conversion; what is empty is as configured.

    `format` is "mp4", "webm" or "original", `codec` "h264", "vp9" or "av1", `audio` the languages to keep,
    the first of them the default, all where empty.  `output` is the folder of the results.  `keep`: the
    source stays beside the result, also where space is short.
    """

    format: str = ""
    codec: str = ""
    audio: tuple[str, ...] = ()
    output: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest(Wanted):
    """A file outside any job, and what is to be made of it.  `path` is absolute."""

    path: str
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of `download_jobs`; the field order is the column order.

    Times are UTC ISO-8601 text, sizes bytes, speeds bytes a second.  `eta_seconds` is -1 where unknown, a
    limit is -1 where there is none.  `progress` is 0-100 of the wanted files and reaches 100 only when all of
    them are verified.  `selection` lists globs and file indices; empty takes the videos, `*` everything.
    """

    id: str
    video_id: str
    torrent_id: str
    status: State = State.PENDING
    progress: int = 0
    download_speed: int = 0
    eta_seconds: int = -1
    file_path: str | None = None
    error_message: str | None = None
    created_at: str = ""
    updated_at: str = ""
    completed_at: str | None = None

    source: str = ""  # what the user gave; may hold a tracker's passkey, so it is never logged
    info_hash: str = ""  # v1 where the torrent has one, else v2; lower-case hex
    info_hash_v2: str | None = None
    name: str = ""
    wish: Wish = Wish.RUN
    priority: int = 0  # higher goes first
    position: int = 0  # lower goes first among equals
    detail: str = ""
    blocked_by: Blocked | None = None
    total_bytes: int = 0  # of the wanted files; 0 until the metadata is here
    done_bytes: int = 0
    upload_speed: int = 0
    uploaded_bytes: int = 0
    peers: int = 0
    error_code: str | None = None
    attempts: int = 1  # how often it was begun: one more with each retry
    save_path: str = ""
    selection: tuple[str, ...] = ()
    max_download_speed: int = -1
    max_upload_speed: int = -1
    seeding: bool = False
    delete_data: bool = False  # a cancel that removes the data too, kept so that a crash cannot forget it
    metadata_at: str | None = None
    wanted: Wanted | None = None  # of its conversion; None where nobody asked for one
    pinned: bool = False  # its videos are kept, whoever watches them or not

    @property
    def is_local(self) -> bool:
        """Whether it is of a file that was here already: no torrent, and a source that is never touched."""
        return not self.info_hash

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def has_metadata(self) -> bool:
        return self.metadata_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file of a job's torrent; `path` is relative to the job's `save_path`, `progress` 0.0-100.0."""

    index: int
    path: str
    size: int
    wanted: bool = True
    progress: float = 0.0
    output: str | None = None  # the converted file


class ConversionState(StrEnum):
    WAITING = "WAITING"  # for its turn, or to be planned
    RUNNING = "RUNNING"
    DONE = "DONE"  # `output` is whole and in place
    FAILED = "FAILED"  # `error_code` and `error_message` say why


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One row of `conversions`: what becomes of one video of a job.

    `progress` is 0.0-100.0.  `effort` and `reason` say what is to be done and why, empty until it was looked
    at: "none" (it plays as it is), "remux", "audio", "transcode".  `output` is where the result is, or will
    be.  `speed` is in times its own length, `eta_seconds` -1 where unknown; both are not kept.
    """

    file_index: int
    status: ConversionState = ConversionState.WAITING
    progress: float = 0.0
    effort: str = ""
    reason: str = ""
    output: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempts: int = 0  # how often it was begun and did not end well
    created_at: str = ""
    updated_at: str = ""
    completed_at: str | None = None
    speed: float | None = None
    eta_seconds: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtitle:
    """One row of `subtitles`: a WebVTT file beside a video of a job.  `origin` says in words what it was made
    of, `note` what was lost on the way.  A `path` that is not absolute is none: nothing was made.
    """

    file_index: int
    path: str
    language: str | None = None
    title: str | None = None
    origin: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedVideo:
    """One row of `cached_videos`: a file that was made and is kept until it is not watched any more."""

    path: str
    job_id: str | None
    video_id: str
    bytes: int
    last_access: str
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the job's main file can be watched now, and why.  `None` is "not known", never "no"."""

    ready: bool
    reason: str
    threshold: float  # percent of the file that make it ready
    buffered_bytes: int | None = None
    buffered_seconds: float | None = None
    index_ok: bool | None = None
    plays_through: str | int | None = None  # "yes", "no", or seconds until yes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preload:
    """Whether a video can be played from a place in it; `byte` is where that is in the file."""

    ready: bool
    reason: str
    byte: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleLink:
    """A WebVTT file beside a video, or what it would have been made of.  `language` is a code, or nothing;
    `label` is for people.  `origin` says what it is made of, `note` what was lost on the way.  `url` is None
    where nothing was made, as of pictures, and while no video server listens.
    """

    url: str | None
    language: str
    label: str
    origin: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Where one file of a job can be watched: None where no file is known yet, and the URLs while no video
    server listens.  `subtitles` are those of that file that can be shown.
    """

    job: str
    file: int | None
    url: str | None
    page_url: str | None
    m3u_url: str | None
    file_path: str | None
    readiness: Readiness
    subtitles: tuple[SubtitleLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with all that hangs on it: what the socket shows."""

    job: Job
    files: tuple[JobFile, ...]
    readiness: Readiness
    stream_url: str | None = None  # of the main file; None while there is no file, or no video server
    conversion: Conversion | None = None  # of the main file
    conversions: tuple[Conversion, ...] = ()
    subtitles: tuple[SubtitleLink, ...] = ()  # of the main file
    queue_position: int | None = None  # 1 is next; None for one that does not wait, and in events


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRequest:
    """What to download.  Exactly one of `source` (magnet, info-hash, http(s) URL) and `torrent` (the bytes
    of a .torrent file; base64 on the wire) is given.  Speeds are bytes a second, -1 for no limit.
    """

    source: str | None = None
    torrent: bytes | None = None
    video_id: str | None = None
    torrent_id: str | None = None
    priority: int = 0
    files: tuple[str, ...] = ()
    all_files: bool = False
    max_download_speed: int = -1
    max_upload_speed: int = -1
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPatch:
    """What of a job may be changed while it lives; `None` leaves a field as it is.

    `position` is its place in the queue, 1 is next, and past the last or -1 the end.  `before` names another
    job, in front of which it goes.  Its priority follows as far as it must.
    """

    priority: int | None = None
    max_download_speed: int | None = None
    max_upload_speed: int | None = None
    files: tuple[str, ...] | None = None
    position: int | None = None
    before: str | None = None


class Narrow(StrEnum):
    """What a list may be asked for beside a state: some of the words that people are shown instead of it."""

    ACTIVE = "ACTIVE"  # downloads, converts or seeds
    SEEDING = "SEEDING"
    PAUSING = "PAUSING"
    CANCELLING = "CANCELLING"


class Sort(StrEnum):
    """What a list may be ordered by; what is not known comes last."""

    NAME = "name"
    PROGRESS = "progress"  # the furthest first
    SPEED = "speed"  # down and up together, the fastest first
    ETA = "eta"  # the soonest first
    ADDED = "added"  # the newest first
    SIZE = "size"  # the largest first


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs to list.  Order: those that live first, by priority and position; then the newest ended; or
    by `sort`, and `reverse` of that.

    `status`: in any of these.  `name`: with this part in their names, or where it holds one of * ? [ with a
    name that is such a pattern; capitals do not matter.  `ready`: that can be watched now.
    """

    status: tuple[State | Narrow, ...] = ()
    limit: int | None = None
    ids: tuple[str, ...] = field(default=())
    name: str = ""
    ready: bool = False
    sort: Sort | None = None
    reverse: bool = False
