"""`htdl remove`."""

from __future__ import annotations

import os

import click

from htdl.cli import many
from htdl.cli.app import App, job_path
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import path_text
from htdl.cli.words import printable


@click.command("remove", epilog=examples("htdl remove 3f2a", "htdl remove 3f2a --delete"))
@job_ids(required=True)
@click.option("--delete", is_flag=True, help="Remove the downloaded data too.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], delete: bool, as_json: bool) -> int:
    """Forget downloads that have ended.  The data stays unless --delete is given."""

    def one(prefix: str) -> many.Job:
        job: many.Job = app.call("DELETE", job_path(prefix) + ("?delete=1" if delete else ""))
        if not as_json:
            click.echo(f"removed {many.named(job)}")
            if not job.get("info_hash"):  # of a file that was here already
                click.echo(f"  what was made of it {'is removed too' if delete else 'stays'}")
            elif delete:
                click.echo(f"  its data too: {printable(job['save_path'])}")
            elif os.path.lexists(job["save_path"]):
                click.echo(f"  its data stays in {path_text(job['save_path'])}")
        return job

    done, code = many.each(ids, one, as_json=as_json)
    if as_json:
        many.print_jobs(done, single=len(ids) == 1)
    return code
