"""`htdl status`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from htdl.cli import many, words
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import console, is_terminal, json_text

LIMIT = 100
MAX_QUERY = 7000  # characters of ids in one request, whose first line may have 8,190
SORTS = ("name", "progress", "speed", "eta", "added", "size")  # jobs.Sort, without the price of importing it
# What to ask the daemon for, by the words that the list shows.
_WORDS = {
    **{
        x: x.upper()
        for x in (
            "active", "pending", "downloading", "converting", "paused", "completed", "failed", "cancelled",
            "seeding", "pausing", "cancelling",
        )
    },
    "queued": "PENDING",
}  # fmt: skip


@click.command(
    "status",
    epilog=examples(
        "htdl status",
        "htdl status --active --sort speed",
        "htdl status --name '*s01e*' -s completed",
        "htdl status --ready --sort added -n 10",
        "htdl status --json | jq '.[].name'",
    ),
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
@click.option("--active", is_flag=True, help="As -s active: what downloads, converts or seeds.")
@click.option("--ready", is_flag=True, help="Only what can be watched now.")
@click.option(
    "--name", default="", metavar="TEXT", help="Only names with this part, or like this pattern: 's01*'."
)
@click.option(
    "--sort",
    type=click.Choice(SORTS, case_sensitive=False),
    help="By name, or the furthest, fastest, soonest, newest or largest first.",
)
@click.option("-r", "--reverse", is_flag=True, help="The other way round.")
@as_json
@click.pass_obj
def command(
    app: App,
    ids: tuple[str, ...],
    everything: bool,
    limit: int | None,
    status: tuple[str, ...],
    active: bool,
    ready: bool,
    name: str,
    sort: str | None,
    reverse: bool,
    as_json: bool,
) -> int:
    """List downloads: those that move first, then the newest that have ended."""
    if reverse and not sort:
        raise click.UsageError("--reverse needs --sort: of what?")
    if limit is None and not everything and not as_json:
        limit = LIMIT
    states = [*status, "active"] if active else list(status)
    query = {
        "name": name,
        "ready": "1" if ready else "",
        "sort": sort or "",
        "reverse": "1" if reverse else "",
    }
    filters = _filters(states, query)
    jobs: list[many.Job] = []
    code = 0
    if ids:
        jobs, code = many.each(ids, app.job, as_json=as_json)
        query["ids"] = ",".join(job["id"] for job in jobs)
        if len(query["ids"]) > MAX_QUERY and filters:
            raise click.UsageError("too many downloads to choose from: name fewer, or none")
    if jobs and not filters:
        jobs, total = jobs[:limit], len(jobs)
    elif jobs or not ids:
        jobs, total = app.jobs(sorted({_WORDS[word] for word in states}), limit, **query)
    else:
        total = 0
    if as_json:
        click.echo(json_text(jobs))
    elif jobs or not code:
        _draw(jobs, total - len(jobs), [*ids, *filters])
    return code


def _filters(states: Sequence[str], query: dict[str, str]) -> list[str]:
    """The options again, for a command that lists the rest."""
    given = [x for word in states for x in ("-s", word)]
    given += ["--ready"] if query["ready"] else []
    given += [x for key in ("name", "sort") if query[key] for x in (f"--{key}", query[key])]
    return given + (["-r"] if query["reverse"] else [])


def _draw(jobs: list[many.Job], more: int, filters: Sequence[str]) -> None:
    if not jobs:
        click.echo(
            "no such downloads" if filters else "no downloads yet; begin one with: htdl add MAGNET-OR-TORRENT"
        )
        return
    hint = " ".join(["htdl status --all", *map(_quoted, filters)])
    if is_terminal():
        from htdl.cli import tables

        out = console()
        out.print(tables.job_table(jobs, out.width, more=more, hint=hint))
    else:
        from htdl.cli import plain

        left = [words.left_out(len(jobs), more, hint)] if more else []
        click.echo("\n".join(plain.job_table(jobs) + left))


def _quoted(word: str) -> str:
    """A word as a shell takes it, and a terminal."""
    if word.isascii() and word.replace("-", "").isalnum():
        return word
    import shlex

    return shlex.quote(words.printable(word))
