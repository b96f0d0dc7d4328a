"""`htdl limit`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import click

from htdl.cli import many, plain, units, words
from htdl.cli.app import App, job_path
from htdl.cli.options import as_json, examples, job_ids, speed
from htdl.cli.output import json_text
from htdl.cli.words import printable
from htdl.errors import NoSuchJob

_WAYS = (("down", "download"), ("up", "upload"))
_BY = {"configuration": "by the configuration", "schedule": "by the schedule", "hand": "set by hand"}
_SHOWN = 100  # jobs with limits of their own


@click.command(
    "limit",
    epilog=examples(
        "htdl limit", "htdl limit --down 2M --up 500K", "htdl limit --reset", "htdl limit 3f2a --down 1.5M"
    ),
)
@job_ids(required=False)
@click.option("--down", type=speed, metavar="SPEED", help="Most to download in a second, as 500K or none.")
@click.option("--up", type=speed, metavar="SPEED", help="Most to upload in a second.")
@click.option("--reset", is_flag=True, help="Go back to what is configured; of a download, to no limit.")
@as_json
@click.pass_obj
def command(
    app: App, ids: tuple[str, ...], down: int | None, up: int | None, reset: bool, as_json: bool
) -> int:
    """Limit the speed of all downloads together, or of those named; alone, say what holds now and why.

    A limit of all holds over restarts until the configuration says something else: it is edited, or an hour
    of its schedule begins or ends.  In a SPEED, K and M count in 1024 bytes, and a bare number is in KB a
    second.
    """
    if ids:
        return _limit_jobs(app, ids, _patch(down, up, reset), as_json=as_json)
    asked = {"max_download_speed": down, "max_upload_speed": up}
    body = {key: value for key, value in asked.items() if value is not None} | (
        {"reset": True} if reset else {}
    )
    limits = app.call("POST", "/limit", body) if body else app.call("GET", "/limit")
    if as_json:
        click.echo(json_text(limits))
    else:
        click.echo("\n".join(_lines(limits)))
    return 0


def _patch(down: int | None, up: int | None, reset: bool) -> dict[str, int]:
    none = -1 if reset else None
    asked = {
        "max_download_speed": none if down is None else down,
        "max_upload_speed": none if up is None else up,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _limit_jobs(app: App, ids: tuple[str, ...], patch: dict[str, int], *, as_json: bool) -> int:
    def one(prefix: str) -> many.Job:
        try:
            job: many.Job = app.call("PATCH", job_path(prefix), patch) if patch else app.job(prefix)
        except NoSuchJob as exc:
            raise _meant(prefix, exc) from exc
        if not as_json:
            click.echo(f"{many.named(job)}: {_of_job(job)}")
        return job

    done, code = many.each(ids, one, as_json=as_json)
    if as_json:
        many.print_jobs(done, single=len(ids) == 1)
    return code


def _meant(prefix: str, error: NoSuchJob) -> NoSuchJob:
    """The error, with another hint where a speed was given for an id."""
    from htdl import rates

    with contextlib.suppress(ValueError):
        rates.parse(prefix)
        return NoSuchJob(error.message, hint=f"to limit all downloads: htdl limit --down {prefix}")
    return error


def _lines(limits: Mapping[str, Any]) -> list[str]:
    """What holds each way, then the jobs with limits of their own."""
    lines = plain.aligned([(word, _sentence(limits[way])) for word, way in _WAYS])
    jobs = limits["jobs"]
    lines += [f"{words.short_id(job)}  {_of_job(job)}  {words.name(job)}" for job in jobs[:_SHOWN]]
    return lines + ([f"... and {len(jobs) - _SHOWN} more"] if len(jobs) > _SHOWN else [])


def _sentence(limit: Mapping[str, Any]) -> str:
    """ "500 KiB/s until 18:00, by the schedule (mon-fri 08:00-18:00 down=500)" """
    by, rule = _BY.get(limit["by"], printable(limit["by"])), limit["rule"]
    until = f" until {_moment(limit['until'])}" if limit["until"] else ""
    return f"{_speed(limit['speed'])}{until}, {by}" + (f" ({printable(rule)})" if rule else "")


def _moment(text: str) -> str:
    """A local time of the days to come, as people say it: "18:00", "Mon 08:00"."""
    from datetime import datetime

    then, now = datetime.fromisoformat(text), datetime.now().astimezone()
    return then.strftime("%H:%M" if then.date() == now.date() else "%a %H:%M")


def _of_job(job: Mapping[str, Any]) -> str:
    told = [f"{units.speed(limit)} {word}" for word, way in _WAYS if (limit := job[f"max_{way}_speed"]) >= 0]
    return ", ".join(told) or "no limit"


def _speed(bytes_a_second: int) -> str:
    return units.speed(bytes_a_second) if bytes_a_second >= 0 else "no limit"
