"""A picture that is drawn over itself, on a terminal that may be resized meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text


def redrawn(out: Console, picture: Callable[[], Text]) -> Callable[[], Text]:
    """The same picture for a Live, on a clean screen once the terminal has become narrower.

    Then it has broken the lines that were drawn, or has not, as terminals differ; so nobody knows how many
    are to be drawn over, and Live would leave some of them standing.
    """
    width = out.width

    def draw() -> Text:
        nonlocal width
        before, width = width, out.width
        if width < before:
            out.clear()
        return picture()

    return draw
