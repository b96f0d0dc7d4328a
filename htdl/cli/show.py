"""`htdl show`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from htdl.cli import many, plain, words
from htdl.cli.app import App
from htdl.cli.details import conversions, details, files
from htdl.cli.options import as_json, examples
from htdl.cli.output import console, is_terminal, json_text, path_text
from htdl.errors import HtdlError

FILES = ("FILE", "DONE", "SIZE", "PATH")
CONVERSIONS = ("FILE", "CONVERSION", "PROGRESS", "EFFORT", "WHY", "OUTPUT")


@click.command(
    "show",
    epilog=examples(
        "htdl show 3f2a", "htdl show 3f2a --json | jq '.files[].path'", 'ls -l "$(htdl show 3f2a --path)"'
    ),
)
@click.argument("prefix", metavar="ID")
@click.option("--path", is_flag=True, help="Print the path of its main file, and nothing else.")
@as_json
@click.pass_obj
def command(app: App, prefix: str, path: bool, as_json: bool) -> None:
    """Show all that is known of one download: its state, whether it can be watched yet, its files
    and what is made of them.
    """
    job = app.job(prefix)
    if path:
        click.echo(os.fsencode(path_text(_main_file(job))))
    elif as_json:
        click.echo(json_text(job))
    elif is_terminal():
        from htdl.cli import tables

        out = console()
        for line in tables.job_details(job, out.width):
            out.print(line, soft_wrap=bool(line.no_wrap))
    else:
        click.echo("\n".join(plain.aligned(details(job))))
        for heading, rows in ((FILES, files(job)), (CONVERSIONS, conversions(job))):
            if rows:
                click.echo("\n".join(["", *plain.aligned([heading, *rows])]))


def _main_file(job: many.Job) -> str:
    """Raises HtdlError (`no_file`) unless it is there, be it whole or not."""
    path: str | None = job["file_path"]
    if words.is_gone(job):
        raise HtdlError(
            f"the files of {many.called(job)} are gone", hint="add its source again", code="no_file"
        )
    if not path or not Path(path).exists():
        raise HtdlError(
            f"{many.called(job)} has no file yet" if not path else f"{path} is not there",
            hint=many.next_step(job),
            code="no_file",
        )
    return path
