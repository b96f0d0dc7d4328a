"""`htdl url`."""

from __future__ import annotations

import click

from htdl.cli import files, streams
from htdl.cli.app import App
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text
from htdl.cli.words import printable


@click.command(
    "url",
    epilog=examples(
        'mpv "$(htdl url 3f2a)"',
        "htdl url 3f2a --file 'S01E02*'",
        "htdl url 3f2a --m3u",
        "htdl url 3f2a --json | jq .readiness",
    ),
)
@click.argument("prefix", metavar="ID")
@click.option("-f", "--file", "file", metavar="GLOB|N", help="Of this file; else of the main one.")
@click.option("--page", is_flag=True, help="Of the page that plays it in a browser.")
@click.option("--m3u", is_flag=True, help="Of the playlist with all its videos and subtitles.")
@as_json
@click.pass_obj
def command(app: App, prefix: str, file: str | None, page: bool, m3u: bool, as_json: bool) -> None:
    """Print the URL at which a download can be watched, while it arrives and later, by any player.

    It is served to this machine alone, and whoever has the URL can watch.
    """
    kind = _kind(page=page, m3u=m3u, is_of_one_file=file is not None, as_json=as_json)
    job = app.job(prefix)
    stream = streams.of(app, job, files.index(job, file))
    if as_json:
        click.echo(json_text(stream))
    else:
        click.echo(printable(streams.address(stream, job, kind)))


def _kind(*, page: bool, m3u: bool, is_of_one_file: bool, as_json: bool) -> streams.Kind:
    """Which URL is meant.  Raises UsageError."""
    if page and m3u:
        raise click.UsageError("--page and --m3u contradict each other")
    if as_json and (page or m3u):
        raise click.UsageError("--json holds all its URLs; leave out --page and --m3u")
    if m3u and is_of_one_file:
        raise click.UsageError("--m3u holds all its videos; leave out --file")
    return "page_url" if page else "m3u_url" if m3u else "url"
