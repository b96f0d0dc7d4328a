"""Arguments and options that several verbs share, so that they look the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from htdl.cli import units

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def as_json(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def job_ids(*, required: bool) -> Callable[[F], F]:
    return click.argument("ids", nargs=-1, required=required, metavar="ID..." if required else "[ID]...")


def examples(*lines: str) -> str:
    """An epilog; click keeps the line breaks of a paragraph that begins with \\b."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def speed(text: str) -> int:
    """An option's type: bytes a second, -1 for none."""
    from htdl import rates

    return _read(rates.parse, text)


def priority(text: str) -> int:
    """An option's type: higher goes first."""
    from htdl.cli import levels

    return _read(levels.parse, text)


def duration(text: str) -> float:
    """An option's type: seconds."""
    return _read(units.parse_duration, text)


def moment(text: str) -> float:
    """An option's type: seconds from the beginning of a video."""
    return _read(units.parse_moment, text)


def _read(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as exc:  # click would print the value alone, and lose the words
        raise click.BadParameter(str(exc)) from exc
