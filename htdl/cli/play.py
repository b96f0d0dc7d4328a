"""`htdl play`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from htdl.cli import boundary, many, player, streams, words
from htdl.cli.app import App
from htdl.cli.options import examples, moment
from htdl.cli.until_ready import Look, Wanted, until_ready
from htdl.errors import BadSource, HtdlError, NoDaemon, NoSuchJob, TimedOut

# Any prefix of a UUID; an info-hash (BEP 9, BEP 52) is longer, and has no dash.
_ID = re.compile(r"[0-9a-f]{1,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}", re.IGNORECASE)
_ENDS = {"COMPLETED": "is whole", "FAILED": "has failed", "CANCELLED": "was cancelled"}
_ARRIVES = {"PENDING", "DOWNLOADING"}
_GOES_ON = "the download goes on"


@click.command(
    "play",
    epilog=examples(
        "htdl play 3f2a",
        "htdl play 'magnet:?xt=urn:btih:...'",
        "htdl play 3f2a --file 'S01E02*' --from 12:30",
        "htdl play film.torrent --player 'mpv --fs'",
    ),
)
@click.argument("given", metavar="ID|SOURCE")
@click.option("-f", "--file", "file", metavar="GLOB|N", help="This file, not the main one.")
@click.option(
    "--from", "begin", type=moment, default="0", metavar="TIME", help="Begin at 1:02:03, 90 or 1h2m."
)
@click.option(
    "--player", "command_line", metavar="COMMAND", help="A program with its arguments, instead of mpv or vlc."
)
@click.option("--page", is_flag=True, help="Play it in the browser.")
@click.option("--no-wait", is_flag=True, help="Begin at once; the player waits for what is missing.")
@click.option("--no-start", is_flag=True, help="Do not start a daemon when none answers.")
@click.pass_obj
def command(
    app: App,
    given: str,
    file: str | None,
    begin: float,
    command_line: str | None,
    page: bool,
    no_wait: bool,
    no_start: bool,
) -> int:
    """Watch a download as soon as it can be; a SOURCE is added first, as by `htdl add`.

    It waits until the video can be watched, and says meanwhile what is missing; Ctrl-C stops waiting, not the
    download.  The player is the one you name, or stream.player of the configuration, else mpv, vlc, or the
    browser; mpv and vlc are handed the subtitles that came with it.  Of a new SOURCE, --file downloads this
    file alone.  Exits 1 when there is no such player, or it failed.
    """
    if page and command_line is not None:
        raise click.UsageError("--page and --player contradict each other")
    if command_line is not None and not command_line.strip():
        raise click.UsageError("--player is empty; name a program, as in --player mpv")
    asked = player.named(command_line, app.environ) if command_line is not None else []  # before all else
    find = _found if is_id(given) else _added
    job = find(app, given, file, start=not no_start)
    chosen = [] if page else asked or _configured(app)
    try:
        look = until_ready(app, Wanted(job["id"], file, begin), wait=not no_wait)
    except KeyboardInterrupt:
        again = f"htdl play {words.short_id(job)}"
        click.echo(f"\nno longer waiting; {_fate(app, job)}.  Watch it with: {again}", err=True)
        return boundary.INTERRUPTED
    return _show(app, look, chosen, begin)


def is_id(given: str) -> bool:
    """Whether this names a job, and no source."""
    return _ID.fullmatch(given) is not None


def _found(app: App, prefix: str, _: str | None, *, start: bool) -> many.Job:
    try:
        return app.job(prefix)
    except NoDaemon:
        if not start:
            raise
        from htdl.cli import background

        background.start(app)
        return app.job(prefix)


def _added(app: App, source: str, file: str | None, *, start: bool) -> many.Job:
    from htdl.cli import add, sources

    try:
        body = sources.read(source, sys.stdin.buffer)
    except BadSource as exc:
        return _of_video(app, source, exc)
    fields: dict[str, Any] = {"files": [file]} if file is not None else {}
    job, existed = add.add(app, {**fields, **body}, start=start)
    click.echo(f"{'already here:' if existed else 'added'} {many.named(job)}")
    return job


def _of_video(app: App, video_id: str, fault: BadSource) -> many.Job:
    """The job of the video application's own id.  Raises the fault where there is none."""
    try:
        return app.job(video_id)
    except (NoDaemon, NoSuchJob) as exc:
        if exc.code == "ambiguous_id":
            raise
        hint = "; ".join(filter(None, (fault.hint, "or the id of a download, as `htdl status` lists them")))
        raise BadSource(fault.message, hint=hint) from exc


def _configured(app: App) -> list[str]:
    """The daemon's stream.player, else a usual one; empty for the browser."""
    command: str = app.call("GET", "/config").get("stream.player") or ""
    return player.named(command, app.environ) if command else player.usual(app.environ)


def _show(app: App, look: Look, chosen: list[str], begin: float) -> int:
    assert look.stream is not None
    title = next(x["path"] for x in look.job["files"] if x["index"] == look.stream["file"]).rpartition("/")[2]
    if not chosen:
        from htdl.cli import page

        url = page.address(streams.address(look.stream, look.job, "page_url"), begin)
        is_open = page.show(url, app.environ)
        _tell(look, "playing in the browser" if is_open else "to be opened in a browser", title)
        return 0
    if not player.can_begin(chosen, begin):
        boundary.warn(f"htdl does not know how to tell {chosen[0]} where to begin", as_json=False)
    url = streams.address(look.stream, look.job, "url")
    subtitles = [x["url"] for x in look.stream.get("subtitles") or ()]
    _tell(look, f"playing in {Path(chosen[0]).name}", title)
    try:
        code = player.run(
            player.call(chosen, url, title=title, begin=begin, subtitles=subtitles), app.environ
        )
        _warn_of_an_early_end(app, look)
        return code
    except HtdlError as exc:
        if exc.code != player.FAILED:
            raise
        raise HtdlError(exc.message, hint=f"{exc.hint}; {_fate(app, look.job)}", code=exc.code) from exc


def _tell(look: Look, what: str, title: str) -> None:
    """What is done with the video, and why now."""
    why_now = look.reason if look.ready else f"not ready yet, {look.reason}"
    click.echo(f"{words.printable(what)}: {words.printable(title)} ({why_now})", err=True)


def _warn_of_an_early_end(app: App, look: Look) -> None:
    """Players take the end of what came for the end of the film."""
    fate = _fate(app, look.job) if look.job["status"] in _ARRIVES else _GOES_ON
    if fate not in {_GOES_ON, f"the download {_ENDS['COMPLETED']}"}:
        boundary.warn(f"{fate}: what had not come by then was not played", as_json=False)


def _fate(app: App, job: words.JobObject) -> str:
    """What the download does now."""
    try:
        now = app.job(job["id"])
    except (NoDaemon, TimedOut):
        return "the daemon does not answer, and without it the download stands still"
    except NoSuchJob:
        return "the download was removed"
    if words.has_ended(now):
        return f"the download {_ENDS[now['status']]}"
    return _GOES_ON if now["wish"] == "RUN" else f"the download is {words.state(now)}"
