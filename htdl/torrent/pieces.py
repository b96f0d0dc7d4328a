"""Which pieces of a torrent can be read from its files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import gt


class Pieces:
    """Pieces that are verified and behind a flush barrier: their bytes are in the files.

    The engine alone adds to it; everyone else only looks.  `version` grows with every change.
    """

    __slots__ = ("_news", "_readable", "count", "is_gone", "length", "version")  # there may be thousands

    def __init__(self, count: int, length: int) -> None:
        self.count = count
        self.length = length  # in bytes; that of the last piece may be less
        self.version = 0
        self.is_gone = False  # the engine has let go of the torrent: nothing more will come
        self._readable = bytearray(count)
        self._news: asyncio.Event | None = None  # while somebody waits

    def readable_until(self, piece: int) -> int:
        """The first piece from this one on that cannot be read; `count` when all from here on can."""
        missing = self._readable.find(0, piece)
        return self.count if missing < 0 else missing

    def runs(self, first: int, last: int) -> list[tuple[int, int]]:
        """The readable pieces from `first` up to, not including, `last`: half-open runs, in order."""
        found = []
        start = self._readable.find(1, first, last)
        while start >= 0:
            missing = self._readable.find(0, start, last)
            end = last if missing < 0 else missing
            found.append((start, end))
            start = self._readable.find(1, end, last)
        return found

    async def changed(self) -> None:
        """Return when a piece was added after this was called, or the torrent is gone."""
        if self.is_gone:
            return
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def add(self, pieces: Iterable[int]) -> None:
        new = [piece for piece in pieces if not self._readable[piece]]
        for piece in new:
            self._readable[piece] = 1
        if new:
            self._tell()

    def missing_of(self, have: Sequence[int]) -> list[int]:
        """Those of `have`, 1 or 0 for each piece, that cannot be read."""
        return list(compress(range(self.count), map(gt, have, self._readable)))

    def forget(self, pieces: Iterable[int]) -> None:
        """These cannot be read for a while: their bytes are about to move."""
        for piece in pieces:
            self._readable[piece] = 0
        self.version += 1

    def end(self) -> None:
        self.is_gone = True
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        if self._news is not None:
            self._news.set()
            self._news = None  # who waits has the old one
