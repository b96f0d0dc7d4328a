"""A picture that is drawn over itself, on a terminal that may be resized meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text


@contextmanager
def drawn(
    out: Console, picture: Callable[[], Text], *, times_a_second: float, is_kept: bool = True
) -> Iterator[None]:
    """Draw it over and over while the block runs, and once more at its end; or take it away then."""
    with Live(
        console=out,
        get_renderable=redrawn(out, picture),
        refresh_per_second=times_a_second,
        transient=not is_kept,
    ):
        out.show_cursor()  # which Live has hidden, and who stops or kills this would not get back
        yield


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
