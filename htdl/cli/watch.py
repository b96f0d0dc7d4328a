"""`htdl watch`, and what `add --watch` does."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from htdl.cli import boundary, conversion, plain, words
from htdl.cli.app import App
from htdl.cli.board import Board, Ticker
from htdl.cli.follow import Event, updates
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import is_terminal, json_line
from htdl.errors import ConversionFailed, JobFailed


@click.command("watch", epilog=examples("htdl watch", "htdl watch 3f2a", "htdl watch 3f2a --json"))
@job_ids(required=False)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], as_json: bool) -> int:
    """Follow downloads until all of them have ended; without ids, all that live and all that come.

    Ctrl-C stops following, not the downloads.  Exits 1 when one of them failed or was cancelled,
    8 when its conversion failed.
    """
    return follow(app, [app.job(x)["id"] for x in ids], as_json=as_json)


def follow(app: App, ids: Sequence[str], *, as_json: bool) -> int:
    """Show these jobs, or where empty all, until they have ended; returns the exit code."""
    board = Board(ids)
    try:
        if as_json:
            _print_json(app, board, ids)
        elif is_terminal():
            _draw_live(app, board, ids)
        else:
            _print_lines(app, board, ids)
    except KeyboardInterrupt:
        click.echo(f"\nno longer following{_goes_on(board, ids)}", err=True)
        return boundary.INTERRUPTED
    if not as_json:
        _tell_outcome(board)
    return next(map(_exit_code, board.unhappy), 0)


def _print_json(app: App, board: Board, ids: Sequence[str]) -> None:
    for event in updates(app, board, ids):
        if event is not None:
            click.echo(json_line(event))


def _print_lines(app: App, board: Board, ids: Sequence[str]) -> None:
    ticker = Ticker()
    for event in updates(app, board, ids):
        if event is None:
            click.echo("the daemon is gone, waiting for it...", err=True)
            continue
        for job in _told(board, event):
            if ticker.is_due(job, time.monotonic()):
                click.echo(plain.job_line(job))


def _draw_live(app: App, board: Board, ids: Sequence[str]) -> None:
    from rich.text import Text

    from htdl.cli import tables
    from htdl.cli.output import console
    from htdl.cli.redraw import drawn

    out = console()
    gone = False

    def picture() -> Text:
        table = tables.job_table(board.in_order, out.width, most_lines=out.height - 2)
        return table.append("\nthe daemon is gone, waiting for it…", style="yellow") if gone else table

    with drawn(out, picture, times_a_second=4):
        for event in updates(app, board, ids):
            gone = event is None


def _told(board: Board, event: Event) -> list[words.JobObject]:
    """The followed jobs that this event tells of."""
    jobs = event["jobs"] if event["event"] == "state" else [event["job"]]
    return [board.jobs[x["id"]] for x in jobs if x["id"] in board.jobs]


def _exit_code(job: words.JobObject) -> int:
    """Of one that did not end well."""
    return (ConversionFailed if conversion.has_failed(job) else JobFailed).exit_code


def _goes_on(board: Board, ids: Sequence[str]) -> str:
    living = board.living
    if not living:
        return ""
    again = " ".join(["htdl watch", *(words.short_id(x) for x in living if ids)])
    what = "conversion" if all(x["status"] == "CONVERTING" for x in living) else "download"
    goes = f"the {what} goes" if len(living) == 1 else f"the {what}s go"
    return f"; {goes} on.  Follow again with: {again}"


def _tell_outcome(board: Board) -> None:
    if not board.jobs:
        click.echo("nothing to follow; begin a download with: htdl add MAGNET-OR-TORRENT")
    for job in board.unhappy:
        end = "failed: " + words.why(job) if job["status"] == "FAILED" else "was cancelled"
        click.echo(f"{words.short_id(job)} {end if words.has_ended(job) else 'was removed'}", err=True)
