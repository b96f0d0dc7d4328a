"""Where output goes: a terminal gets rich's drawing, all else plain lines; and JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from htdl.cli.words import printable

if TYPE_CHECKING:
    from rich.console import Console


def is_terminal() -> bool:
    """Whether drawing makes sense: a terminal that can move its cursor and shows box characters."""
    out = sys.stdout
    return (
        out is not None
        and out.isatty()
        and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
        and (out.encoding or "").lower().replace("-", "") == "utf8"
    )


def can_ask() -> bool:
    """Whether a person can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()


def path_text(path: str) -> str:
    """A path for a terminal is harmless, for a pipe it is exact."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    return printable(path) if on_terminal else path


def console() -> Console:
    """Rich on standard output.  It reads no markup: what it prints comes from strangers."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)


def json_text(value: Any) -> str:
    """JSON in ASCII, which no terminal obeys; indented where a person reads it.

    Piped it is one line: with `indent` the encoder is Python's own, and slow for thousands of jobs.
    """
    return json.dumps(value, indent=2 if is_terminal() else None)


def json_line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
