"""The rows of subtitles and their files, kept together: no row names what is not there, nor is there more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import sqlite_utils

from htdl.core import beside, vtt_files
from htdl.core.beside import Stage, Video, Work
from htdl.core.book import Book
from htdl.errors import HtdlError
from htdl.events import Kind
from htdl.jobs import Subtitle
from htdl.store import subtitles as rows
from htdl.store.db import Database

log = logging.getLogger(__name__)


class VttKeeping:
    """`root` gives the folder of all subtitles; `is_current` says whether a job is looked after still."""

    def __init__(
        self, db: Database, book: Book, root: Callable[[], Path], is_current: Callable[[Work], bool]
    ) -> None:
        self._db = db
        self._book = book
        self._root = root
        self._is_current = is_current

    async def keep(
        self, work: Work, video: Video, stage: Stage, made: tuple[Subtitle, ...], files: dict[int, Subtitle]
    ) -> None:
        """The rows, once their files are there; and away with what no row names any more."""
        before = video.stage, video.tracks, video.files
        old = video.rows
        video.stage, video.tracks, video.files = stage, made, files
        new, index = video.rows, video.beside.video.index
        if not self._is_current(work):  # its job was removed with its data
            await self._remove({x.path for x in (*old, *new)}, {video.beside.folder})
            return
        try:
            some = new if video.is_complete else (*new, beside.mark(index))
            await self._db.run(put, work.job.id, {index: some})
        except HtdlError:
            video.stage, video.tracks, video.files = before
            raise
        names = {str(video.beside.folder / x) for x in video.beside.names}
        await self._remove({x.path for x in old} - {x.path for x in new} - names, ())
        if new != old:
            log.info("subtitles job=%s file=%d files=%d", work.job.id, index, sum(map(beside.is_made, new)))
            self._book.announce(Kind.CHANGED, self._book.living.get(work.job.id, work.job))

    async def _remove(self, paths: set[str], folders: Iterable[Path]) -> None:
        await asyncio.to_thread(vtt_files.remove, self._root(), paths, folders)


def put(db: sqlite_utils.Database, job_id: str, some: Mapping[int, Iterable[Subtitle]]) -> None:
    """Those of a job's videos, by file, in place of what their rows said."""
    for index, subtitles in some.items():
        rows.replace_all(db, job_id, index, subtitles)
