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
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from htdl.config import Config
from htdl.core import lanes, room, standing
from htdl.core.book import Book
from htdl.core.conversion import Prepared
from htdl.core.feeding import Feeding
from htdl.core.lanes import Candidate
from htdl.core.links import Links
from htdl.core.looking import Looking
from htdl.core.making import Making
from htdl.core.naming import Naming
from htdl.core.shelf import Shelf
from htdl.core.standing import Standing
from htdl.core.streams import Streams
from htdl.core.work import Work, Workshop
from htdl.errors import ConversionFailed
from htdl.jobs import Conversion, ConversionState, Job, JobFile, State, Wish
from htdl.media.plan import Effort
from htdl.media.source import Source
from htdl.media.tools import find_tools
from htdl.store import conversions as rows
from htdl.store.db import Database
from htdl.stream.kinds import is_video

log = logging.getLogger(__name__)

MAX_LOOKING = 4  # videos at a time: a torrent may hold thousands
_RUNS = {State.DOWNLOADING, State.CONVERTING}


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
        self._streams = streams
        self._config = config
        self._clock = clock
        self.shop = Workshop(db, book, clock)
        self.feeding = Feeding(streams.feed)
        self._work: dict[str, dict[int, Work]] = {}  # by job and file
        self._naming = Naming(db, book, shelf, config, lambda: (x.record.output for _, _, x in self._all()))
        self._looks = Looking(book, streams, links, self._naming, self.shop, config)
        self._making = Making(
            db, book, shelf, streams, self.feeding, self._naming, self.shop, self.source, self.reserved,
            config, clock,
        )  # fmt: skip
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
                await self._making.sweep(job, record)
            some[record.file_index] = Work(record)
        self._work[job.id] = some

    async def _sweep(self) -> None:
        """Remove what a crash left of every run, also of those that are not taken up again.  Once."""
        found = await self._db.read(rows.living)
        every = [(self._book.living.get(job_id), x) for job_id, some in found.items() for x in some]
        for job, record in every:
            if job and record.status is ConversionState.RUNNING:
                await self._making.sweep(job, record)
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
            return standing.DONE
        known = self._work.get(job.id, {})
        records = [known[file.index].record for file in videos if file.index in known]
        return standing.standing(job, len(videos), records)

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
        return self._making.show_folder(job_id, index)

    async def delete(self, job: Job) -> None:
        """Remove what was made of a job, and forget that it was."""
        if job.id in self._work:
            await self._leave(job.id)
        await self._naming.remove(job)
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

    async def doubt(self, job_id: str) -> None:
        """All that was made of this job, or is being made, is made again: its source may have had holes.  The
        results stay until then.
        """
        async with self.renewed(job_id):
            await self._db.run(rows.renew, job_id, self._book.now())

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
        await asyncio.gather(*(self._leave(x) for x in self._to_leave(jobs)))
        for job in jobs.values():
            if job.id not in self._work:
                await self._take_up(job)
            for file in self._videos(job):
                self._look_at(job, file)
        for one in lanes.next_ones(
            self._waiting(jobs.values()), self._running(), self._config().conversion.max_active
        ):
            work = self._work[one.job_id][one.file_index]
            work.candidate, job = one, jobs[one.job_id]
            file = next(x for x in self._videos(job) if x.index == one.file_index)
            self.shop.begin(job, work, partial(self._making.run, job, file, work))

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

    def _to_leave(self, due: Container[str]) -> list[str]:
        """The jobs that are not due any more, but for those that were left and seed, perhaps thousands."""
        living = self._book.living
        return [
            job_id
            for job_id, some in self._work.items()
            if job_id not in due
            and (job_id not in living or not living[job_id].has_ended or any(x.task for x in some.values()))
        ]

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
        if look := self._looks.next(job, file, work):
            self._looking += 1
            self.shop.begin(job, work, look)

    def source(self, job: Job, file: JobFile) -> Source | None:
        """What of a file is to be read, see `Looking.source`."""
        return self._looks.source(job, file)

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

    async def reserved(self) -> int:
        """Bytes that the conversions which run will still write to the disk of the downloads."""
        works = [work for _, _, work in self._all()]
        return await asyncio.to_thread(room.reserved, works, self._config())

    async def needs(self) -> list[int]:
        """Bytes on the disk of the downloads, see `room.needs`."""
        jobs, works = list(self._book.living.values()), [work for _, _, work in self._all()]
        return await asyncio.to_thread(room.needs, jobs, works, self._config())

    async def write(self) -> None:
        """The progress of all that run, in one transaction."""
        await self._making.write((job_id, work) for job_id, _, work in self._all())
