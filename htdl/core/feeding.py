"""What conversions are given of files that still arrive, and whether one has taken all there is.

So a film that stops arriving is told from an ffmpeg that hangs: the one waits inside `next`, the other lets
lie what it could read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from htdl.stream.video import Reading, Video, WholeReader

Key = tuple[str, int]  # a job, and the index of its file


class Feeding:
    """`opener` is `Streams.feed`."""

    def __init__(self, opener: Callable[[str, int], Awaitable[Video]]) -> None:
        self._opener = opener
        self._readers: dict[Key, set[_Fed]] = {}

    async def open(self, prefix: str, index: int) -> Video:
        """Raises as `Streams.feed` does.  Who reads is nobody who watches, also once the file is whole."""
        video = await self._opener(prefix, index)
        if video.is_whole:
            return replace(video, reader=WholeReader)
        key, inner = (video.job_id, index), video.reader
        return replace(video, reader=lambda start, stop: _Fed(inner(start, stop), self._readers, key))

    def is_hungry(self, job_id: str, index: int) -> bool:
        """Whether all who read this file wait for bytes that are not here yet; not so where nobody reads."""
        readers = self._readers.get((job_id, index), set())
        return bool(readers) and all(x.waits for x in readers)


class _Fed(Reading):
    """A reader that says whether it waits; it is among `readers` until it is closed."""

    def __init__(self, reader: Reading, readers: dict[Key, set[_Fed]], key: Key) -> None:
        self.waits = False
        self._reader = reader
        self._readers = readers
        self._key = key
        readers.setdefault(key, set()).add(self)

    async def next(self, patience: float) -> range | None:
        self.waits = True
        try:
            return await self._reader.next(patience)
        finally:
            self.waits = False

    def close(self) -> None:
        self._reader.close()
        if others := self._readers.get(self._key):
            others.discard(self)
            if not others:
                del self._readers[self._key]
