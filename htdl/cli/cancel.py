"""`htdl cancel`."""

from __future__ import annotations

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, job_ids
from htdl.cli.output import can_ask
from htdl.cli.words import printable


@click.command(
    "cancel", epilog=examples("htdl cancel 3f2a", "htdl cancel 3f2a --delete", "htdl cancel --all --yes")
)
@job_ids(required=False)
@click.option("--all", "everything", is_flag=True, help="Every download that is not done; asks first.")
@click.option("--delete", is_flag=True, help="Remove the downloaded data too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], everything: bool, delete: bool, yes: bool, as_json: bool) -> int:
    """Stop downloads for good.  The data stays unless --delete is given; retry begins again.

    With --delete it also removes the data of a download that has ended already.
    """
    if everything and not yes and (as_json or not can_ask()):
        raise click.UsageError("there is nobody to ask; say --yes to cancel every download")
    single = len(ids) == 1
    states = ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED")
    targets = many.chosen(app, ids, everything, states, backwards=True)
    if everything and targets and not yes and not _confirmed(len(targets), delete):
        click.echo("nothing was cancelled", err=True)
        return 1

    def said(job: many.Job) -> str:
        ended = "cancelled" if job["status"] not in {"COMPLETED", "FAILED"} else "stopped"
        return f"{ended} {many.named(job)}" + (f"\n  {_removed(job)}" if delete else "")

    return many.act(app, "cancel", targets, said, as_json=as_json, single=single, body={"delete": delete})


def _confirmed(count: int, delete: bool) -> bool:
    what = "1 download" if count == 1 else f"{count} downloads"
    try:
        return click.confirm(f"Cancel {what}{' and remove the data' if delete else ''}?", err=True)
    except click.Abort:  # a Ctrl-C or Ctrl-D stays in the line of the question
        click.echo(err=True)
        raise


def _removed(job: many.Job) -> str:
    if not job.get("info_hash"):
        return "what was made of it is removed; the file itself stays"
    return f"its data is removed: {printable(job['save_path'])}"
