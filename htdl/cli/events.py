"""`htdl events`."""

from __future__ import annotations

from typing import Any

import click

from htdl.cli import follow, units, words
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import console, is_terminal, json_line


def _place(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    instance, _, seq = text.rpartition(":")
    if not (instance and seq.isascii() and seq.isdigit() and len(seq) < 20):
        raise click.BadParameter(f"{words.printable(text)!r} is not an instance, a colon and a number")
    return instance, int(seq)


@click.command(
    "events",
    epilog=examples(
        "htdl events",
        "htdl events 3f2a",
        "htdl events --since 5d0f:1204",
        "htdl events | jq 'select(.event==\"completed\")'",
    ),
)
@job_ids(required=False)
@click.option(
    "--since",
    metavar="INSTANCE:SEQ",
    callback=_place,
    help="Go on behind the event of this number (seq), of this run of the daemon (instance).",
)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], since: tuple[str, int] | None, as_json: bool) -> None:
    """Print what happens, as it happens: NDJSON, or on a terminal a line for people.

    The first line is the state now, and so is the first after a restart of the daemon; with --since it is
    what was missed, where the daemon still runs and knows.  It ends when the daemon stays away for a minute.
    """
    out = None if as_json or not is_terminal() else console()
    for event in follow.stream(app, [app.job(x)["id"] for x in ids], since):
        if event is None:
            click.echo("the daemon is gone, waiting for it...", err=True)
        elif out is None:
            click.echo(json_line(event))
        else:
            out.print(line(event, is_filtered=bool(ids)), no_wrap=True, overflow="ellipsis")


def line(event: dict[str, Any], *, is_filtered: bool) -> str:
    """An event for people, the name last; a column that holds nothing is blank."""
    kind = f"{words.printable(event['event']):<9}"
    if "jobs" in event:  # all that live, or those that were asked for
        count = len(event["jobs"])
        noun = "download" if count == 1 else "downloads"
        return f"{kind}  {count or 'no'} {'' if is_filtered else 'unfinished '}{noun}"
    job = event["job"]
    reason = words.note(job)
    cells = (
        kind,
        words.short_id(job),
        f"{words.state(job):<11}",
        f"{words.percent(job):>4}",
        f"{units.short_speed(job['download_speed']):>7}",
        words.name(job) + (f"  ({reason})" if reason else ""),
    )
    return "  ".join(cells)
