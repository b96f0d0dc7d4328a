"""`htdl convert`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import click

from htdl.cli import many
from htdl.cli.app import App, job_path
from htdl.cli.options import as_json, examples, priority
from htdl.errors import BadSource, NoDaemon, NoSuchJob

_EXAMPLES = examples(
    "htdl convert film.mkv",
    "htdl convert *.avi --to webm --output ~/Videos",
    "htdl convert 3f2a --audio eng --audio deu -w",
    "htdl convert film.mkv --dry-run",
)

Body = dict[str, Any]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is wanted of every FILE and JOB; `file` is that of a job's files whose plan is shown."""

    wanted: Body
    priority: int | None
    file: int | None
    start: bool


@click.command("convert", epilog=_EXAMPLES)
@click.argument("given", nargs=-1, required=True, metavar="FILE|JOB...")
@click.option(
    "--to",
    "format_",
    type=click.Choice(["mp4", "webm", "original"]),
    help="The container; as configured if not set.",
)
@click.option(
    "--codec", type=click.Choice(["h264", "vp9", "av1"]), help="What a picture becomes that cannot be copied."
)
@click.option(
    "--audio", multiple=True, metavar="LANG", help="Only these languages; the first is the default."
)
@click.option("-o", "--output", metavar="DIR", help="Where results go, instead of the folder for videos.")
@click.option("--keep", is_flag=True, help="Keep the source beside the result, also when space is short.")
@click.option("-p", "--priority", type=priority, metavar="N", help="Of new jobs: high, low or a number.")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be done, and why; begin nothing.")
@click.option("-f", "--file", type=int, metavar="N", help="With --dry-run: this file of a download.")
@click.option("-w", "--watch", is_flag=True, help="Follow it; Ctrl-C stops following, not the conversion.")
@click.option("--no-start", is_flag=True, help="Do not start a daemon when none answers.")
@click.option("-q", "--quiet", is_flag=True, help="Print the ids only, one a line.")
@as_json
@click.pass_obj
def command(
    app: App,
    /,
    given: tuple[str, ...],
    priority: int | None,
    dry_run: bool,
    file: int | None,
    watch: bool,
    no_start: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Make a video that every browser plays of each FILE, or of each JOB once more.

    A FILE becomes a job of its own.  A download that is not whole yet is converted so when its turn comes.
    What plays already is copied and not encoded again.  The source is never touched.
    """
    if file is not None and not dry_run:
        raise click.UsageError("--file goes with --dry-run: all videos of a download are converted")
    asked = _Asked(_wanted(**options), priority, file, start=not no_start)
    if dry_run:
        return _show_plans(app, given, asked, as_json=as_json)

    def one(name: str) -> many.Job:
        job, is_new = _convert(app, name, asked)
        if quiet:
            click.echo(job["id"])
        elif not as_json:
            click.echo(f"{_said(job, is_new)} {many.named(job)}")
        return job

    jobs, code = many.each(given, one, as_json=as_json)
    if as_json and not quiet:
        many.print_jobs(jobs, single=len(given) == 1)
    return many.followed(app, jobs, as_json=as_json) or code if watch else code


def _wanted(
    *, format_: str | None, codec: str | None, audio: tuple[str, ...], output: str | None, keep: bool
) -> Body:
    """The fields of Wanted that are given."""
    folder = output and os.path.abspath(os.path.expanduser(output))  # noqa: PTH100, PTH111 - of text, which the daemon reads
    fields = {"format": format_, "codec": codec, "audio": audio, "output": folder, "keep": keep}
    return {name: value for name, value in fields.items() if value}


def _said(job: many.Job, is_new: bool) -> str:
    if not is_new:
        return "already being converted:"
    is_near = job["status"] == "CONVERTING" or not job["info_hash"]
    return "converting" if is_near else "noted, converts when it is downloaded:"


def _convert(app: App, name: str, asked: _Asked) -> tuple[many.Job, bool]:
    """The job, and whether anything was begun by this."""
    if not _is_file(name):
        return _job(app, name, "POST", "/convert", asked)[0], True
    from htdl.wire import EXISTING_HEADER

    body = _file_body(name, asked)
    if asked.priority is not None:
        body["priority"] = asked.priority
    job, headers = _ask(app, "POST", "/conversions", body, asked)
    return job, headers.get(EXISTING_HEADER) != "true"


def _show_plans(app: App, given: tuple[str, ...], asked: _Asked, *, as_json: bool) -> int:
    def one(name: str) -> Object:
        plan = _plan(app, name, asked)
        if not as_json:
            shown = {**plan, "is_here": _is_file(name)}
            _print_plan(name, shown, is_first=name == given[0], is_only=len(given) == 1)
        return plan

    plans, code = many.each(given, one, as_json=as_json)
    if as_json:
        many.print_jobs(plans, single=len(given) == 1)
    return code


def _plan(app: App, name: str, asked: _Asked) -> Object:
    if _is_file(name):
        plan: Object = _ask(app, "POST", "/plans", _file_body(name, asked), asked)[0]
        return plan
    fields = {**asked.wanted, "audio": ",".join(asked.wanted.get("audio", ())), "file": asked.file}
    query = {x: fields[x] for x in ("file", "format", "codec", "audio") if fields.get(x) not in {None, ""}}
    return _job(app, name, "GET", f"/plan?{urlencode(query)}", asked)[0]


def _print_plan(name: str, plan: Object, *, is_first: bool, is_only: bool) -> None:
    from htdl.cli import plan_words
    from htdl.cli.output import console, is_terminal
    from htdl.cli.words import printable

    if not is_only:
        click.echo(f"{'' if is_first else chr(10)}{printable(name)}")
    if not is_terminal():
        click.echo("\n".join(plan_words.lines(plan)))
        return
    out = console()
    for line in plan_words.drawing(plan, out.width):
        out.print(line)


def _is_file(name: str) -> bool:
    """What has a slash is a path; so is what lies here under this name and is no folder.

    Raises BadSource for what can be neither a file nor a job.
    """
    if "://" in name:
        raise BadSource(f"{name!r} is an address", hint="htdl add fetches it and converts it")
    if "." in name and os.path.isdir(name):  # noqa: PTH112 - as below
        raise BadSource(f"{name!r} is a folder", hint="name the videos in it")
    return "/" in name or (os.path.lexists(name) and not os.path.isdir(name))  # noqa: PTH112 - Path's differ on odd names


def _file_body(name: str, asked: _Asked) -> Body:
    """Raises BadSource for a name that cannot be said in JSON."""
    path = os.path.abspath(name)  # noqa: PTH100 - Path's keeps "..", and the daemon lives elsewhere
    try:
        path.encode()
    except UnicodeEncodeError as exc:
        raise BadSource(f"the name of {name!r} is not UTF-8", hint="rename it first") from exc
    return {**asked.wanted, "path": path}


def _job(app: App, name: str, method: str, rest: str, asked: _Asked) -> tuple[Object, Mapping[str, str]]:
    """Raises BadSource for what is neither a job nor a file, and looks like a file."""
    body = asked.wanted if method == "POST" else None
    try:
        return _ask(app, method, f"{job_path(name)}{rest}", body, asked)
    except NoSuchJob as exc:
        if exc.code != "no_such_job" or "." not in name:
            raise
        raise BadSource(
            f"{name!r} is no job, and no such file exists", hint="give the path of a video, or a job's id"
        ) from exc


def _ask(app: App, method: str, path: str, body: Any, asked: _Asked) -> tuple[Object, Mapping[str, str]]:
    """Starts a daemon when none answers, where that is allowed."""
    try:
        return app.request(method, path, body)
    except NoDaemon:
        if not asked.start:
            raise
        from htdl.cli import background

        background.start(app)
        return app.request(method, path, body)
