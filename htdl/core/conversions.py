"""The conversions of all living jobs: when each is looked at, begun and ended.

A record says what becomes of each video.  It is written before its conversion begins and after it has ended,
so that a crash leaves one that WAITS or RUNS, and both begin anew.  What a run leaves half-made has a name
that follows from its record.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic

import sqlite_utils

from htdl.config import Config
from htdl.core import conversion, lanes, payload, room
from htdl.core.book import Book
from htdl.core.conversion import Prepared, Task
from htdl.core.feeding import Feeding
from htdl.core.lanes import Candidate
from htdl.core.links import Links
from htdl.core.naming import Naming
from htdl.core.shelf import Shelf
from htdl.core.streams import Streams
from htdl.core.work import Work, Workshop
from htdl.errors import ConversionFailed, DiskFull
from htdl.events import Kind
from htdl.jobs import Conversion, ConversionState, Job, JobFile, State, Wish
from htdl.media.live import PLAYLIST
from htdl.media.plan import Effort
from htdl.media.progress import Progress
from htdl.media.signature import HEAD_BYTES
from htdl.media.source import Source
from htdl.media.tools import find_tools
from htdl.store import cache
from htdl.store import conversions as rows
from htdl.store.db import Database
from htdl.stream.kinds import is_video

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0  # between two writes of a progress
MAX_LOOKING = 4  # videos at a time: a torrent may hold thousands
WHILE_DOWNLOADING = "while-downloading"
_RUNS = {State.DOWNLOADING, State.CONVERTING}


@dataclass(frozen=True, slots=True)
class Standing:
    """Of all videos of a job.  `fault` is the code and the words of what cannot be mended by waiting."""

    is_done: bool
    fault: tuple[str, str] | None = None
    found_disk_full: bool = False
    eta_seconds: int = -1  # until all are done; -1 while that is not known


class Conversions:
    """`config` gives the configuration of the moment; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        db: Database,
        book: Book,
        shelf: Shelf,
        streams: Streams,
        links: Links,
        config: Callable[[], Config],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._book = book
        self._shelf = shelf
        self._streams = streams
        self._links = links
        self._config = config
        self._clock = clock
        self.shop = Workshop(db, book, clock)
        self.feeding = Feeding(streams.feed)
        self._work: dict[str, dict[int, Work]] = {}  # by job and file
        self._naming = Naming(db, book, shelf, config, lambda: (x.record.output for _, _, x in self._all()))
        self._is_swept = False
        self._looking = 0  # so many are looked at just now
        self._resting: set[str] = set()  # jobs of which nothing is made just now

    async def _take_up(self, job: Job) -> None:
        """Go on where an earlier run of the job, or of the daemon, was ended.  What failed is tried anew."""
        some: dict[int, Work] = {}
        for record in (await self._db.read(rows.of, [job.id]))[job.id]:
            is_made = record.status is ConversionState.DONE and record.output is not None
            if not is_made or not await asyncio.to_thread(os.path.exists, record.output or ""):
                record = replace(record, status=ConversionState.WAITING, progress=0.0, attempts=0)
                if record.output:
                    task = self._task(job, record.file_index, record.output)
                    await asyncio.to_thread(conversion.sweep, task)
            some[record.file_index] = Work(record)
        self._work[job.id] = some

    async def _sweep(self) -> None:
        """Remove what a crash left of every run, also of those that are not taken up again.  Once."""
        found = await self._db.read(rows.living)
        every = [(self._book.living.get(job_id), x) for job_id, some in found.items() for x in some]
        for job, record in every:
            if job and record.output and record.status is ConversionState.RUNNING:
                task = self._task(job, record.file_index, record.output)
                await asyncio.to_thread(conversion.sweep, task)
                waiting = replace(record, status=ConversionState.WAITING, progress=0.0)
                await self._db.run(rows.put, job.id, waiting)
        self._is_swept = True

    async def warm_up(self) -> None:
        """Ask ffmpeg what it can before the first video comes, which waits a quarter of a second for it."""
        settings = self._config().conversion
        if settings.enabled:
            with contextlib.suppress(ConversionFailed):  # the job that needs it says what is missing
                await find_tools(settings.ffmpeg_path, settings.ffprobe_path)

    async def stop(self) -> None:
        """End every run, and leave nothing half-made."""
        await asyncio.gather(*(self.shop.end(work) for _, _, work in list(self._all())))

    # --- what is known ---

    def of(self, job_id: str) -> tuple[Conversion, ...]:
        """Of a living job, by file."""
        return tuple(work.record for _, work in sorted(self._work.get(job_id, {}).items()))

    async def kept(self, job: Job) -> tuple[Conversion, ...]:
        """Of any job."""
        known = self.of(job.id)
        return known or (await self._db.read(rows.of, [job.id]))[job.id]

    def standing(self, job: Job) -> Standing:
        videos = self._videos(job)
        if not self._is_on(job) or not videos:
            return Standing(is_done=True)
        known = self._work.get(job.id, {})
        records = [known[file.index].record for file in videos if file.index in known]
        ended = [x for x in records if x.status in {ConversionState.DONE, ConversionState.FAILED}]
        if len(ended) < len(videos):  # one that fails does not stop the others
            waiting = [x for x in records if x.status is ConversionState.WAITING]
            is_full = any(x.error_code == DiskFull.code for x in waiting)
            left = [x.eta_seconds for x in records if x not in ended]
            is_known = len(records) == len(videos) and min(left) >= 0
            return Standing(is_done=False, found_disk_full=is_full, eta_seconds=max(left) if is_known else -1)
        failed = next((x for x in ended if x.status is ConversionState.FAILED), None)
        is_asked_for = job.wanted is not None and job.status is State.CONVERTING
        if failed and (failed.error_code != "no_ffmpeg" or is_asked_for):
            words = failed.error_code or "", failed.error_message or ""
            return Standing(is_done=False, fault=words)
        return Standing(is_done=True)

    def outputs(self, job_id: str) -> dict[int, str]:
        """Where the results of a job are, by file."""
        return {
            x.file_index: x.output for x in self.of(job_id) if x.status is ConversionState.DONE and x.output
        }

    def prepared(self, job_id: str, index: int) -> Prepared | None:
        """What is to be done with a video; None until that is known."""
        work = self._work.get(job_id, {}).get(index)
        return work.prepared if work else None

    def playlist(self, job_id: str, index: int) -> Path | None:
        """That the conversion which runs writes for who watches meanwhile."""
        work = self._work.get(job_id, {}).get(index)
        return work.playlist if work else None

    def show_folder(self, job_id: str, index: int) -> Path:
        return conversion.show_folder(self._config().storage.temp_path, f"{job_id}-{index}")

    async def delete(self, job: Job) -> None:
        """Remove what was made of a job, and forget that it was."""
        if job.id in self._work:
            await self._leave(job.id)
        made = set(await self._naming.own(job)) - {
            str(Path(job.save_path) / x.path) for x in await self._book.files_of(job)
        }
        outputs = [Path(x) for x in made]
        for path in outputs:
            if path.is_relative_to(self._config().storage.base_path):
                await asyncio.to_thread(payload.delete, path.parent, [path.name], "")
            else:  # in a folder of somebody else's, who may want it empty
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(path.unlink)

        def forget(db: sqlite_utils.Database) -> None:
            rows.delete(db, job.id)
            for path in outputs:
                cache.forget(db, str(path))

        await self._db.run(forget)
        self._work.pop(job.id, None)

    @contextlib.asynccontextmanager
    async def renewed(self, job_id: str) -> AsyncIterator[None]:
        """Inside, nothing is made of this job.  After it all is looked at anew, as the database has it."""
        self._resting.add(job_id)
        try:
            await self._drop(job_id)
            yield
            await self._drop(job_id)  # a turn may have been half-way
        finally:
            self._resting.discard(job_id)
            self._book.changed.set()

    async def _drop(self, job_id: str) -> None:
        for work in self._work.pop(job_id, {}).values():
            await self.shop.end(work)

    # --- turns ---

    async def turn(self) -> None:
        """Begin and end what is to be; soon done."""
        if not self._is_swept:
            await self._sweep()
        self._looking = sum(work.task is not None and not work.candidate for _, _, work in self._all())
        jobs = {job.id: job for job in self._book.living.values() if self._is_due(job)}
        await asyncio.gather(*(self._leave(x) for x in list(self._work) if x not in jobs))
        for job in jobs.values():
            if job.id not in self._work:
                await self._take_up(job)
            for file in self._videos(job):
                self._look_at(job, file)
        for one in lanes.next_ones(
            self._waiting(jobs.values()), self._running(), self._config().conversion.max_active
        ):
            work = self._work[one.job_id][one.file_index]
            work.candidate = one
            self.shop.begin(jobs[one.job_id], work, partial(self._run, jobs[one.job_id], work))

    def look_soon(self, job_id: str) -> None:
        """More of it is here: its turn comes at once if it can be looked at now."""
        job = self._book.living.get(job_id)
        if job is None or not self._is_due(job):
            return
        for file in self._videos(job):
            work = self._work.get(job_id, {}).get(file.index)
            is_open = work is None or not (work.prepared or work.task or work.is_early_over)
            if is_open and self._streams.has_index(job, file):
                self._book.changed.set()

    async def _leave(self, job_id: str) -> None:
        """The job stands still or has ended.  A living one still says what became of its videos."""
        cut_off = [work for work in list(self._work.get(job_id, {}).values()) if work.task]
        await asyncio.gather(*map(self.shop.end, cut_off))
        for work in cut_off:
            await self._db.run(rows.put, job_id, work.record)
        job = self._book.living.get(job_id)
        if job is None or not job.has_ended:
            self._work.pop(job_id, None)

    def _is_on(self, job: Job) -> bool:
        """What somebody asked for is made in any case."""
        settings = self._config().conversion
        return job.wanted is not None or (settings.enabled and settings.target_format != "original")

    def _is_due(self, job: Job) -> bool:
        is_running = job.status in _RUNS and job.wish is Wish.RUN and job.has_metadata
        return is_running and self._is_on(job) and job.id not in self._resting

    def _videos(self, job: Job) -> list[JobFile]:
        files = self._book.files.get(job.id, ())
        return [x for x in files if x.wanted and x.size and (job.is_local or is_video(x.path))]

    def _all(self) -> Iterator[tuple[str, int, Work]]:
        return ((job, index, work) for job, some in self._work.items() for index, work in some.items())

    def _look_at(self, job: Job, file: JobFile) -> None:
        """Find out what is to be done with it, once enough of it is here."""
        some = self._work.setdefault(job.id, {})
        if file.index not in some:
            some[file.index] = Work(Conversion(file_index=file.index, created_at=self._book.now()))
        work = some[file.index]
        is_open = work.record.status is ConversionState.WAITING and not work.prepared and not work.task
        if not is_open or work.rests_until > self._clock() or self._looking >= MAX_LOOKING:
            return
        source = self.source(job, file)
        if source is None and not work.is_checked and self._streams.has_beginning(job, file, HEAD_BYTES):
            work.is_checked = True
            self.shop.begin(job, work, partial(conversion.check_beginning, Path(job.save_path), file.path))
        elif source and not (source.is_url and work.is_early_over):
            self._looking += 1
            self.shop.begin(job, work, partial(self._prepare, job, file, work, source))

    def source(self, job: Job, file: JobFile) -> Source | None:
        """What to read: the file once it is whole, before that our own stream of it."""
        if self._streams.is_whole(job, file):
            return Source(str(Path(job.save_path) / file.path))
        is_early = self._config().conversion.mode == WHILE_DOWNLOADING
        url = self._links.feed(job.id, file)
        if is_early and url and self._streams.has_index(job, file):
            return Source(url, is_url=True)
        return None

    async def _prepare(self, job: Job, file: JobFile, work: Work, source: Source) -> None:
        job = self._book.living.get(job.id, job)  # what is wanted of it may have changed
        try:
            prepared = await conversion.prepare(source, self._config().conversion, job.wanted)
        except ConversionFailed as exc:
            if not source.is_url or exc.code == "no_ffmpeg":
                raise
            work.is_early_over = True
            return
        work.is_early_over = prepared.probe.duration is None or not prepared.plan.while_downloading
        if not (source.is_url and work.is_early_over):
            await self._decide(job, file, work, prepared)
        elif prepared.plan.effort is Effort.NONE:  # who watches need not wait for more to know it
            await self.shop.note(job, work, effort=prepared.plan.effort.value, reason=prepared.plan.reason)

    async def _decide(self, job: Job, file: JobFile, work: Work, prepared: Prepared) -> None:
        plan = prepared.plan

        async def note(output: str) -> None:
            await self.shop.note(job, work, effort=plan.effort.value, reason=plan.reason, output=output)

        log.info("to convert job=%s file=%d effort=%s: %s", job.id, file.index, plan.effort, plan.reason)
        await self._naming.choose(job, file, plan.suffix, work.record.output, note)
        work.prepared = prepared

    # --- running ---

    def _waiting(self, jobs: Iterable[Job]) -> list[Candidate]:
        now = self._clock()
        return [
            candidate
            for job in jobs
            for file in self._videos(job)
            if (work := self._work.get(job.id, {}).get(file.index)) and work.prepared and not work.task
            if work.record.status is ConversionState.WAITING and work.rests_until <= now
            if (candidate := self._candidate(job, file, work))
        ]

    def _candidate(self, job: Job, file: JobFile, work: Work) -> Candidate | None:
        is_whole = self._streams.is_whole(job, file)
        if (work.is_early_over and not is_whole) or not self.source(job, file):
            return None
        return Candidate(
            job_id=job.id,
            file_index=file.index,
            encodes=work.record.effort == Effort.TRANSCODE,
            is_whole=is_whole,
            is_watched=self._streams.is_watched(job.id),
            priority=job.priority,
            position=job.position,
        )

    def _running(self) -> list[Candidate]:
        """Those that take part of the machine: not one whose film has stopped arriving, perhaps for ever."""
        return [x.candidate for _, _, x in self._all() if x.candidate and not self._is_stuck(x.candidate)]

    def _is_stuck(self, one: Candidate) -> bool:
        job = self._book.living.get(one.job_id)
        return not one.is_whole and job is not None and job.blocked_by is not None

    def _file(self, job: Job, work: Work) -> JobFile | None:
        return next((x for x in self._videos(job) if x.index == work.record.file_index), None)

    async def _run(self, job: Job, work: Work) -> None:
        work.used_bytes = 0
        room.check(work, self._config(), self._book.living.values())
        await self.shop.note(
            job, work, status=ConversionState.RUNNING, progress=0.0, error_code=None, error_message=None
        )
        await self._make(job, work)
        await self._finish(job, work)

    def reserved(self) -> int:
        """Bytes that the conversions which run will still write to the disk of the downloads."""
        return room.reserved((work for _, _, work in self._all()), self._config())

    def needs(self) -> list[int]:
        """Bytes on the disk of the downloads, see `room.needs`."""
        works = [work for _, _, work in self._all()]
        return room.needs(list(self._book.living.values()), works, self._config())

    async def _make(self, job: Job, work: Work) -> None:
        file = self._file(job, work)
        output = work.record.output
        assert file and work.prepared and output  # noqa: PT018 - said of all three at once
        source = self.source(self._newest(job), file)
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
            is_whole = self._streams.is_whole(self._newest(job), file)
            return not is_whole and self.feeding.is_hungry(job.id, file.index)

        async def place(part: Path) -> Path:
            return await self._naming.put(
                job, file, part, Path(output), lambda name: self.shop.note(job, work, output=name)
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
        return Task(
            source=source or Source(str(original)),
            original=original,
            target=Path(output),
            temp=self._config().storage.temp_path,
            name=f"{job.id}-{index}",
            stall_seconds=self._config().conversion.stall_seconds,
        )

    async def _finish(self, job: Job, work: Work) -> None:
        index, output = work.record.file_index, work.record.output or ""
        files = self._book.files.get(job.id, ())
        self._book.note_files(job.id, [replace(x, output=output) if x.index == index else x for x in files])
        await self.shop.note(
            job, work, status=ConversionState.DONE, progress=100.0, completed_at=self._book.now(),
            error_code=None, error_message=None, speed=None, eta_seconds=0,
        )  # fmt: skip
        self._shelf.listener()
        log.info("converted job=%s file=%d path=%s", job.id, index, output)

    def _on_progress(self, job: Job, work: Work, step: Progress) -> None:
        share = 99.99 if step.fraction is None else min(99.99, round(step.fraction * 100, 2))
        eta = -1 if step.eta is None else round(step.eta)
        work.used_bytes = step.bytes or work.used_bytes
        work.record = replace(work.record, progress=share, speed=step.speed, eta_seconds=eta)
        self._book.announce(Kind.PROGRESS, self._book.living.get(job.id, job))
        if self._clock() - work.written_at >= WRITE_SECONDS:
            work.written_at = self._clock()
            self._book.changed.set()

    async def write(self) -> None:
        """The progress of all that run, in one transaction."""
        running = [(job_id, work.record) for job_id, _, work in self._all() if work.candidate]

        def put(db: sqlite_utils.Database) -> None:
            for job_id, record in running:
                rows.put(db, job_id, record)

        if running:
            await self._db.run(put)
