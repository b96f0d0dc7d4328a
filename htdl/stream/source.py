"""What streaming needs to know of a torrent that is still arriving: its pieces, and a way to ask for some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from htdl.errors import HtdlError


class StreamEnded(HtdlError):
    """The missing bytes will not come: the job was paused, cancelled or removed, or lost its file."""

    code = "stream_ended"


class Stalled(HtdlError):
    """The next byte did not come within the time given; a later request may go on."""

    code = "stalled"
    exit_code = 7


@dataclass(frozen=True, slots=True)
class Span:
    """Where a file lies: `offset` is that of its first byte in the torrent; sizes in bytes."""

    path: Path
    size: int
    offset: int


class PieceSource(Protocol):
    """The pieces of one torrent, counted from 0.  Called on the event loop; nothing here blocks it."""

    piece_length: int

    def readable_until(self, piece: int) -> int:
        """The first piece from this one on that cannot be read from disk yet; the number of pieces when all
        from here on can.  What can be read is verified, and behind a flush.
        """

    async def changed(self) -> None:
        """Return when a piece became readable after this was called.

        Raises StreamEnded, also at once, when the torrent is let go: what is missing will not come.
        """

    def want(self, pieces: Sequence[int]) -> None:
        """Fetch these before all else, the first soonest; each call replaces the last.  Empty: nobody
        watches, and all that is wanted comes in playing order.
        """
