"""What may stand for a word that is there and that click cannot know: downloads, their files, and paths.

A download and its files are asked of a daemon that runs; the files of a .torrent are read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.shell_completion import CompletionItem as Item

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


@dataclass(frozen=True, slots=True)
class Asked:
    """A word of which `word` is the beginning, after those `before` it, for the verb `verb`."""

    app: App
    verb: str
    before: Sequence[str]
    word: str


Source = Callable[[Asked], Iterator[Item]]


def jobs(asked: Asked) -> Iterator[Item]:
    """The short ids of the jobs that this verb takes, and the keys that video applications gave them; or
    where none begins so, the ids of those that are named so.
    """
    try:
        app, states = _asking(asked.app), _STATES.get(asked.verb, ())
        found, total = app.jobs(states, MOST_JOBS)
        items = [x for job in found for x in _named(job, asked) if x.value.startswith(asked.word)]
        if not items and asked.word:
            found = _far(app, asked.word) if total > MOST_JOBS else []
            found = found or app.jobs(states, MOST_JOBS, name=asked.word)[0]
            items = [next(_named(job, asked)) for job in found]
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
    from htdl.client import Client

    app.client = Client(app.socket, PATIENCE_SECONDS)
    return app


def files(asked: Asked) -> Iterator[Item]:
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
            if found := _files_of(asked, name):
                return found
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


def torrents(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="torrent")


def paths_here(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="file")


def folders(asked: Asked) -> Iterator[Item]:
    yield Item(asked.word, type="dir")
