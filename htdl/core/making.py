"""One conversion from its turn to its result in place, and what is noted on the way."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import sqlite_utils

from htdl.config import Config
from htdl.core import conversion, room
from htdl.core.book import Book
from htdl.core.conversion import Task
from htdl.core.feeding import Feeding
from htdl.core.naming import Naming
from htdl.core.shelf import Shelf
from htdl.core.streams import Streams
from htdl.core.work import Work, Workshop
from htdl.errors import ConversionFailed
from htdl.events import Kind
from htdl.jobs import Conversion, ConversionState, Job, JobFile
from htdl.media.live import PLAYLIST
from htdl.media.plan import Effort
from htdl.media.progress import Progress
from htdl.media.source import Source
from htdl.store import conversions as rows
from htdl.store.db import Database

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0  # between two writes of a progress
QUIET_SECONDS = 5.0  # ffmpeg says each second how far it is, but where it waits for bytes


class Making:
    """`source_of` says what of a file is to be read, None while nothing can be; `reserved` how many bytes the
    conversions which run will still write.
    """

    def __init__(
        self,
        db: Database,
        book: Book,
        shelf: Shelf,
        streams: Streams,
        feeding: Feeding,
        naming: Naming,
        shop: Workshop,
        source_of: Callable[[Job, JobFile], Source | None],
        reserved: Callable[[], Awaitable[int]],
        config: Callable[[], Config],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._book = book
        self._shelf = shelf
        self._streams = streams
        self._feeding = feeding
        self._naming = naming
        self._shop = shop
        self._source_of = source_of
        self._reserved = reserved
        self._config = config
        self._clock = clock
        self._admission = asyncio.Lock()

    async def run(self, job: Job, file: JobFile, work: Work) -> None:
        """Raises DiskFull, ConversionFailed, OSError, HtdlError."""
        work.used_bytes = 0
        async with self._admission:  # what one is given, the next must not count on
            reserved, jobs = await self._reserved(), list(self._book.living.values())
            await asyncio.to_thread(room.check, work, self._config(), jobs, reserved)
            await self._shop.note(
                job, work, status=ConversionState.RUNNING, progress=0.0, error_code=None, error_message=None
            )
        await self._make(job, file, work)
        await self._finish(job, work)

    async def _make(self, job: Job, file: JobFile, work: Work) -> None:
        output = work.record.output
        assert work.prepared and output  # noqa: PT018 - said of both at once
        source = self._source_of(self._newest(job), file)
        if source is None:
            raise ConversionFailed(f"{file.path} cannot be read just now")
        task = self._task(job, file.index, output, source)
        is_shown = source.is_url or self._streams.is_watched(job.id)
        if work.prepared.plan.effort is Effort.TRANSCODE and is_shown:
            folder = self.show_folder(job.id, file.index)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            work.playlist = folder / PLAYLIST
            task = replace(task, playlist=work.playlist)

        def is_waiting() -> bool:
            now = self._newest(job)
            if self._streams.is_whole(now, file):
                return False
            is_given = self._streams.has_index(now, file)  # not while its torrent is verified anew, say
            return self._feeding.is_hungry(job.id, file.index) or not is_given

        async def place(part: Path) -> Path:
            return await self._naming.put(
                job, file, part, Path(output), lambda name: self._shop.note(job, work, output=name)
            )

        await conversion.perform(
            task, work.prepared, lambda x: self._on_progress(job, work, x), is_waiting, place
        )

    def _newest(self, job: Job) -> Job:
        """As it is now: a conversion outlasts its download."""
        return self._book.living.get(job.id, job)

    def _task(self, job: Job, index: int, output: str, source: Source | None = None) -> Task:
        file = next((x for x in self._book.files.get(job.id, ()) if x.index == index), None)
        original = Path(job.save_path) / (file.path if file else "")
        config = self._config()
        return Task(
            source=source or Source(str(original)),
            original=original,
            target=Path(output),
            temp=config.storage.temp_path,
            name=_name(job.id, index),
            stall_seconds=config.conversion.stall_seconds,
        )

    def show_folder(self, job_id: str, index: int) -> Path:
        return conversion.show_folder(self._config().storage.temp_path, _name(job_id, index))

    async def sweep(self, job: Job, record: Conversion) -> None:
        """Remove what a run of this that was cut off may have left."""
        if record.output:
            await asyncio.to_thread(conversion.sweep, self._task(job, record.file_index, record.output))

    async def _finish(self, job: Job, work: Work) -> None:
        index, output = work.record.file_index, work.record.output or ""
        files = self._book.files.get(job.id, ())
        self._book.note_files(job.id, [replace(x, output=output) if x.index == index else x for x in files])
        await self._shop.note(
            job, work, status=ConversionState.DONE, progress=100.0, completed_at=self._book.now(),
            error_code=None, error_message=None, speed=None, eta_seconds=0,
        )  # fmt: skip
        self._shelf.listener()
        log.info("converted job=%s file=%d path=%s", job.id, index, output)

    def _on_progress(self, job: Job, work: Work, step: Progress) -> None:
        share = 99.99 if step.fraction is None else min(99.99, round(step.fraction * 100, 2))
        eta = -1 if step.eta is None else round(step.eta)
        work.used_bytes, work.heard_at = step.bytes or work.used_bytes, self._clock()
        work.record = replace(work.record, progress=share, speed=step.speed, eta_seconds=eta)
        self._book.announce(Kind.PROGRESS, self._book.living.get(job.id, job))
        if self._clock() - work.written_at >= WRITE_SECONDS:
            work.written_at = self._clock()
            self._book.changed.set()

    def _note_quiet(self, job_id: str, work: Work) -> None:
        """One that waits has no speed, and nobody knows when it is done."""
        is_timed = work.record.speed is not None or work.record.eta_seconds >= 0
        job = self._book.living.get(job_id)
        if job and is_timed and self._clock() - work.heard_at > QUIET_SECONDS:
            work.record = replace(work.record, speed=None, eta_seconds=-1)
            self._book.announce(Kind.PROGRESS, job)

    async def write(self, some: Iterable[tuple[str, Work]]) -> None:
        """The progress of all of these that run, in one transaction; each with its job's id.  Not of one that
        is just noted: what it was before would be written over what it is now.
        """
        working = [(job_id, x) for job_id, x in some if x.candidate and not x.is_noted]
        for job_id, work in working:
            self._note_quiet(job_id, work)
        running = [(job_id, x.record) for job_id, x in working]

        def put(db: sqlite_utils.Database) -> None:
            for job_id, record in running:
                rows.put(db, job_id, record)

        if running:
            await self._db.run(put)


def _name(job_id: str, index: int) -> str:
    """What all that is half-made of it is called after."""
    return f"{job_id}-{index}"
