"""Bytes of a file that is still arriving, for one who takes them as they come: a conversion."""

from __future__ import annotations

from htdl.stream.source import PieceSource, Span
from htdl.stream.video import Reading

CHUNK = 1 << 20


class Follower(Reading):
    """The bytes [start, stop), each once it can be read.  It asks for none, so nobody makes way for it."""

    def __init__(self, source: PieceSource, span: Span, start: int, stop: int) -> None:
        self._source = source
        self._span = span
        self._position = start
        self._stop = stop

    async def next(self, patience: float) -> range | None:
        """However long it takes: the download decides.  Raises StreamEnded when the torrent is let go."""
        while self._position < self._stop:
            if found := self._here():
                self._position = found.stop
                return found
            await self._source.changed()
        return None

    def _here(self) -> range:
        length, offset = self._source.piece_length, self._span.offset
        end = self._source.readable_until((offset + self._position) // length) * length - offset
        return range(self._position, min(end, self._stop, self._position + CHUNK))

    def close(self) -> None:
        self._stop = self._position
