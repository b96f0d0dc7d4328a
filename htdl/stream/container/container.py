"""What a video's container says of itself, as far as it is here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from htdl.stream.container import avi, mkv, mp4, ts
from htdl.stream.container.found import AHEAD, Broken, File, Found, Has, Missing, Points, Read, merged

_MAGIC_BYTES = 1024
_UNKNOWN_BYTES = 1 << 20  # at both ends of a file whose format is not known: head and index of most formats

_NONSENSE = (Broken, struct.error, ValueError, IndexError, OverflowError)  # what parsing garbage may raise


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
    points: Points = ()


def examine(read: Read, has: Has, size: int) -> Container:
    """Look at a file of `size` bytes, of which `read` gives what is here, and `has` says whether it is.

    By what it holds, never by its name; of bounded time and memory, whatever it holds.  Raises only what
    these two raise, and blocks as they do.
    """
    file = File(read, has, size)
    try:
        head = file.take(0, min(size, _MAGIC_BYTES))
    except Missing:
        return Container(kind="", needed=(range(min(size, AHEAD)),))
    kind, look = _recognise(head)
    found = Found(size)
    try:
        is_here = _look(look, file, found)
    except _NONSENSE:
        kind, found = "", Found(size)
        is_here = _look(_look_at_both_ends, file, found)
    return Container(
        kind=kind,
        needed=merged(found.needed),
        index_ok=is_here,
        duration=found.duration,
        points=found.points,
    )


def _look(look: Callable[[File, Found], None], file: File, found: Found) -> bool:
    """Whether all that it needs is here."""
    try:
        look(file, found)
        for part in merged(found.needed):
            file.require(part)
    except Missing as missing:
        found.need(missing.part.start, missing.part.stop)
        return False
    return True


def _recognise(head: bytes) -> tuple[str, Callable[[File, Found], None]]:
    if head.startswith(mkv.MAGIC):
        return ("webm" if b"webm" in head[:64] else "mkv"), mkv.look
    if head[4:8] in mp4.FIRST_BOXES:
        return "mp4", mp4.look
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi", avi.look
    if ts.packet_length(head):
        return "ts", ts.look
    return "", _look_at_both_ends


def _look_at_both_ends(file: File, found: Found) -> None:
    found.need(0, _UNKNOWN_BYTES)
    found.need(max(0, file.size - _UNKNOWN_BYTES), file.size)
