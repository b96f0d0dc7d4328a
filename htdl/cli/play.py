"""`htdl play`."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from htdl.cli import boundary, many, player, streams, words
from htdl.cli.app import App
from htdl.cli.options import examples, moment
from htdl.cli.until_ready import Look, Wanted, until_ready

# Any prefix of a UUID; an info-hash (BEP 9, BEP 52) is longer, and has no dash.
_ID = re.compile(r"[0-9a-f]{1,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}", re.IGNORECASE)


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
    browser.  Of a new SOURCE, --file downloads this file alone.  Exits 1 when there is no such player, or it
    failed.
    """
    if page and command_line is not None:
        raise click.UsageError("--page and --player contradict each other")
    asked = player.named(command_line, app.environ) if command_line is not None else []  # before all else
    job = app.job(given) if is_id(given) else _added(app, given, file, start=not no_start)
    chosen = [] if page else asked or _configured(app)
    try:
        look = until_ready(app, Wanted(job["id"], file, begin), wait=not no_wait)
    except KeyboardInterrupt:
        again = f"htdl play {words.short_id(job)}"
        click.echo(f"\nno longer waiting; the download goes on.  Watch it with: {again}", err=True)
        return boundary.INTERRUPTED
    return _show(app, look, chosen, begin)


def is_id(given: str) -> bool:
    """Whether this names a job, and no source."""
    return _ID.fullmatch(given) is not None


def _added(app: App, source: str, file: str | None, *, start: bool) -> many.Job:
    from htdl.cli import add, sources

    fields: dict[str, Any] = {"files": [file]} if file is not None else {}
    job, existed = add.add(app, {**fields, **sources.read(source, sys.stdin.buffer)}, start=start)
    click.echo(f"{'already here:' if existed else 'added'} {many.named(job)}")
    return job


def _configured(app: App) -> list[str]:
    """The daemon's stream.player, else a usual one; empty for the browser."""
    command: str = app.call("GET", "/config").get("stream.player") or ""
    return player.named(command, app.environ) if command else player.usual(app.environ)


def _show(app: App, look: Look, chosen: list[str], begin: float) -> int:
    assert look.stream is not None
    if not chosen:
        from htdl.cli import page

        page.show(page.address(streams.address(look.stream, look.job, "page_url"), begin), app.environ)
        return 0
    if not player.can_begin(chosen, begin):
        boundary.warn(f"htdl does not know how to tell {chosen[0]} where to begin", as_json=False)
    url = streams.address(look.stream, look.job, "url")
    title = next(x["path"] for x in look.job["files"] if x["index"] == look.stream["file"]).rpartition("/")[2]
    return player.run(player.call(chosen, url, title=title, begin=begin), app.environ)
