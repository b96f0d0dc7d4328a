"""The socket's language: jobs and events as JSON, errors as JSON and HTTP status.

The daemon writes it, the client reads it; both use this table and no other.  An answer to a request is one
JSON value; an error is {"error": {"code", "message", "hint"}}.  Every answer carries VERSION_HEADER.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from htdl import errors
from htdl.events import Event
from htdl.jobs import (
    Blocked,
    Conversion,
    ConversionState,
    Job,
    JobFile,
    JobView,
    Readiness,
    State,
    StreamInfo,
    SubtitleLink,
    Wanted,
    Wish,
)

if TYPE_CHECKING:
    from htdl.answers import Finding, SpeedLimits  # classes take long to make, and few verbs need these

API = "/api/v1"
VERSION_HEADER = "Htdl-Version"
EXISTING_HEADER = "Htdl-Existing"  # "true": the torrent has a job already, living or complete
TOTAL_HEADER = "Htdl-Total"  # how many jobs a list would have without its limit
RESUMED = "resumed"
MAX_REQUEST_BYTES = 16 << 20  # a .torrent of 10 MiB in base64, and its frame

# RFC 9110 section 15: the nearest standard status of each kind of error.
_STATUS: dict[type[errors.HtdlError], int] = {
    errors.BadRequest: 400,
    errors.BadConfig: 400,
    errors.NoDaemon: 503,
    errors.NoSuchJob: 404,
    errors.BadSource: 422,
    errors.DiskFull: 507,
    errors.TimedOut: 504,
    errors.ConversionFailed: 500,
    errors.Refused: 409,
    errors.JobFailed: 500,
    errors.HtdlError: 500,
}
_STATUS_BY_CODE = {"bad_media": 422}  # what was sent is no video; other conversions may fail by us
_NO_ROUTE = ("no_such_route", "method_not_allowed")  # a verb that the daemon does not have
_BY_CODE = (
    {kind.code: kind for kind in _STATUS}
    | dict.fromkeys(("bad_media", "no_ffmpeg"), errors.ConversionFailed)
    | dict.fromkeys(_NO_ROUTE, errors.BadRequest)
)
_BY_STATUS = {
    400: errors.BadRequest,
    403: errors.Refused,
    404: errors.NoSuchJob,
    405: errors.BadRequest,
    408: errors.BadRequest,
    409: errors.Refused,
    413: errors.BadRequest,
    422: errors.BadSource,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo(Job):
    """A job as programs see it: the columns of `download_jobs` and what hangs on them."""

    progress_exact: float = 0.0  # 0.0-100.0
    files: tuple[JobFile, ...] = ()
    readiness: Readiness | None = None
    conversion: Conversion | None = None  # of the main file
    conversions: tuple[Conversion, ...] = ()
    stream_url: str | None = None
    subtitles: tuple[SubtitleLink, ...] = ()
    queue_position: int | None = None  # 1 is next; None for one that does not wait, and in events


_ENUMS: dict[str, type[StrEnum]] = {"status": State, "wish": Wish, "blocked_by": Blocked}


def status_of(error: errors.HtdlError) -> int:
    """The HTTP status of an error: its code's, its own class's, else that of the nearest ancestor."""
    by_class = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return _STATUS_BY_CODE.get(error.code, by_class)


def error_object(error: errors.HtdlError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def error_from(status: int, body: Any) -> errors.HtdlError:
    """The error that an answer of this status and JSON body stands for; never fails itself."""
    inner = body.get("error") if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        return errors.HtdlError(f"the daemon answered {status} without saying why")
    code, hint = str(inner.get("code", "")), inner.get("hint")
    if code in _NO_ROUTE:
        hint = hint or "the daemon is of another version: `htdl daemon stop`, then `htdl daemon start`"
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, errors.HtdlError)
    return kind(str(inner.get("message", "")), hint=hint, code=code or None)


def job_object(view: JobView) -> dict[str, Any]:
    """The JSON object of a job: JobInfo's fields under their names."""
    job = view.job
    fields: dict[str, Any] = {name: getattr(job, name) for name in Job.__slots__}
    fields["source"] = shown_source(job.source)
    fields["progress_exact"] = progress_exact(job)
    fields["files"] = view.files
    fields["readiness"] = view.readiness
    fields["conversion"] = view.conversion
    fields["conversions"] = view.conversions
    fields["stream_url"] = view.stream_url
    fields["subtitles"] = view.subtitles
    fields["queue_position"] = view.queue_position
    return fields


