"""`htdl wait`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from htdl.cli import many
from htdl.cli.app import App
from htdl.cli.options import as_json, duration, examples, job_ids

if TYPE_CHECKING:
    from htdl.client import Until

_SAID = {"ready": "can be watched", "downloaded": "is downloaded", "completed": "is completed"}


@click.command(
    "wait", epilog=examples("htdl wait 3f2a", "htdl wait 3f2a --for ready --timeout 5m && mpv film.mkv")
)
@job_ids(required=True)
@click.option(
    "--for",
    "until",
    type=click.Choice(["ready", "downloaded", "completed"]),
    default="completed",
    show_default=True,
    help="Can be watched, is whole, or is whole and converted.",
)
@click.option("--timeout", type=duration, metavar="TIME", help="Wait no longer than this: 90, 90s, 5m, 1h.")
@as_json
@click.pass_obj
def command(app: App, ids: tuple[str, ...], until: Until, timeout: float | None, as_json: bool) -> int:
    """Return when the downloads are ready, downloaded or completed.

    Exits 7 when the time is over, 1 when one failed or was cancelled, 4 when there is no such download.
    """
    deadline = None if timeout is None else time.monotonic() + timeout

    def one(prefix: str) -> many.Job:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        job_id = app.job(prefix)["id"]
        app.client.wait(job_id, until, left)
        job = app.job(job_id)
        if not as_json:
            click.echo(f"{many.named(job)} {_SAID[until]}")
        return job

    done, code = many.each(ids, one, as_json=as_json)
    if as_json:
        many.print_jobs(done, single=len(ids) == 1)
    return code
