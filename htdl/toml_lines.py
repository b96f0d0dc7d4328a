"""On which line of a TOML text each key stands, which tomllib does not tell.  Pure.

Only for text that tomllib has read: what is wrong with it is told there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Key = tuple[str, ...]

# TOML 1.0: a multi-line string may end with two quotes of its own; then the single-line kinds, comments, the
# marks, bare keys and values, and whatever else.
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*'''
    r"""|[\n\[\]{}=.,]|[^\s\[\]{}=.,"'\#]+|[ \t\r]+|.""",
    re.DOTALL,
)
_OPEN, _CLOSE = {"[", "{"}, {"]", "}"}


def lines(text: str) -> dict[Key, int]:
    """By key, ("torrent", "max_connections"), the line of its first letter, from 1; of tables too."""
    found: dict[Key, int] = {}
    table: Key = ()
    for line, statement in _statements(text):
        if statement[0] == "[":
            table = _name(statement)
            found.setdefault(table, line)
        else:
            name = table + _name(statement[: statement.index("=")])
            for length in range(len(table) + 1, len(name) + 1):
                found.setdefault(name[:length], line)
    return found


def quoted(text: str, error: str) -> str:
    """Below the words of tomllib's error the line that it names, or nothing."""
    match = re.search(r"\(at line (\d+), column \d+\)", error)
    line = text.split("\n")[int(match[1]) - 1].strip() if match else ""
    return f"\n  line {match[1]}: {line[:100]}" if match and line else ""


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each header and each key with its value: its line, and its tokens without space and comments."""
    line, began, depth = 1, 1, 0
    pieces: list[str] = []
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece == "\n" and not depth:
            if pieces:
                yield began, pieces
            pieces = []
        elif piece.strip() and not piece.startswith("#"):
            began = began if pieces else line
            pieces.append(piece)
            depth += (piece in _OPEN) - (piece in _CLOSE)
        line += piece.count("\n")
    if pieces:
        yield began, pieces


def _name(pieces: list[str]) -> Key:
    """Of a dotted name, quoted or not, in brackets or not."""
    return tuple(_plain(x) for x in pieces if x not in {"[", "]", "."})


def _plain(piece: str) -> str:
    return str(tomllib.loads(f"key = {piece}")["key"]) if piece[0] in "\"'" else piece
