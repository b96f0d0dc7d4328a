"""What may stand at the end of a command line that is still being typed.

click knows verbs, options and choices.  What it cannot know is here: jobs and their files, which a running
daemon is asked for, and the files of a .torrent.  It is asked at a press of a key: whatever goes wrong, the
answer is short.  No daemon is started, and none is waited for.

What is offered is text that a person types.  A name with a control character is no such text, and is left
out; no other needs care here, for each shell quotes what it inserts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from htdl import paths
from htdl.cli import words
from htdl.cli.app import App
from htdl.cli.holder import holder
from htdl.errors import HtdlError, NoDaemon, NoSuchJob

PATIENCE_SECONDS = 0.3  # for one answer of the daemon
MOST_JOBS = 200  # more than a person reads
_LONGEST = 60  # characters of a name that only explains

_LIVING = ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED")
_ENDED = ("COMPLETED", "FAILED", "CANCELLED")
# Which jobs a verb can do anything to; all of them where it is not named.
_STATES: dict[str | None, Sequence[str]] = {
    "cancel": _LIVING,
    "limit": _LIVING,
    "pause": ("PENDING", "DOWNLOADING", "CONVERTING"),
    "priority": _LIVING,
    "resume": ("PAUSED",),
    "retry": _ENDED,
    "remove": _ENDED,
    "wait": _LIVING,
    "watch": _LIVING,
}

Item = CompletionItem


@dataclass(frozen=True, slots=True)
class Reply:
    """`words` are (what may stand there, what it is); `files` says which files may, too: "", "files", "dirs"
    or "torrents".
    """

    words: tuple[tuple[str, str], ...] = ()
    files: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A word of which `word` is the beginning, after those `before` it, for the verb `verb`."""

    app: App
    verb: str
    before: Sequence[str]
    word: str


Source = Callable[[Asked], Iterator[Item]]


def reply(group: click.Group, before: Sequence[str], word: str) -> Reply:
    """What may stand in place of `word`, which is unfinished, after the words `before` it."""
    context = click.Context(group)
    for name in before:
        verb = group.get_command(context, name)
        if verb is not None:
            _equip(verb, before)
    try:
        items = ShellComplete(group, {}, "htdl", "").get_completions([*before], word)
    except click.ClickException:  # the words before it make no sense
        return Reply()
    kinds = [_KINDS[item.type] for item in items if item.type in _KINDS]
    offered: dict[str, str] = {}
    for item in items:
        if item.type == "plain" and item.value.isprintable():
            offered.setdefault(item.value, item.help or "")
    return Reply(tuple(offered.items()), kinds[0] if kinds else "")


def source_of(parameter: click.Parameter) -> Source | None:
    """What offers the values of this argument or option, where click alone does not know them."""
    if isinstance(parameter, click.Option):
        return next((_OPTIONS[name] for name in parameter.opts if name in _OPTIONS), None)
    named = re.findall(r"\w+", parameter.metavar or "")
    sources = [_ARGUMENTS[word] for word in dict.fromkeys(named) if word in _ARGUMENTS]
    choices = [word for word in named if word.islower()]
    if choices:
        sources.append(lambda asked: (Item(x) for x in choices if x.startswith(asked.word)))
    return _all_of(sources) if sources else None


class _Offered(click.types.StringParamType):
    """The type of a parameter whose values `source` offers."""

    def __init__(self, source: Source, before: Sequence[str]) -> None:
        self._source = source
        self._before = before

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Item]:
        whole = ctx.find_root().params
        app = App(os.environ, config=whole["config"], socket=whole["socket"])
        return list(self._source(Asked(app, ctx.command.name or "", self._before, incomplete)))


def _equip(command: click.Command, before: Sequence[str]) -> None:
    """Have the parameters of this command, and of those below it, offer their values."""
    for parameter in command.params:
        source = source_of(parameter)
        if source is not None:
            parameter.type = _Offered(source, before)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            below.short_help = below.get_short_help_str(limit=200)
            _equip(below, before)


