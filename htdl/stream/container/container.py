"""What a video's container says of itself, as far as it is here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Read = Callable[[int, int], bytes | None]
"""`read(offset, count)`: those bytes of the file, or None when not all of them are here yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """`needed` are the byte ranges that a player reads before its first frame, the head and the index,
    as far as they are known yet: when they are here, look again.

    `points` is how far the file must be read to have played so far: (seconds, bytes), both growing, from the
    container's own index; empty where there is none.  `duration` is in seconds, None while not known.
    """

    kind: str  # "mp4", "mkv", "webm", "avi", "ts"; "" for what is none of them, or not known yet
    needed: tuple[range, ...] = ()
    index_ok: bool = False  # head and index are here, and the first media bytes follow
    duration: float | None = None
    points: tuple[tuple[float, int], ...] = ()


EDGE_BYTES = 1 << 20


def examine(read: Read, size: int) -> Container:
    """What a file of this size says of itself, as far as it is here."""
    needed = (range(min(size, EDGE_BYTES)), range(max(0, size - EDGE_BYTES), size))
    return Container(
        kind="", needed=needed, index_ok=all(read(part.start, len(part)) is not None for part in needed)
    )
