"""What may stand at the end of a command line that is still being typed.

click knows verbs, options and choices.  What it cannot know is here: jobs and their files, which a running
daemon is asked for, and the files of a .torrent.  It is asked at a press of a key: whatever goes wrong, the
answer is short.  No daemon is started, and none is waited for.

What is offered is text that a person types.  A name with a control character is no such text, and is left
out; no other needs care here, for each shell quotes what it inserts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from htdl.cli import words
from htdl.cli.app import App
from htdl.errors import HtdlError

PATIENCE_SECONDS = 0.3  # for one answer of the daemon
MOST_JOBS = 200  # more than a person reads
_LONGEST = 60  # characters of a name that only explains

_LIVING = ("PENDING", "DOWNLOADING", "CONVERTING", "PAUSED")
_ENDED = ("COMPLETED", "FAILED", "CANCELLED")
# Which jobs a verb can do anything to; all of them where it is not named.
_STATES: dict[str | None, Sequence[str]] = {
    "cancel": _LIVING,
    "pause": ("PENDING", "DOWNLOADING", "CONVERTING"),
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
    return _ARGUMENTS.get(parameter.metavar or "")


class _Offered(click.types.StringParamType):
    """The type of a parameter whose values `source` offers."""

    def __init__(self, source: Source, before: Sequence[str]) -> None:
        self._source = source
        self._before = before

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Item]:
        whole = ctx.find_root().params
        app = App(os.environ, config=whole["config"], socket=whole["socket"])
        app.client.timeout = PATIENCE_SECONDS
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
    """The short ids of the jobs that this verb takes, and the keys that video applications gave them."""
    for job in _listed(asked):
        short = words.short_id(job)
        own = job["id"] if len(asked.word) > len(short) else short
        says = " ".join(filter(None, (words.state(job), words.percent(job), words.name(job)[:_LONGEST])))
        for value in (own, job["video_id"]) if job["video_id"] != job["id"] else (own,):
            if value.startswith(asked.word) and value not in asked.before:
                yield Item(value, help=says)


def _listed(asked: Asked) -> list[dict[str, Any]]:
    try:
        return asked.app.jobs(_STATES.get(asked.verb, ()), MOST_JOBS)[0]
    except HtdlError:  # nobody answers
        return []


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
    return [(file["index"], file["path"]) for file in asked.app.job(name)["files"]]


def _torrents(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="torrent")


def _paths(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="file")


def _folders(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="dir")


def _both(first: Source, second: Source) -> Source:
    def both(asked: Asked) -> Iterator[Item]:
        yield from first(asked)
        yield from second(asked)

    return both


_KINDS = {"file": "files", "dir": "dirs", "torrent": "torrents"}
# By what the help calls them.
_ARGUMENTS: dict[str, Source] = {
    "ID": _jobs,
    "ID...": _jobs,
    "[ID]...": _jobs,
    "JOB...": _jobs,
    "[JOB]...": _jobs,
    "SOURCE...": _torrents,
    "ID|SOURCE": _both(_torrents, _jobs),
    "FILE|JOB...": _both(_paths, _jobs),
}
_OPTIONS: dict[str, Source] = {"--file": _files, "--output": _folders, "--before": _jobs}
