"""The work on one video: a task that sees it through, and what is noted of it.

However it ends, it is noted, and what cannot even be noted is tried again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from htdl.core import about
from htdl.core.book import Book
from htdl.core.conversion import Prepared
from htdl.core.lanes import Candidate
from htdl.errors import ConversionFailed, DiskFull, HtdlError
from htdl.events import Kind
from htdl.jobs import Conversion, ConversionState, Job
from htdl.store import conversions as rows
from htdl.store.db import Database

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # a conversion that fails is tried once more
NO_ROOM_SECONDS = 5.0  # after the disk was full, before it is tried again
ROOM_SECONDS = 1.0  # between two looks whether there is room, which cost nothing
MARGIN = 1.1  # over what a run had used when the disk was full
KNOWN_SHARE = 10.0  # percent of a film, from which on the rest is taken to be alike
_FATAL = {"bad_media", "no_ffmpeg"}  # are the same the next time


@dataclass(slots=True)
class Work:
    """What is known of one video's conversion in this process."""

    record: Conversion
    prepared: Prepared | None = None
    task: asyncio.Task[None] | None = None  # that looks at it, or makes it
    playlist: Path | None = None  # that is made beside
    candidate: Candidate | None = None  # while it is made
    rests_until: float = 0.0
    is_checked: bool = False  # its first bytes, while the rest arrives
    is_early_over: bool = False  # it cannot be made early, or failed: nothing more before it is whole
    written_at: float = 0.0
    heard_at: float = 0.0  # when it last said how far it is
    used_bytes: int = 0  # that it takes on the disk while it is made
    found_bytes: int = 0  # that its result needs at least, once the disk was too full for it
    is_noted: bool = False  # just now: the database is about to know more than `record`


class Workshop:
    """`clock` is monotonic, in seconds."""

    def __init__(self, db: Database, book: Book, clock: Callable[[], float] = monotonic) -> None:
        self.on_playlist_end: Callable[[str, int], None] = lambda job_id, index: None
        self.observer: Callable[[Conversion, Conversion], None] = lambda before, after: None
        self._db = db
        self._book = book
        self._clock = clock

    def begin(self, job: Job, work: Work, doing: Callable[[], Awaitable[None]]) -> None:
        with about.job(job.id):
            work.task = asyncio.get_running_loop().create_task(self._see_through(job, work, doing))

    async def _see_through(self, job: Job, work: Work, doing: Callable[[], Awaitable[None]]) -> None:
        """Do it.  What cannot even be noted is tried again: nothing stays RUNNING that does not run."""
        try:
            await self._attempt(job, work, doing)
        except HtdlError as exc:  # the database is in use, or has no room
            log.error("conversion ends job=%s file=%d: %s", job.id, work.record.file_index, exc.message)
            work.rests_until = self._clock() + NO_ROOM_SECONDS
        finally:
            if work.record.status is ConversionState.RUNNING:
                work.record = replace(work.record, status=ConversionState.WAITING, progress=0.0, speed=None)
            work.task = work.candidate = None
            if work.playlist:
                work.playlist = None
                self.on_playlist_end(job.id, work.record.file_index)
            self._book.changed.set()

    async def _attempt(self, job: Job, work: Work, doing: Callable[[], Awaitable[None]]) -> None:
        """Do it, and note why it failed."""
        try:
            await doing()
        except DiskFull as exc:
            await self._wait_for_room(job, work, exc)
        except ConversionFailed as exc:
            await self._fail(job, work, exc)
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                full = DiskFull(f"the disk is full: there is no room for {work.record.output}")
                await self._wait_for_room(job, work, full)
            else:
                what = f"{exc.strerror}: {exc.filename or work.record.output}"
                await self._fail(job, work, ConversionFailed(what, code="io_error"))
        except HtdlError:
            raise
        except Exception:  # a bug that one video meets must not stop the others; it is logged whole
            log.exception("conversion ends job=%s file=%d", job.id, work.record.file_index)
            await self._fail(job, work, ConversionFailed("htdl itself made a mistake: its log tells more"))

    async def _fail(self, job: Job, work: Work, exc: ConversionFailed) -> None:
        attempts, work.is_early_over = work.record.attempts + 1, True
        is_over = attempts >= MAX_ATTEMPTS or exc.code in _FATAL
        state = ConversionState.FAILED if is_over else ConversionState.WAITING
        log.error("conversion fails job=%s file=%d: %s", job.id, work.record.file_index, exc.message)
        await self.note(
            job, work, status=state, progress=0.0, attempts=attempts, error_code=exc.code,
            error_message=exc.message, speed=None, eta_seconds=-1,
        )  # fmt: skip

    async def _wait_for_room(self, job: Job, work: Work, exc: DiskFull) -> None:
        """It is not begun again before there is room for what it takes by all that is known now."""
        is_begun = work.record.status is ConversionState.RUNNING
        work.rests_until = self._clock() + (NO_ROOM_SECONDS if is_begun else ROOM_SECONDS)
        work.found_bytes = max(work.found_bytes, needed(work.used_bytes, work.record.progress))
        work.used_bytes = 0
        if (work.record.error_code, work.record.error_message) == (exc.code, exc.message):
            return  # as it was a moment ago
        log.warning("disk full job=%s file=%d: %s", job.id, work.record.file_index, exc.message)
        await self.note(
            job, work, status=ConversionState.WAITING, progress=0.0, error_code=exc.code,
            error_message=exc.message, speed=None, eta_seconds=-1,
        )  # fmt: skip

    async def end(self, work: Work) -> None:
        """Cut its run off.  It begins anew."""
        if task := work.task:
            task.cancel()
            await asyncio.wait([task])
            work.task = work.candidate = None  # one that was cut off before its first step has not said so

    async def note(self, job: Job, work: Work, **fields: Any) -> None:
        """In the database first, then in memory, then told."""
        record = replace(work.record, **fields, updated_at=self._book.now())
        work.is_noted = True
        try:
            await self._db.run(rows.put, job.id, record)
        finally:
            work.is_noted = False
        before, work.record = work.record, record
        self.observer(before, record)
        self._book.announce(Kind.CHANGED, self._book.living.get(job.id, job))


def needed(used: int, progress: float) -> int:
    """Bytes for a whole film of which so many percent took so many."""
    whole = used * 100 / progress if progress >= KNOWN_SHARE else 0.0
    return int(max(used, whole) * MARGIN)
