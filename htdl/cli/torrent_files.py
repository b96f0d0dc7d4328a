"""The files that a .torrent on this machine lists, to offer them while a command is typed.

Only names and sizes are read, as BEP 3 and BEP 52 have them; whether htdl takes the torrent is the daemon's
to say, and the daemon has its own, far stricter reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from htdl.cli.sources import MAX_TORRENT_BYTES
from htdl.errors import BadSource

_TOKEN = re.compile(rb"(\d{1,8}):|i(-?\d{1,20})e|([dl])|e")
_DEPTH = 64
_PADDING = b"p"  # BEP 47: bytes between two files, which nobody wants; they have a number all the same


def read(path: Path) -> list[tuple[int, str]]:
    """`parse` of a file.  Raises OSError too."""
    with path.open("rb") as file:
        return parse(file.read(MAX_TORRENT_BYTES))


def parse(data: bytes) -> list[tuple[int, str]]:
    """(number, path) of each file, as `--file` names them.  Raises BadSource."""
    try:
        info = _value(data, 0, 0)[0][b"info"]
        return list(_files(info, _text(info.get(b"name.utf-8", info[b"name"]))))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        # whatever a stranger's file may hold in the place of what is sought
        raise BadSource("this is not a .torrent") from exc


def _files(info: dict[bytes, Any], name: str) -> Iterator[tuple[int, str]]:
    if b"files" in info:
        for number, entry in enumerate(info[b"files"]):
            if _PADDING not in entry.get(b"attr", b""):
                yield number, "/".join((name, *map(_text, entry.get(b"path.utf-8", entry.get(b"path")))))
    elif b"length" in info:
        yield 0, name
    else:
        yield from _numbered(list(_leaves(info[b"file tree"], ())), name, info[b"piece length"])


def _numbered(leaves: list[tuple[tuple[str, ...], int]], name: str, piece: int) -> Iterator[tuple[int, str]]:
    """Of a v2 torrent every file begins with a piece; libtorrent counts the padding behind it as a file."""
    number = 0
    for path, size in leaves:
        yield number, name if len(leaves) == 1 and path == (name,) else "/".join((name, *path))
        number += 1 + bool(size % piece)


def _leaves(tree: dict[bytes, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, below in tree.items():
        if key:
            yield from _leaves(below, (*path, _text(key)))
        else:
            yield path, below[b"length"]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The bencoded value that begins here, and where it ends; None is the end of a list or dictionary."""
    match = _TOKEN.match(data, at)
    if match is None or depth > _DEPTH:
        raise ValueError(at)
    length, number, opening = match.groups()
    at = match.end()
    if length is not None:
        return data[at : at + int(length)], at + int(length)
    if number is not None:
        return int(number), at
    if opening is None:
        return None, at
    values: list[Any] = []
    while True:
        value, at = _value(data, at, depth + 1)
        if value is None:
            return (values if opening == b"l" else dict(zip(values[::2], values[1::2], strict=True))), at
        values.append(value)
