"""`htdl status`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from htdl.cli import many, words
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import console, is_terminal, json_text

LIMIT = 100
_STATES = ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED")
# The words that the list shows where they are nearer to the truth than the state: what to ask for them.
_NARROWER = {
    "seeding": ("COMPLETED",),
    "pausing": ("DOWNLOADING", "CONVERTING"),
    "cancelling": ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED"),
}
_WORDS = {**{x.lower(): (x,) for x in _STATES}, "queued": ("PENDING",), **_NARROWER}


@click.command(
    "status",
    epilog=examples("htdl status", "htdl status -s downloading", "htdl status --json | jq '.[].name'"),
)
@job_ids(required=False)
@click.option("--all", "everything", is_flag=True, help=f"All of them; without it, the first {LIMIT}.")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="At most N of them.")
@click.option(
    "-s",
    "--status",
    type=click.Choice(list(_WORDS), case_sensitive=False),
    multiple=True,
    metavar="STATE",
    help="Only this state, as the list names it (repeatable).",
)
@as_json
@click.pass_obj
def command(
    app: App,
    ids: tuple[str, ...],
    everything: bool,
    limit: int | None,
    status: tuple[str, ...],
    as_json: bool,
) -> int:
    """List downloads: those that move first, then the newest that have ended."""
    if limit is None and not everything and not as_json:
        limit = LIMIT
    code = 0
    if ids:
        jobs, code = many.each(ids, app.job, as_json=as_json)
        jobs, total = _picked(jobs, status, limit)
    elif _NARROWER.keys() & set(status):
        jobs, total = _picked(app.jobs(_asked(status))[0], status, limit)
    else:
        jobs, total = app.jobs(_asked(status), limit)
    if as_json:
        click.echo(json_text(jobs))
    elif jobs or not code:
        _draw(jobs, total - len(jobs), [*ids, *(x for word in status for x in ("-s", word))])
    return code


def _asked(status: Sequence[str]) -> list[str]:
    """What to ask the daemon for; it knows nothing of the narrower words."""
    return sorted({state for word in status for state in _WORDS[word]})


def _picked(jobs: list[many.Job], status: Sequence[str], limit: int | None) -> tuple[list[many.Job], int]:
    """The jobs in one of these states, and how many they are without the limit."""
    jobs = [job for job in jobs if not status or any(_is(job, word) for word in status)]
    return jobs[:limit], len(jobs)


def _is(job: many.Job, word: str) -> bool:
    return job["status"] in _WORDS[word] and (word not in _NARROWER or words.state(job) == word)


def _draw(jobs: list[many.Job], more: int, filters: Sequence[str]) -> None:
    if not jobs:
        click.echo(
            "no such downloads" if filters else "no downloads yet; begin one with: htdl add MAGNET-OR-TORRENT"
        )
        return
    hint = " ".join(["htdl status --all", *map(words.printable, filters)])
    if is_terminal():
        from htdl.cli import tables

        out = console()
        out.print(tables.job_table(jobs, out.width, more=more, hint=hint))
    else:
        from htdl.cli import plain

        click.echo("\n".join(plain.job_table(jobs) + ([f"... and {more} more: {hint}"] if more else [])))
