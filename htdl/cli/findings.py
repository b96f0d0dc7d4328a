"""How what `htdl doctor` has found is shown."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass

import click

from htdl.answers import Finding, Level
from htdl.cli.words import printable

MARKS = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}
_NAME_WIDTH = 13  # "peers_choking"
_WIDEST = 100  # cells of a line that is read with ease
_NO_TERMINAL = 10_000  # what is piped is not wrapped


@dataclass(frozen=True, slots=True)
class Style:
    """`width` in cells.  A mark says how bad it is where it `is_drawn`, else a word."""

    width: int
    is_drawn: bool
    is_coloured: bool = False


def lines(one: Finding, style: Style) -> list[str]:
    """How bad it is, the name and the words; what to do below them."""
    mark, colour = MARKS[one.level]
    head = f"{mark if style.is_drawn else one.level.ljust(4)} {printable(one.name).ljust(_NAME_WIDTH)} "
    margin = " " * len(head)
    room = style.width - len(head)
    first, *more = [part for x in one.words.splitlines() for part in _wrapped(printable(x), room)] or [""]
    told = _wrapped(printable(one.hint), room - 2) if one.level is not Level.OK else []
    hint = [("  " if n else "→ ") + part for n, part in enumerate(told)]
    styled = click.style(head, fg=colour) if style.is_coloured else head
    return [styled + first, *(margin + part for part in (*more, *hint))]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width), break_long_words=False, break_on_hyphens=False)


def style(*, is_drawn: bool, is_coloured: bool) -> Style:
    """For a terminal where it is to be drawn."""
    width = min(_WIDEST, shutil.get_terminal_size().columns) if is_drawn else _NO_TERMINAL
    return Style(width, is_drawn=is_drawn, is_coloured=is_drawn and is_coloured)


def summed_up(found: list[Finding]) -> str:
    count = {level: sum(one.level is level for one in found) for level in Level}
    if not (count[Level.WARN] or count[Level.FAIL]):
        return "nothing is wrong"
    return f"{count[Level.FAIL]} wrong, {count[Level.WARN]} to look at, {count[Level.OK]} well"
