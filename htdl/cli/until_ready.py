"""Waits until a video can be played, and says meanwhile what is missing.

The daemon is asked to fetch what will be played before all else for as long as somebody waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from htdl.cli import files, many, streams, verdict, words
from htdl.cli.app import App
from htdl.cli.follow import GONE_SECONDS
from htdl.cli.output import is_terminal
from htdl.cli.words import JobObject, printable
from htdl.errors import JobFailed, NoDaemon, Refused, TimedOut

if TYPE_CHECKING:
    from htdl.jobs import Preload

_LOOK_SECONDS = 0.25  # between two looks: a local socket, and a person waits
_TURN_SECONDS = 2.0  # then one look gives up on a job whose turn has not come; the next one asks again
_LINE_SECONDS = 1.0  # between two lines, where they cannot be redrawn
_GONE = "the daemon is gone, waiting for it"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`file` as the user named it, None for the main one; `begin` is in seconds."""

    job_id: str
    file: str | None = None
    begin: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """How far it is.  `stream` is what the daemon says of it, None while there is no file; `nearness` is
    percent, 0 while that is not known.  When the daemon `is_gone`, `job` is how it was.
    """

    job: JobObject
    reason: str
    ready: bool = False
    nearness: float = 0.0
    stream: dict[str, Any] | None = None
    is_gone: bool = False


def until_ready(app: App, wanted: Wanted, *, wait: bool) -> Look:
    """The first look that is ready; without `wait`, the first that has a stream.

    Raises JobFailed for a job that ends otherwise, Refused for one that cannot be watched, BadRequest for no
    such file, NoDaemon.
    """
    looks = _until(_looks(lambda: _look(app, wanted)), lambda x: x.ready or bool(x.stream and not wait))
    return _draw(looks) if is_terminal() else _tell(looks)


def _looks(look: Callable[[], Look]) -> Iterator[Look]:
    """One after the other, over a restart of the daemon."""
    last, heard = None, time.monotonic()
    while True:
        try:
            last, heard = look(), time.monotonic()
            yield last
        except NoDaemon:
            if last is None or time.monotonic() - heard > GONE_SECONDS:
                raise
            yield Look(last.job, _GONE, is_gone=True)
        time.sleep(_LOOK_SECONDS)  # between two questions: the daemon tells no event of a preload


def _until(looks: Iterable[Look], is_enough: Callable[[Look], bool]) -> Iterator[Look]:
    for look in looks:
        yield look
        if is_enough(look):
            return


def _look(app: App, wanted: Wanted) -> Look:
    job = app.job(wanted.job_id)
    _reject_ended(job)
    stream = streams.of(app, job, files.index(job, wanted.file) if job["files"] else None)
    found, number = stream["readiness"], stream["file"]
    if not found["ready"]:
        _reject_paused(job)
    file = next((x for x in job["files"] if x["index"] == number), None)
    if number is None or file is None:  # its files may have become known between the two questions
        if job["status"] == "PENDING":
            _preload(app, wanted, None)
        return Look(job, words.why(job) or printable(found["reason"]))
    if found["ready"] and not wanted.begin:
        return Look(job, printable(found["reason"]), ready=True, nearness=100.0, stream=stream)
    told = _preload(app, wanted, number)
    if wanted.begin and told:
        why = f"; {words.why(job)}" if words.why(job) and not told.ready else ""
        return Look(job, printable(told.reason) + why, ready=told.ready, stream=stream)
    return Look(job, _reason(job, found), nearness=verdict.nearness(found, file["size"]), stream=stream)


def _preload(app: App, wanted: Wanted, number: int | None) -> Preload | None:
    """Have this place fetched first, and a job in the queue begun; None where its turn has not come yet."""
    from htdl.client import Client

    try:
        return Client(app.client.socket, _TURN_SECONDS).preload(wanted.job_id, wanted.begin, number)
    except TimedOut:
        return None


def _reject_ended(job: JobObject) -> None:
    """Raises for a job of which nothing more comes, and not all is here."""
    is_here = (job.get("readiness") or {}).get("ready")  # only its conversion failed, say
    if job["status"] in {"FAILED", "CANCELLED"} and not is_here:
        raise JobFailed(
            f"{many.called(job)} {'failed: ' + words.why(job) if words.why(job) else 'was cancelled'}",
            hint=f"begin it again with: htdl retry {words.short_id(job)}",
        )
    if words.is_gone(job):
        raise Refused(
            f"the files of {many.called(job)} are gone",
            hint=f"fetch them again with: htdl retry {words.short_id(job)}",
        )


def _reject_paused(job: JobObject) -> None:
    """Raises for a job of which nothing comes until somebody wishes so."""
    if job["wish"] == "PAUSE" and job["status"] not in {"COMPLETED", "CONVERTING"}:
        raise Refused(
            f"{many.called(job)} is paused", hint=f"let it go on with: htdl resume {words.short_id(job)}"
        )


def _reason(job: JobObject, found: verdict.Verdict) -> str:
    """What is missing, and why it does not come."""
    blocked = words.why(job) if job["blocked_by"] else ""
    return "; ".join(filter(None, (printable(found["reason"]), blocked)))


def _tell(looks: Iterator[Look]) -> Look:
    """A line on standard error for each new reason."""
    said, due = "", 0.0
    for look in looks:
        if not look.ready and look.reason != said and time.monotonic() >= due:
            said, due = look.reason, time.monotonic() + _LINE_SECONDS
            click.echo(f"not yet: {said}", err=True)
    return look


def _draw(looks: Iterator[Look]) -> Look:
    from htdl.cli.output import console
    from htdl.cli.ready_bar import picture
    from htdl.cli.redraw import drawn

    look, out = next(looks), console()
    with drawn(out, lambda: picture(look, out.width), times_a_second=8, is_kept=False):
        for look in looks:  # noqa: B007  the picture shows each
            pass
    return look
