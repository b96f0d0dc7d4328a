"""What is kept for watching: noted when it is made, and each time it is watched."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import sqlite_utils

from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.errors import HtdlError
from htdl.jobs import CachedVideo, Job
from htdl.store import cache as rows
from htdl.store.db import Database
from htdl.stream.video import Reading

log = logging.getLogger(__name__)

TOUCH_SECONDS = 60.0  # between two notes that the same file is watched
REST_SECONDS = 900.0  # after its last reader a file is still in use: a player may be paused


class Shelf:
    """`clock` is monotonic, in seconds."""

    def __init__(self, db: Database, book: Book, clock: Callable[[], float] = monotonic) -> None:
        self.listener: Callable[[], None] = lambda: None  # hears when something may have to go
        self._db = db
        self._book = book
        self._clock = clock
        self._open: Counter[str] = Counter()  # readers, by path
        self._read_at: dict[str, float] = {}
        self._noted_at: dict[str, float] = {}
        self._chores = Chores()

    def is_in_use(self, path: str) -> bool:
        """Whether somebody watches it, or did a moment ago."""
        read_at = self._read_at.get(path)
        return path in self._open or (read_at is not None and self._clock() - read_at < REST_SECONDS)

    def opened(self, paths: tuple[str, ...]) -> None:
        """Somebody watches the first of these; the others are the same video."""
        now = self._clock()
        self._open[paths[0]] += 1
        self._read_at.update(dict.fromkeys(paths, now))
        if now - self._noted_at.get(paths[0], -TOUCH_SECONDS) >= TOUCH_SECONDS:
            self._read_at = {x: at for x, at in self._read_at.items() if now - at < REST_SECONDS}
            self._noted_at = {x: at for x, at in self._noted_at.items() if now - at < TOUCH_SECONDS}
            self._noted_at[paths[0]] = now
            self._chores.begin(self._touch(paths))

    def closed(self, path: str) -> None:
        self._open -= Counter([path])
        self._read_at[path] = self._clock()

    async def _touch(self, paths: tuple[str, ...]) -> None:
        at = self._book.now()

        def touch(db: sqlite_utils.Database) -> None:
            for path in paths:
                rows.touch(db, path, at)

        try:
            await self._db.run(touch)
        except HtdlError as exc:  # the next reader notes it
            log.debug("not noted as watched path=%s: %s", paths[0], exc)

    async def keep(self, job: Job, path: Path, size: int) -> None:
        """So many bytes are made there, or will be in a moment: kept until nobody watches them any more.
        Whether they are pinned is as the job's row says then.
        """
        video = CachedVideo(
            path=str(path), job_id=job.id, video_id=job.video_id, bytes=size, last_access=self._book.now()
        )
        await self._db.run(rows.put, video)

    async def forget(self, path: Path) -> None:
        """What is there is not ours."""
        await self._db.run(rows.forget, str(path))


class Watched(Reading):
    """A reader of a file on the shelf."""

    def __init__(self, reader: Reading, shelf: Shelf, path: str) -> None:
        self._reader = reader
        self._shelf = shelf
        self._path: str | None = path

    async def next(self, patience: float) -> range | None:
        return await self._reader.next(patience)

    def close(self) -> None:
        self._reader.close()
        if self._path is not None:
            self._shelf.closed(self._path)
            self._path = None
