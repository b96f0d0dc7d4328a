"""`htdl url`."""

from __future__ import annotations

import click

from htdl.cli import files, streams
from htdl.cli.app import App
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text, path_text


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
@click.option("--page", "kind", flag_value="page_url", help="Of the page that plays it in a browser.")
@click.option(
    "--m3u", "kind", flag_value="m3u_url", help="Of the playlist with all its videos and subtitles."
)
@as_json
@click.pass_obj
def command(app: App, prefix: str, file: str | None, kind: streams.Kind | None, as_json: bool) -> None:
    """Print the URL at which a download can be watched, while it arrives and later, by any player.

    It is served to this machine alone, and whoever has the URL can watch.
    """
    job = app.job(prefix)
    stream = streams.of(app, job, files.index(job, file))
    if as_json:
        click.echo(json_text(stream))
    else:
        click.echo(path_text(streams.address(stream, job, kind or "url")))
