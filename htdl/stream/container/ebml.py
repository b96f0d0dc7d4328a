"""EBML (RFC 8794): elements of an identifier, a length and a body, in a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from htdl.stream.container.found import Broken, File

HEADER_BYTES = 12  # an identifier of at most 4 and a length of at most 8


@dataclass(frozen=True, slots=True)
class Element:
    """`stop` is the first byte behind it, None where its length is not said."""

    name: int
    start: int
    body: int
    stop: int | None


def element(file: File, offset: int) -> Element:
    """The one that begins there.  Raises Missing, Broken."""
    head = memoryview(file.take(offset, min(HEADER_BYTES, file.size - offset)))
    name, used = _identifier(head, 0)
    length, used = _length(head, used)
    return Element(name, offset, offset + used, None if length is None else offset + used + length)


def elements(view: memoryview, most: int) -> Iterator[tuple[int, memoryview]]:
    """Those within a body, at most so many; one that is cut off, or of unknown length, ends with the body."""
    offset = 0
    for _ in range(most):
        if offset >= len(view):
            return
        name, offset = _identifier(view, offset)
        length, offset = _length(view, offset)
        stop = len(view) if length is None else offset + length
        yield name, view[offset:stop]
        offset = stop


def number(view: memoryview) -> int:
    return int.from_bytes(view[:8], "big")


def variable(view: memoryview, offset: int = 0) -> tuple[int, int]:
    """A number of variable length without its marker, and where it ends."""
    width = 9 - _byte(view, offset).bit_length()
    if width > 8 or offset + width > len(view):
        raise Broken
    value = int.from_bytes(view[offset : offset + width], "big")
    return value & ((1 << 7 * width) - 1), offset + width


def _byte(view: memoryview, offset: int) -> int:
    if offset >= len(view):
        raise Broken
    return view[offset]


def _identifier(view: memoryview, offset: int) -> tuple[int, int]:
    """With its marker, as identifiers are written."""
    width = 9 - _byte(view, offset).bit_length()
    if width > 4 or offset + width > len(view):
        raise Broken
    return int.from_bytes(view[offset : offset + width], "big"), offset + width


def _length(view: memoryview, offset: int) -> tuple[int | None, int]:
    """None where all bits are set: not known when it was written."""
    value, stop = variable(view, offset)
    unknown = value == (1 << 7 * (stop - offset)) - 1
    return (None if unknown else value), stop
