"""`htdl priority`."""

from __future__ import annotations

import re
from typing import Any

import click

from htdl.cli import levels, many, words
from htdl.cli.app import App, job_path
from htdl.cli.options import as_json, examples

_LAST = -1


class _Numbers(click.Command):
    """Takes a negative number for a priority, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" not in args:
            numbers = [x for x in args if re.fullmatch(r"-[0-9]+", x)]
            args = [x for x in args if x not in numbers] + (["--", *numbers] if numbers else [])
        return super().parse_args(ctx, args)


@click.command(
    "priority",
    cls=_Numbers,
    epilog=examples(
        "htdl priority 3f2a high",
        "htdl priority 3f2a 91bc --first",
        "htdl priority 3f2a --before 91bc",
        "htdl priority 3f2a --position 3",
    ),
)
@click.argument("given", nargs=-1, required=True, metavar="ID... [high|normal|low|N]")
@click.option("--first", is_flag=True, help="To the front of the queue.")
@click.option("--last", is_flag=True, help="To its end.")
@click.option("--before", metavar="ID", help="In front of this one.")
@click.option("--position", type=click.IntRange(min=1), metavar="N", help="To this place; 1 is next.")
@as_json
@click.pass_obj
def command(
    app: App,
    given: tuple[str, ...],
    first: bool,
    last: bool,
    before: str | None,
    position: int | None,
    as_json: bool,
) -> int:
    """Say which downloads go first: a priority for those named, or a place in the queue.

    The higher priority goes first: high is 10, normal 0, low -10.  Among equals the place in the queue
    counts, and what runs already is not stopped for one of them.  To be where it is put, a download takes
    over as much of its neighbours' priority as it must.
    """
    ids, patch = _asked(given, first=first, last=last, before=before, position=position)
    # each of several goes to the front of the one that was put there before it
    turned = list(reversed(ids)) if first else list(ids)

    def one(prefix: str) -> many.Job:
        job: many.Job = app.call("PATCH", job_path(prefix), patch)
        return job

    done, code = many.each(turned, one, as_json=as_json)
    if first:
        done.reverse()
    if as_json:
        many.print_jobs(done, single=len(ids) == 1)
    else:
        for job in done:
            click.echo(_said(app.job(job["id"]) if len(done) > 1 else job))  # later ones have moved the first
    return code


def _asked(
    given: tuple[str, ...], *, first: bool, last: bool, before: str | None, position: int | None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The ids, and what to change of them.  Raises UsageError."""
    if sum((first, last, before is not None, position is not None)) > 1:
        raise click.UsageError("give one of --first, --last, --before and --position")
    if first:
        return given, {"position": 1}
    if last:
        return given, {"position": _LAST}
    if before is not None:
        return given, {"before": before}
    if position is not None:
        if len(given) > 1:
            raise click.UsageError("--position is for one download; use --first, --last or --before")
        return given, {"position": position}
    if len(given) < 2:
        raise click.UsageError(
            "say which: high, normal, low, a number, --first, --last, --before or --position"
        )
    try:
        return given[:-1], {"priority": levels.parse(given[-1])}
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc


def _said(job: many.Job) -> str:
    place = words.place(job)
    return f"{many.named(job)}: priority {levels.word(job['priority'])}" + (f", {place}" if place else "")
