"""`htdl pause`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids


@click.command("pause", epilog=examples("htdl pause 3f2a", "htdl pause --all"))
@job_ids(required=False)
@click.option("--all", "everything", is_flag=True, help="Every download that is not done.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Let downloads stand still.  What is here stays; resume goes on with it."""
    single = len(ids) == 1
    states = ("PENDING", "DOWNLOADING", "CONVERTING")
    targets = many.chosen(app, ids, everything, states, backwards=True)
    return many.act(
        app, "pause", targets, lambda job: f"paused {many.named(job)}", as_json=as_json, single=single
    )
