"""`htdl show`."""

from __future__ import annotations

import click

from htdl.cli import plain
from htdl.cli.app import App
from htdl.cli.details import details, files
from htdl.cli.options import as_json, examples
from htdl.cli.output import console, is_terminal, json_text


@click.command("show", epilog=examples("htdl show 3f2a", "htdl show 3f2a --json | jq '.files[].path'"))
@click.argument("prefix", metavar="ID")
@as_json
@click.pass_obj
def command(app: App, prefix: str, as_json: bool) -> None:
    """Show all that is known of one download: its state, whether it can be watched yet, its files."""
    job = app.job(prefix)
    if as_json:
        click.echo(json_text(job))
    elif is_terminal():
        from htdl.cli import tables

        out = console()
        out.print(tables.job_details(job, out.width))
    else:
        click.echo("\n".join(plain.aligned(details(job))))
        if job["files"]:
            click.echo("\n".join(["", *plain.aligned([("FILE", "DONE", "SIZE", "PATH"), *files(job)])]))
