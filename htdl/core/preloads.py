"""Places in a torrent's videos that somebody will watch soon, each kept for as long as it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from htdl.stream.source import Span

PRELOAD_SECONDS = 30.0  # that a place is kept for who asked for it
MOST_PRELOADS = 4  # of one torrent; one more takes the place of that not asked for the longest

Asked = tuple[int, float]
"""A file's index, and the time asked for, in seconds."""


class Preloads:
    """`changed` is called when one ended by itself."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._kept: dict[Asked, tuple[Span, range, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def parts(self) -> list[tuple[Span, range]]:
        """What is to be fetched, the first soonest."""
        return [(span, part) for span, part, _ in self._kept.values()]

    def keep(self, asked: Asked, span: Span, part: range) -> None:
        """From now on for PRELOAD_SECONDS; `part` may be another one than before, or empty."""
        self._forget(asked)
        while len(self._kept) >= MOST_PRELOADS:
            self._forget(next(iter(self._kept)))
        timer = asyncio.get_running_loop().call_later(PRELOAD_SECONDS, self._end, asked)
        self._kept[asked] = span, part, timer

    def clear(self) -> None:
        for asked in list(self._kept):
            self._forget(asked)

    def _end(self, asked: Asked) -> None:
        self._forget(asked)
        self._changed()

    def _forget(self, asked: Asked) -> None:
        if kept := self._kept.pop(asked, None):
            kept[2].cancel()
