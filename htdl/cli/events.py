"""`htdl events`."""

from __future__ import annotations

from typing import Any

import click

from htdl.cli import plain, words
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import is_terminal, json_line


@click.command(
    "events",
    epilog=examples("htdl events", "htdl events 3f2a", "htdl events | jq 'select(.event==\"completed\")'"),
)
@job_ids(required=False)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], as_json: bool) -> None:
    """Print what happens, as it happens: NDJSON, or on a terminal a line for people.

    The first line is the state now.  It ends when the daemon stops.
    """
    for_people = is_terminal() and not as_json
    for event in app.client.events([app.job(x)["id"] for x in ids]):
        click.echo(_line(event) if for_people else json_line(event))


def _line(event: dict[str, Any]) -> str:
    kind = f"{words.printable(event['event']):<10}"
    return (
        f"{kind} {len(event['jobs'])} downloads"
        if "jobs" in event
        else f"{kind} {plain.job_line(event['job'])}"
    )
