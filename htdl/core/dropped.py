"""What was put into a watched folder, as seen from outside: when it is whole, and what it asks for.  Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import PurePath

from htdl.errors import BadSource
from htdl.jobs import AddRequest

TORRENT, MAGNET = ".torrent", ".magnet"
MAX_BYTES = {TORRENT: 10 << 20, MAGNET: 1 << 20}  # a .torrent as the engine takes it
MAX_MAGNETS = 1000  # in one file
REASON = ".reason.txt"

SETTLE_SECONDS = 1.0  # unchanged for so long: nobody writes it any more
# What cannot be taken may be half a copy that hangs: it is waited for so long, and no longer.
PATIENCE_SECONDS = 15.0

_NAME_BYTES = 255  # NAME_MAX of the usual file systems
_MAX_FAULTS = 20  # that are told of one file


@dataclass(frozen=True, slots=True)
class Look:
    """A file as a folder shows it.  `stamp` is its number, length and times: another one after any change."""

    name: str
    stamp: tuple[int, ...]
    is_file: bool  # no link, pipe or device


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file and what is known of it since it looks so.  `since` is in seconds of the caller's clock.

    `fault` is why it cannot be taken, unless it changes.  `trouble` is why it could not be taken just now,
    for no fault of its own: it is tried again.  `is_left`: it was taken and could not be put away.
    """

    look: Look
    since: float
    fault: str | None = None
    trouble: str | None = None
    is_left: bool = False


class Step(Enum):
    WAIT = auto()
    TAKE = auto()
    GIVE_UP = auto()


def kind(name: str) -> str | None:
    """TORRENT or MAGNET; None for what is not meant: hidden files are those that a program is writing."""
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix in MAX_BYTES and not name.startswith(".") else None


def follow(before: Mapping[str, Dropped], looks: Iterable[Look], now: float) -> dict[str, Dropped]:
    """What is known of these files: of one that looks as before, all; of another, nothing yet.  By name."""
    known = ((look, before.get(look.name)) for look in looks)
    return {x.name: old if old and old.look == x else Dropped(x, now) for x, old in known}


def step(file: Dropped, now: float, settle: float, patience: float) -> Step:
    age = now - file.since
    if file.is_left or age < settle:
        return Step.WAIT
    if file.fault is None:
        return Step.TAKE
    return Step.GIVE_UP if age >= patience else Step.WAIT


def is_due_soon(file: Dropped, now: float, settle: float) -> bool:
    """Whether its next step is a matter of seconds."""
    return not file.is_left and (file.fault is not None or now - file.since < settle)


def faulty(file: Dropped, faults: Iterable[str]) -> Dropped:
    lines = list(faults)
    more = [f"and {len(lines) - _MAX_FAULTS} more"] if len(lines) > _MAX_FAULTS else []
    return replace(file, fault="\n".join(lines[:_MAX_FAULTS] + more))


def requests(name: str, data: bytes, *, paused: bool) -> list[AddRequest]:
    """What a file asks for: one torrent, or a magnet each.  Raises BadSource."""
    suffix = kind(name) or ""
    if len(data) > MAX_BYTES[suffix]:
        raise BadSource(f"the file is larger than {MAX_BYTES[suffix] >> 20} MiB")
    if suffix == TORRENT:
        if not data:
            raise BadSource("the file is empty")
        return [AddRequest(torrent=data, paused=paused)]
    return [AddRequest(source=x, paused=paused) for x in magnets(data)]


def magnets(data: bytes) -> list[str]:
    """The magnets of a .magnet file: one or several in a line; a line that begins with # is a comment, and a
    space within a magnet is its own.  Raises BadSource that names the line.
    """
    found: list[str] = []
    for number, line in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        words = [] if line.lstrip().startswith("#") else line.split()
        if words and not _begins(words[0]):
            raise BadSource(f"line {number} is no magnet link")
        for word in words:
            if _begins(word):
                found.append(word)
            else:
                found[-1] += f" {word}"
        if len(found) > MAX_MAGNETS:
            raise BadSource(f"the file holds more than {MAX_MAGNETS:,} magnet links")
    if not found:
        raise BadSource("the file holds no magnet link")
    return found


def _begins(word: str) -> bool:
    return word[:8].lower() == "magnet:?"


def put_away_as(name: str, number: int) -> str:
    """The name of the file where it is put away, when that is the `number`th try: film.torrent,
    film.2.torrent, … short enough for its reason to stand beside it.
    """
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    end = (f".{number}" if number > 1 else "") + suffix
    room = _NAME_BYTES - len(os.fsencode(end)) - len(REASON)
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + end