def _jobs(asked: Asked) -> Iterator[Item]:
    """The short ids of the jobs that this verb takes, and the keys that video applications gave them; or
    where none begins so, the ids of those that are named so.
    """
    try:
        app, states = _asking(asked.app), _STATES.get(asked.verb, ())
        jobs, total = app.jobs(states, MOST_JOBS)
        items = [x for job in jobs for x in _named(job, asked) if x.value.startswith(asked.word)]
        if not items and asked.word:
            jobs = _far(app, asked.word) if total > MOST_JOBS else []
            jobs = jobs or app.jobs(states, MOST_JOBS, name=asked.word)[0]
            items = [next(_named(job, asked)) for job in jobs]
    except HtdlError:  # nobody answers
        return
    yield from (x for x in items if x.value not in asked.before)


def _named(job: words.JobObject, asked: Asked) -> Iterator[Item]:
    """The id, whole where more than the short one is typed; and the video's id where it is another."""
    short = words.short_id(job)
    says = " ".join(filter(None, (words.state(job), words.percent(job), words.name(job)[:_LONGEST])))
    yield Item(
        job["id"] if job["id"].startswith(asked.word) and len(asked.word) > len(short) else short, help=says
    )
    if job["video_id"] != job["id"]:
        yield Item(job["video_id"], help=says)


def _far(app: App, word: str) -> list[dict[str, Any]]:
    """The one job that begins so, beyond those that were listed."""
    try:
        return [app.job(word)]
    except NoSuchJob:
        return []


def _asking(app: App) -> App:
    """The app, for a question that starts no daemon: a socket of systemd's does that for whoever connects.

    Raises NoDaemon where none runs.
    """
    if "HTDL_SOCKET" not in app.environ and holder(app) is None:
        from htdl.cli.systemctl import SERVICE, Systemd

        is_there = paths.SYSTEM_SOCKET.exists()
        if not is_there or Systemd(of_user=False, environ=app.environ).units()[SERVICE].active != "active":
            raise NoDaemon("no daemon runs")
        app = App(app.environ, config=None, socket=paths.SYSTEM_SOCKET)
    app.client.timeout = PATIENCE_SECONDS
    return app


def _files(asked: Asked) -> Iterator[Item]:
    """The files of what stands on the line: by number, or by name where one is begun."""
    word = asked.word
    is_number = not word or word.isdecimal()
    for number, path in _files_on_line(asked):
        names = (str(number),) if is_number else (path, path.rpartition("/")[2])
        for value in names:
            if value.startswith(word):
                yield Item(value, help=words.printable(path) if is_number else f"file {number}")


def _files_on_line(asked: Asked) -> list[tuple[int, str]]:
    """Those of the first word that names a .torrent here, or a job."""
    for name in asked.before:
        try:
            if files := _files_of(asked, name):
                return files
        except (HtdlError, OSError):  # it names neither, or nobody answers
            continue
    return []


def _files_of(asked: Asked, name: str) -> list[tuple[int, str]]:
    from htdl.cli import torrent_files

    if name.endswith(".torrent"):
        return list(torrent_files.read(Path(name).expanduser()))
    if name == asked.verb or name.startswith("-") or asked.verb == "add":
        return []
    return [(file["index"], file["path"]) for file in _asking(asked.app).job(name)["files"]]


def _torrents(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="torrent")


def _paths(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="file")


def _folders(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="dir")


def _all_of(sources: Sequence[Source]) -> Source:
    return lambda asked: chain.from_iterable(source(asked) for source in sources)


_KINDS = {"file": "files", "dir": "dirs", "torrent": "torrents"}
# By what the help calls them: SOURCE..., FILE|JOB...
_ARGUMENTS: dict[str, Source] = {"ID": _jobs, "JOB": _jobs, "SOURCE": _torrents, "FILE": _paths}
_OPTIONS: dict[str, Source] = {"--file": _files, "--output": _folders, "--before": _jobs}
