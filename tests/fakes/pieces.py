"""`htdl.stream.source.PieceSource` without a torrent: the test says which pieces come, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from htdl.stream.source import StreamEnded


class FakePieces:
    """`wants` is what was asked for, call by call; `waiting` is how many wait for news; `looks` is how often
    somebody looked.
    """

    def __init__(self, count: int, piece_length: int) -> None:
        self.count = count
        self.piece_length = piece_length
        self.wants: list[list[int]] = []
        self.waiting = 0
        self.looks = 0
        self._here: set[int] = set()
        self._is_gone = False
        self._news: asyncio.Event = asyncio.Event()

    # what a test makes happen

    def arrive(self, *pieces: int) -> None:
        self._here |= set(pieces)
        self._tell()

    def end(self) -> None:
        """The torrent is let go."""
        self._is_gone = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @property
    def wanted(self) -> list[int]:
        """What is asked for now."""
        return self.wants[-1] if self.wants else []

    # PieceSource

    def readable_until(self, piece: int) -> int:
        assert 0 <= piece < self.count
        self.looks += 1
        return next((x for x in range(piece, self.count) if x not in self._here), self.count)

    async def changed(self) -> None:
        self.waiting += 1
        try:
            if not self._is_gone:
                await self._news.wait()
        finally:
            self.waiting -= 1
        if self._is_gone:
            raise StreamEnded("the job was removed")

    def want(self, pieces: Sequence[int]) -> None:
        self.wants.append(list(pieces))