def shown_source(source: str) -> str:
    """As it was given, without what may be secret: the passkeys of private trackers and sites, passwords."""
    source = source.strip()
    if source[:7].lower() == "magnet:":
        return "&".join(map(_shown_parameter, source.split("&")))
    return _shown_url(source) if "://" in source[:10] else source


def _shown_parameter(parameter: str) -> str:
    """A `name=value` of a magnet, the first with what stands before it."""
    name, is_given, value = parameter.partition("=")
    url = unquote(value)
    return f"{name}={quote(_shown_url(url), safe='')}" if is_given and "://" in url else parameter


def _shown_url(url: str) -> str:
    """A public tracker as it is; of another URL the host."""
    try:
        parts = urlsplit(url)
        bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:  # a bracket that cannot be
        return "…"
    is_public = url.rstrip("/").removesuffix("/announce") == bare
    return url if is_public else f"{bare}/…"


def job_info(fields: Mapping[str, Any]) -> JobInfo:
    """`job_object` back again from its JSON; unknown fields of a newer daemon are left out."""
    own = known(JobInfo, fields)
    own["files"] = tuple(JobFile(**known(JobFile, file)) for file in own.get("files", ()))
    if own.get("readiness"):
        own["readiness"] = Readiness(**known(Readiness, own["readiness"]))
    own["conversions"] = tuple(map(_conversion, own.get("conversions", ())))
    if own.get("conversion"):
        own["conversion"] = _conversion(own["conversion"])
    own["selection"] = tuple(own.get("selection", ()))
    if own.get("wanted"):
        told = {**own["wanted"], "audio": tuple(own["wanted"].get("audio", ()))}
        own["wanted"] = Wanted(**known(Wanted, told))
    own["subtitles"] = _subtitles(own)
    for name, kind in _ENUMS.items():
        if own.get(name) in list(kind):  # a word that only a newer daemon knows stays text
            own[name] = kind(own[name])
    return JobInfo(**own)


def stream_info(fields: Mapping[str, Any]) -> StreamInfo:
    """A StreamInfo back again from its JSON."""
    own = known(StreamInfo, fields)
    own["readiness"] = Readiness(**known(Readiness, own["readiness"]))
    own["subtitles"] = _subtitles(own)
    return StreamInfo(**own)


def finding(fields: Mapping[str, Any]) -> Finding:
    """A Finding back again from its JSON; a level that only a newer daemon knows is a warning."""
    from htdl.answers import Finding, Level

    own = known(Finding, fields)
    own["level"] = Level(own["level"]) if own["level"] in list(Level) else Level.WARN
    return Finding(**own)


def speed_limits(fields: Mapping[str, Any]) -> SpeedLimits:
    """A SpeedLimits back again from its JSON."""
    from htdl.answers import JobLimit, SpeedLimit, SpeedLimits

    own = known(SpeedLimits, fields)
    for way in ("download", "upload"):
        own[way] = SpeedLimit(**known(SpeedLimit, own[way]))
    own["jobs"] = tuple(JobLimit(**known(JobLimit, one)) for one in own.get("jobs", ()))
    return SpeedLimits(**own)


def _conversion(fields: Mapping[str, Any]) -> Conversion:
    own = known(Conversion, fields)
    if own.get("status") in list(ConversionState):
        own["status"] = ConversionState(own["status"])
    return Conversion(**own)


def _subtitles(fields: Mapping[str, Any]) -> tuple[SubtitleLink, ...]:
    return tuple(SubtitleLink(**known(SubtitleLink, one)) for one in fields.get("subtitles", ()))


def known(kind: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of these fields those that the dataclass `kind` has."""
    return {x.name: fields[x.name] for x in dataclasses.fields(kind) if x.name in fields}


def progress_exact(job: Job) -> float:
    """Percent of the wanted bytes, two decimals; 100.0 only when all of them are verified."""
    if job.total_bytes <= 0:
        return float(job.progress)
    if job.done_bytes >= job.total_bytes:
        return 100.0
    return min(99.99, round(job.done_bytes * 100 / job.total_bytes, 2))


def state_object(instance: str, seq: int, jobs: Any) -> dict[str, Any]:
    """The first line of an event stream: the state now.  `instance` names the run of the daemon that counts
    `seq`.
    """
    return {"event": "state", "seq": seq, "instance": instance, "jobs": jobs}


def resumed_object(instance: str, seq: int) -> dict[str, Any]:
    """The first line of one that goes on where an earlier one ended: all after `seq` follows."""
    return {"event": RESUMED, "seq": seq, "instance": instance}


def event_object(event: Event, view: JobView) -> dict[str, Any]:
    return {"event": event.kind, "seq": event.seq, "job": job_object(view)}
