"""The bytes of a file as far as they are here, and what has been found in them so far.

A parser reads straight on.  What is not here yet ends it as `Missing`, which says what to fetch; what makes
no sense ends it as `Broken`.  What it has noted in `Found` by then stays known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Read = Callable[[int, int], bytes | None]
"""`read(offset, count)`: those bytes of the file, or None when not all of them are here yet."""

Has = Callable[[int, int], bool]
"""`has(offset, count)`: whether all those bytes are here; nothing is read."""

Points = tuple[tuple[float, int], ...]

AHEAD = 64 << 10  # what is asked for at least, so that a header and what follows it come at once
MAX_TAIL = 16 << 20  # an index at a file's end is asked for whole, before its own size is known
MAX_INDEX = 64 << 20  # larger ones are needed, and not read for points: 2 h of film have about 8 MiB
MAX_POINTS = 500  # of one track: one every 15 s of a film


class Missing(Exception):
    """`part` is not all here."""

    def __init__(self, part: range) -> None:
        super().__init__(part)
        self.part = part


class Broken(Exception):
    """No file of this kind says such a thing."""


class File:
    def __init__(self, read: Read, has: Has, size: int) -> None:
        self.size = size
        self._read = read
        self._has = has

    def take(self, offset: int, count: int) -> bytes:
        """Raises Missing, and Broken for what is not in the file."""
        if not 0 <= offset <= offset + count <= self.size:
            raise Broken
        data = self._read(offset, count) if count else b""
        if data is None:
            raise Missing(range(offset, offset + max(count, self.ahead(offset))))
        return data

    def ahead(self, offset: int) -> int:
        """How much to ask for of what begins here: what is near the end of a file is its index."""
        rest = self.size - offset
        return rest if rest <= max(AHEAD, min(MAX_TAIL, self.size // 8)) else AHEAD

    def require(self, part: range) -> None:
        """Raises Missing when not all of it is here."""
        if not self._has(part.start, len(part)):
            raise Missing(part)


@dataclass(slots=True)
class Found:
    """See `Container`; `size` is the file's: nothing beyond is ever needed."""

    size: int
    needed: list[range] = field(default_factory=list)
    duration: float | None = None
    points: Points = ()

    def need(self, start: int, stop: int) -> None:
        self.needed.append(range(start, min(stop, self.size)))


def merged(parts: Iterable[range]) -> tuple[range, ...]:
    """In order, those that touch as one."""
    whole: list[range] = []
    for part in sorted((part for part in parts if part), key=lambda part: part.start):
        if whole and part.start <= whole[-1].stop:
            whole[-1] = range(whole[-1].start, max(whole[-1].stop, part.stop))
        else:
            whole.append(part)
    return tuple(whole)


def growing(points: Iterable[tuple[float, int]], size: int) -> Points:
    """In order of time, each byte count at least the last, none beyond the file, one at each time."""
    grown: dict[float, int] = {}
    most = 0
    for seconds, offset in sorted(points):
        most = max(most, min(offset, size))
        grown[seconds] = most
    return tuple(grown.items())


def buckets(count: int, most: int = MAX_POINTS) -> list[tuple[int, int]]:
    """`count` entries in at most `most` runs, half-open."""
    runs = min(count, most)
    return [(count * run // runs, count * (run + 1) // runs) for run in range(runs)]
