"""`htdl retry`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids


@click.command("retry", epilog=examples("htdl retry 3f2a", "htdl retry 3f2a 91bc"))
@job_ids(required=True)
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], as_json: bool) -> int:
    """Begin failed or cancelled downloads again; verify complete ones, and mend what is damaged."""
    single = len(ids) == 1
    return many.act(
        app, "retry", ids, lambda job: f"trying again {many.named(job)}", as_json=as_json, single=single
    )
