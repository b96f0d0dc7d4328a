"""One verb for several things: each is tried, each fault is told, the first one decides the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from htdl.cli import boundary, words
from htdl.cli.app import App
from htdl.cli.output import json_text
from htdl.errors import HtdlError, NoDaemon

T = TypeVar("T")
Job = dict[str, Any]


def each(things: Iterable[T], action: Callable[[T], Job], *, as_json: bool) -> tuple[list[Job], int]:
    """What the action returned where it went well, and the exit code of the first fault, else 0.

    Raises NoDaemon at once: what is not there for one is there for none.
    """
    done: list[Job] = []
    code = 0
    for thing in things:
        try:
            done.append(action(thing))
        except NoDaemon:
            raise
        except HtdlError as exc:
            boundary.tell(exc, as_json)
            code = code or exc.exit_code
    return done, code


def act(
    app: App,
    verb: str,
    ids: Sequence[str],
    said: Callable[[Job], str],
    *,
    as_json: bool,
    single: bool,
    body: Any = None,
) -> int:
    """Do one verb to jobs and say so, a line each; returns the exit code.  `single` prints a JSON object."""

    def one(prefix: str) -> Job:
        job = app.act(verb, prefix, body)
        if not as_json:
            click.echo(said(job))
        return job

    done, code = each(ids, one, as_json=as_json)
    if as_json:
        print_jobs(done, single=single)
    elif not ids:
        click.echo("there is nothing to do")
    return code


def followed(app: App, jobs: Sequence[Job], *, as_json: bool) -> int:
    """Follow what was begun to its end; returns the exit code, 0 where nothing was."""
    from htdl.cli.watch import follow

    return follow(app, [job["id"] for job in jobs], as_json=as_json) if jobs else 0


def print_jobs(jobs: Sequence[Job], *, single: bool) -> None:
    """The object where one was asked for, nothing where that failed; else an array."""
    if not single:
        click.echo(json_text(jobs))
    elif jobs:
        click.echo(json_text(jobs[0]))


def named(job: words.JobObject) -> str:
    return f"{words.short_id(job)}  {words.name(job)}"


def called(job: words.JobObject) -> str:
    """A job in the middle of a sentence."""
    return f"job {words.short_id(job)} ({words.name(job)})"


def next_step(job: words.JobObject) -> str:
    """What to do about a job that has no file yet."""
    if words.has_ended(job):
        return f"begin it again with: htdl retry {words.short_id(job)}"
    return f"wait for it with: htdl wait {words.short_id(job)} --for ready"


def chosen(
    app: App, ids: Sequence[str], everything: bool, status: Sequence[str], *, backwards: bool = False
) -> list[str]:
    """The ids given, or with --all those of every job in one of these states.  Raises UsageError.

    Where all are to stop, `backwards` begins with who waits: none begins in a slot that another leaves.
    """
    if everything == bool(ids):
        raise click.UsageError(
            "name the downloads by id, or say --all" if not ids else "give ids or --all, not both"
        )
    if not everything:
        return list(ids)
    found = [job["id"] for job in app.jobs(status)[0]]
    return found[::-1] if backwards else found
