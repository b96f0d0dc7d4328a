"""`htdl resume`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids


@click.command("resume", epilog=examples("htdl resume 3f2a", "htdl resume --all"))
@job_ids(required=False)
@click.option("--all", "everything", is_flag=True, help="Every paused download.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Let paused downloads go on."""
    single = len(ids) == 1
    targets = many.chosen(app, ids, everything, ("PAUSED",))
    return many.act(
        app, "resume", targets, lambda job: f"resumed {many.named(job)}", as_json=as_json, single=single
    )
