"""`htdl status`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import console, is_terminal, json_text

LIMIT = 100
STATES = ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED")


@click.command(
    "status",
    epilog=examples("htdl status", "htdl status -s downloading", "htdl status --json | jq '.[].name'"),
)
@job_ids(required=False)
@click.option("--all", "everything", is_flag=True, help=f"All of them; without it, the first {LIMIT}.")
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N of them.")
@click.option(
    "-s",
    "--status",
    type=click.Choice(STATES, case_sensitive=False),
    multiple=True,
    help="Only this state (repeatable).",
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
    if ids:
        jobs, code = many.each(ids, app.job, as_json=as_json)
        jobs = [x for x in jobs if not status or x["status"] in status][:limit]
        total = len(jobs)
    else:
        (jobs, total), code = app.jobs(status, limit), 0
    if as_json:
        click.echo(json_text(jobs))
    elif jobs or not code:
        _draw(jobs, total, filtered=bool(status or ids))
    return code


def _draw(jobs: list[many.Job], total: int, *, filtered: bool) -> None:
    if not jobs:
        click.echo(
            "no such downloads"
            if filtered
            else "no downloads yet; begin one with: htdl add MAGNET-OR-TORRENT"
        )
    elif is_terminal():
        from htdl.cli import tables

        out = console()
        out.print(tables.job_table(jobs, out.width, more=total - len(jobs)))
    else:
        from htdl.cli import plain

        lines = plain.job_table(jobs)
        if total > len(jobs):
            lines.append(f"... and {total - len(jobs)} more: htdl status --all")
        click.echo("\n".join(lines))
