"""Bytes of files that are still arriving, for many readers of one torrent at once.

What a `Reader` gives is verified and on disk.  Each has a window of pieces that moves with it; all windows
together are what the torrent is asked for (`window.ordered`), planned anew at most once per turn of the
event loop, after a reader came, moved or went, and after pieces came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from htdl.stream.source import PieceSource, Span, Stalled, StreamEnded
from htdl.stream.video import Reading
from htdl.stream.window import Head, ordered

CHUNK = 1 << 20  # bytes given at a time: what is sent without looking at the window again
IDLE_SECONDS = 5.0  # a reader that has not come back for so long lets those who wait go before


class Arrival:
    """All readers of one torrent.  Used on the event loop; `clock` is in seconds and never goes back."""

    def __init__(self, source: PieceSource, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.clock = clock
        self._open: dict[Reader, None] = {}  # in the order they came
        self._needed: list[range] = []
        self._wanted: list[int] = []
        self._is_due = False
        self._follower: asyncio.Task[None] | None = None

    @property
    def readers(self) -> int:
        """How many are open."""
        return len(self._open)

    def open(self, span: Span, start: int, stop: int) -> Reader:
        """A reader of the bytes [start, stop) of a file.  Its window counts until it is closed."""
        if not 0 <= start <= stop <= span.size:
            raise ValueError(f"no bytes {start} to {stop} in a file of {span.size}")
        reader = Reader(self, span, start, stop)
        self._open[reader] = None
        self.replan()
        return reader

    def need(self, ranges: Sequence[tuple[Span, range]]) -> None:
        """Fetch these bytes of files before the rest of the windows, also while nobody reads: the head and
        the index.  Each call replaces the last.
        """
        inside = [(span, max(0, part.start), min(part.stop, span.size)) for span, part in ranges]
        self._needed = [self._pieces(span, start, stop) for span, start, stop in inside if start < stop]
        self.replan()

    def forget(self, reader: Reader) -> None:
        """It was closed."""
        self._open.pop(reader, None)
        self.replan()

    def replan(self) -> None:
        """Ask for what the readers want now, at the end of this turn of the loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._plan)

    def _plan(self) -> None:
        self._is_due = False
        # Who was served longest ago is served next, else one who reads fast would always go before.
        waiting = sorted(self._open, key=lambda reader: reader.since)
        heads = [self._head(reader) for reader in waiting if reader.position < reader.stop]
        wanted = ordered(heads, self._needed, self.source.piece_length, self.source.readable_until)
        if wanted != self._wanted:
            self._wanted = wanted
            self.source.want(wanted)
        self._follow(bool(heads or self._needed))

    def _head(self, reader: Reader) -> Head:
        pieces = self._pieces(reader.span, reader.position, reader.stop)
        is_idle = not reader.is_waiting and self.clock() - reader.since > IDLE_SECONDS
        return Head(pieces.start, pieces.stop - 1, reader.position - reader.start, is_idle)

    def _pieces(self, span: Span, start: int, stop: int) -> range:
        """The pieces that hold these bytes of the file, of which there is one at least."""
        length = self.source.piece_length
        return range((span.offset + start) // length, (span.offset + stop - 1) // length + 1)

    def _follow(self, is_watched: bool) -> None:
        """Plan anew when pieces come, for as long as somebody wants any."""
        if not is_watched and self._follower:
            self._follower.cancel()
            self._follower = None
        elif is_watched and self._follower is None:
            self._follower = asyncio.get_running_loop().create_task(self._replan_on_news())

    async def _replan_on_news(self) -> None:
        with suppress(StreamEnded):  # which each reader hears for itself
            while True:
                self.replan()  # first of all: what came before this task began to listen
                await self.source.changed()


class Reader(Reading):
    """The bytes [start, stop) of a file, piece by piece as they come.  To close it frees its window."""

    def __init__(self, arrival: Arrival, span: Span, start: int, stop: int) -> None:
        self.span = span
        self.start = start
        self.stop = stop
        self.position = start  # of the next byte to give
        self.is_waiting = False
        self.since = arrival.clock()  # when it was opened, or was given something last
        self._arrival = arrival

    async def next(self, patience: float) -> range | None:
        """The next bytes of the file, which can be read now: CHUNK at most.  None at the end.

        Raises Stalled when none came for `patience` seconds, StreamEnded when none will come.
        """
        try:
            async with asyncio.timeout(patience):
                return await self._next()
        except TimeoutError:
            raise Stalled(
                f"the next part of {self.span.path.name} did not arrive within {patience:g} s",
                hint="the download goes on; try again later",
            ) from None
        finally:
            self.is_waiting = False

    async def _next(self) -> range | None:
        while self.position < self.stop:
            if found := self._here():
                self._take(found)
                return found
            if not self.is_waiting:
                self.is_waiting = True
                self._arrival.replan()
            # Between the look above and this wait nothing else runs: no news is missed.
            await self._arrival.source.changed()
        return None

    def _here(self) -> range:
        """What can be read from the position on; empty when nothing can."""
        source, offset = self._arrival.source, self.span.offset
        missing = source.readable_until((offset + self.position) // source.piece_length)
        end = missing * source.piece_length - offset
        return range(self.position, min(end, self.stop, self.position + CHUNK))

    def _take(self, found: range) -> None:
        self.position = found.stop
        self.since = self._arrival.clock()
        self._arrival.replan()

    def close(self) -> None:
        self.stop = self.position  # who still waits for it finds the end
        self._arrival.forget(self)
