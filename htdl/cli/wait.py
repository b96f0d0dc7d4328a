"""`htdl wait`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from htdl.cli import boundary, conversion, many, units, words
from htdl.cli.app import App
from htdl.cli.follow import GONE_SECONDS
from htdl.cli.options import as_json, duration, examples, job_ids
from htdl.cli.output import path_text
from htdl.errors import ConversionFailed, HtdlError, NoDaemon, TimedOut

if TYPE_CHECKING:
    from htdl.reached import Until

_SAID = {"ready": "can be watched", "downloaded": "is downloaded", "completed": "is completed"}
_NOT_SAID = {"ready": "cannot be watched", "downloaded": "is not downloaded", "completed": "is not completed"}
_LOOK_SECONDS = 0.5  # between two looks whether it stands still; what is waited for is told at once
_RETRY_SECONDS = 0.25  # between two tries to reach a daemon that is gone
_GONE = "the daemon is gone, waiting for it"


@click.command(
    "wait",
    epilog=examples("htdl wait 3f2a", 'htdl wait 3f2a --for ready --timeout 5m && mpv "$(htdl url 3f2a)"'),
)
@job_ids(required=True)
@click.option(
    "--for",
    "until",
    type=click.Choice(["ready", "downloaded", "completed"]),
    default="completed",
    show_default=True,
    help="Can be watched, is whole, or is whole and converted.",
)
@click.option("--timeout", type=duration, metavar="TIME", help="Wait no longer than this: 90, 90s, 5m, 1h.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], until: Until, timeout: float | None, as_json: bool) -> int:
    """Return when the downloads are ready, downloaded or completed; say meanwhile why one stands still.

    Prints the path of each one's main file at the end of its line.  Exits 7 when the time is over, 1 when one
    failed or was cancelled, 8 when its conversion failed, 4 when there is no such download.
    """
    deadline = None if timeout is None else time.monotonic() + timeout

    def one(prefix: str) -> many.Job:
        job = _reached(app, app.job(prefix), until, deadline, as_json=as_json)
        if until == "ready" and words.is_gone(job):
            raise HtdlError(
                f"{many.called(job)} cannot be watched: its files are gone",
                hint="add its source again",
                code="no_file",
            )
        if until == "completed" and (unmade := conversion.unmade(job)):
            boundary.warn(f"{many.called(job)} is {unmade}", as_json)
        if not as_json:
            click.echo(_line(job, until))
        return job

    done, code = many.each(ids, one, as_json=as_json)
    if as_json:
        many.print_jobs(done, single=len(ids) == 1)
    return code


def _reached(app: App, job: many.Job, until: Until, deadline: float | None, *, as_json: bool) -> many.Job:
    """The job once it is so.  Says once what keeps it, and again when that changes.  Raises TimedOut in words
    when it is not so before the deadline.
    """
    said = None
    for now, is_gone in _looks(app, job, until, deadline):
        kind = (is_gone, now["wish"], now["blocked_by"])  # the words may hold numbers, which change
        why = _GONE if is_gone else words.standstill(now)
        if why and kind != said:
            boundary.warn(f"{many.called(now)}: {why}", as_json)
        said = kind
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOut(
                f"{many.called(now)} {_NOT_SAID[until]} yet: {_GONE if is_gone else _progress(now, until)}",
                hint=f"see what it does with: htdl watch {words.short_id(now)}",
            )
    return app.job(job["id"])


def _looks(app: App, job: many.Job, until: Until, deadline: float | None) -> Iterator[tuple[many.Job, bool]]:
    """The job each time that it is not so yet, and whether the daemon is gone; over its restarts."""
    heard = time.monotonic()
    while True:
        try:
            if _is_reached(app, job["id"], until, deadline):
                return
            job, heard, is_gone = app.job(job["id"]), time.monotonic(), False
        except NoDaemon:
            if time.monotonic() - heard > GONE_SECONDS:
                raise
            is_gone = True
            time.sleep(_RETRY_SECONDS)  # there is nothing to be told of a socket that comes back
        yield job, is_gone


def _is_reached(app: App, job_id: str, until: Until, deadline: float | None) -> bool:
    """Whether it is so before the next look."""
    left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
    try:
        app.client.wait(job_id, until, max(0.0, left))
    except TimedOut:
        return False
    except ConversionFailed as exc:
        raise _not_converted(app.job(job_id)) from exc
    return True


def _not_converted(job: many.Job) -> ConversionFailed:
    return ConversionFailed(
        f"the conversion of {many.called(job)} failed: {words.why(job)}",
        hint=conversion.INSTALL
        if job["error_code"] == "no_ffmpeg"
        else f"begin it again with: htdl retry {words.short_id(job)}",
        code=job["error_code"],
    )


def _line(job: many.Job, until: Until) -> str:
    said = f"{many.named(job)} {_SAID[until]}"
    if words.is_gone(job):
        return f"{said}, but its files are gone"
    return f"{said}: {path_text(job['file_path'])}" if job["file_path"] else said


def _progress(job: many.Job, until: Until) -> str:
    """How far it is, and why nothing moves, or how fast it does and what is missing to watch it."""
    blocked = "other downloads go first" if words.state(job) == "queued" else words.why(job)
    speed = f"at {units.speed(job['download_speed'])}" if job["download_speed"] else ""
    says_enough = blocked or job["wish"] == "PAUSE"
    missing = words.printable(job["readiness"]["reason"]) if until == "ready" and not says_enough else ""
    return ", ".join(x for x in (words.state(job), words.percent(job), blocked or speed, missing) if x)
