from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from htdl.cli.redraw import drawn, redrawn


def test_the_cursor_is_there_while_it_is_drawn() -> None:
    file = io.StringIO()
    out = Console(file=file, width=80, force_terminal=True, _environ={})
    with drawn(out, lambda: Text("picture"), times_a_second=1):
        before = file.getvalue()
    assert before.rfind("\x1b[?25h") > before.rfind("\x1b[?25l")
    assert "picture" in file.getvalue()


def test_a_narrower_terminal_is_cleaned_once() -> None:
    file = io.StringIO()
    out = Console(file=file, width=80, force_terminal=True, _environ={})
    draw = redrawn(out, lambda: Text("picture"))
    for width, is_cleaned in ((80, False), (50, True), (50, False), (90, False), (89, True)):
        out.width = width
        file.truncate(file.seek(0))
        assert draw().plain == "picture"
        assert ("\x1b[2J" in file.getvalue()) is is_cleaned, width
