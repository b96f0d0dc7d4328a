"""`htdl pin`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids


@click.command("pin", epilog=examples("htdl pin 3f2a"))
@job_ids(required=True)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], as_json: bool) -> int:
    """Keep videos for as long as they are pinned, whether anybody watches them or not."""
    return many.act(
        app, "pin", ids, lambda job: f"pinned {many.named(job)}", as_json=as_json, single=len(ids) == 1
    )
