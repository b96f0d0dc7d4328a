"""`htdl unpin`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids


@click.command("unpin", epilog=examples("htdl unpin 3f2a"))
@job_ids(required=True)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], as_json: bool) -> int:
    """Let videos go again once nobody has watched them for `cache.ttl_days`."""
    return many.act(
        app, "unpin", ids, lambda job: f"unpinned {many.named(job)}", as_json=as_json, single=len(ids) == 1
    )
