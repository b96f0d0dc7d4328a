"""`htdl add`."""

from __future__ import annotations

import sys
from typing import Any

import click

from htdl.cli import boundary, many, sources
from htdl.cli.app import App
from htdl.cli.options import as_json, examples, priority, speed
from htdl.errors import NoDaemon

_EXAMPLES = examples(
    "htdl add 'magnet:?xt=urn:btih:...'",
    "htdl add film.torrent --watch",
    "htdl add series.torrent --file 'S01E0[1-3]*' --max-down 2M",
    "curl -s https://example.org/film.torrent | htdl add -",
)

_OPTIONS = {
    "files": "--file",
    "all_files": "--all-files",
    "priority": "--priority",
    "paused": "--paused",
    "max_download_speed": "--max-down",
    "max_upload_speed": "--max-up",
    "video_id": "--video-id",
    "torrent_id": "--torrent-id",
}


@click.command("add", epilog=_EXAMPLES)
@click.argument("given", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-w", "--watch", is_flag=True, help="Follow it; Ctrl-C stops following, not the download.")
@click.option("-f", "--file", "files", multiple=True, metavar="GLOB|N", help="Only these files (repeatable).")
@click.option("--all-files", is_flag=True, help="All files, not just the videos and their subtitles.")
@click.option(
    "-p",
    "--priority",
    type=priority,
    default="normal",
    metavar="N",
    help="high, low or a number: higher goes first.",
)
@click.option("--paused", is_flag=True, help="Add it, but do not begin.")
@click.option("--max-down", type=speed, metavar="SPEED", help="Most to download in a second, as 500K or 2M.")
@click.option("--max-up", type=speed, metavar="SPEED", help="Most to upload in a second.")
@click.option("--video-id", metavar="ID", help="A video application's own key.")
@click.option("--torrent-id", metavar="ID", help="A video application's own key.")
@click.option("--no-start", is_flag=True, help="Do not start a daemon when none answers.")
@click.option("-q", "--quiet", is_flag=True, help="Print the ids only, one a line.")
@as_json
@click.pass_obj
def command(
    app: App,
    /,
    given: tuple[str, ...],
    watch: bool,
    no_start: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Download from each SOURCE: a magnet link, an info-hash, a URL, or a .torrent file (- reads one from a
    pipe).

    Unless you choose with --file, a torrent's videos are taken with their subtitles.  In a SPEED, K and M
    count in 1024 bytes, and a bare number is in KB a second.
    """
    fields = _fields(given, **options)

    def one(source: str) -> many.Job:
        job, existed = add(app, {**fields, **sources.read(source, sys.stdin.buffer)}, start=not no_start)
        if quiet:
            click.echo(job["id"])
        elif not as_json:
            click.echo(f"{'already here:' if existed else 'added'} {many.named(job)}")
        if existed and (ignored := _ignored(fields, job)):
            boundary.warn(
                f"{many.called(job)} keeps its own options; not applied: {', '.join(ignored)}", as_json
            )
        return job

    jobs, code = many.each(given, one, as_json=as_json)
    if as_json and not quiet:
        many.print_jobs(jobs, single=len(given) == 1)
    return many.followed(app, jobs, as_json=as_json) or code if watch else code


def _fields(
    given: tuple[str, ...],
    *,
    files: tuple[str, ...],
    all_files: bool,
    priority: int,
    paused: bool,
    max_down: int | None,
    max_up: int | None,
    video_id: str | None,
    torrent_id: str | None,
) -> dict[str, Any]:
    """The fields of AddRequest that do not depend on the source.  Raises UsageError."""
    if files and all_files:
        raise click.UsageError("--file and --all-files contradict each other")
    if len(given) > 1 and (video_id or torrent_id):
        raise click.UsageError("--video-id and --torrent-id name one download; give one source")
    fields = {
        "files": files,
        "all_files": all_files,
        "priority": priority,
        "paused": paused,
        "max_download_speed": max_down,
        "max_upload_speed": max_up,
        "video_id": video_id,
        "torrent_id": torrent_id,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _ignored(asked: dict[str, Any], job: many.Job) -> list[str]:
    """The options that were given and are not so for this job, which was here before."""
    own = {
        **job,
        "files": tuple(job["selection"]),
        "all_files": job["selection"] == ["*"],
        "paused": job["wish"] == "PAUSE",
    }
    return [option for key, option in _OPTIONS.items() if asked.get(key) and asked[key] != own[key]]


def add(app: App, body: dict[str, Any], *, start: bool) -> tuple[many.Job, bool]:
    """The job, and whether it was there before.  Starts a daemon when none answers and `start` allows it."""
    try:
        job, headers = app.request("POST", "/jobs", body)
    except NoDaemon:
        if not start:
            raise
        from htdl.cli import background

        background.start(app)
        job, headers = app.request("POST", "/jobs", body)
    from htdl.wire import EXISTING_HEADER

    return job, headers.get(EXISTING_HEADER) == "true"
