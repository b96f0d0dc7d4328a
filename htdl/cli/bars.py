"""A progress bar as rich text: told apart by its shape as well as by its colour, for NO_COLOR."""

from __future__ import annotations

from rich.text import Text

FAINT = "dim default"  # not bright_black: Solarized has the background's own colour there


def bar(percent: float, width: int, style: str = "cyan") -> Text:
    """`width` cells.  Full only at 100, empty only at 0 or where half a cell would be too much."""
    halves = max(0, min(width * 2, int(percent * width * 2 / 100)))
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return Text(done, style=style).append("─" * (width - len(done)), style=FAINT)
