"""The jobs as they are now: the living ones in memory, all of them in the database.

Nothing else writes jobs.  A change is one transaction, then memory, then one event, in that order, one change
at a time, and never half of it, even when who asked for it gives up; so memory never says what the database
does not, but for the numbers of a running download, which `note` keeps and `flush` writes, all jobs in one
transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlite_utils

from htdl.core import sorting
from htdl.errors import HtdlError, NoSuchJob
from htdl.events import Bus, Kind
from htdl.jobs import Job, JobFile, JobQuery, can_move
from htdl.store import jobs as rows
from htdl.store import resume as resumes
from htdl.store.db import Database
from htdl.store.resume import Resume

Clock = Callable[[], datetime]

REMEMBERED = 200  # ended jobs whose files stay in memory: their last events may still be on their way
MOST_TOLD = 5  # of the jobs that a name may mean

Listing = tuple[list[tuple[Job, tuple[JobFile, ...]]], int]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Book:
    def __init__(self, db: Database, bus: Bus, clock: Clock = utc_now) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._writing = asyncio.Lock()
        self._numbers: set[str] = set()  # jobs whose numbers are newer here than in the database
        self._file_numbers: set[str] = set()
        self.living: dict[str, Job] = {}  # not ended, or seeding, or with data still to be removed
        self.files: dict[str, tuple[JobFile, ...]] = {}
        self._ended: deque[str] = deque()
        self._edition = 0  # of which jobs there are, and of those that have ended: counts their changes
        self._listed: tuple[int, JobQuery, Listing] | None = None  # the last that was read, if it was short
        self.loaded = asyncio.Event()
        self.changed = asyncio.Event()  # something to decide about

    async def load(self) -> None:
        """Bring the living jobs into memory; verbs wait for it, questions do not."""

        def read(db: sqlite_utils.Database) -> tuple[list[Job], dict[str, tuple[JobFile, ...]]]:
            jobs = rows.living(db)
            return jobs, rows.files(db, [job.id for job in jobs])

        jobs, self.files = await self._db.read(read)
        self.living = {job.id: job for job in jobs}
        self.loaded.set()
        self.changed.set()

    def now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

    # --- questions ---

    @property
    def edition(self) -> int:
        """Another number after every change of any job, but for the numbers of a running one."""
        return self._edition

    async def find(self, name: str) -> Job:
        """The one job whose id begins so; where there is none, the one of the video with just this id.

        Raises NoSuchJob (`no_such_job`, `ambiguous_id`).
        """
        if name in self.living:
            return self.living[name]
        found = await self._db.read(_named, name)
        if not found:
            raise NoSuchJob(f"there is no job {name!r}", hint="`htdl status --all` lists them")
        if len(found) > 1:
            is_video = found[0].video_id == name
            raise NoSuchJob(
                f"several jobs are of video {name!r}" if is_video else f"several jobs begin with {name!r}",
                hint=f"give the id of one: {_told_apart(found)}",
                code="ambiguous_id",
            )
        return self._newest(found[0])

    async def by_video(self, video_id: str) -> Job:
        job = await self._db.read(rows.by_video, video_id)
        if job is None:
            raise NoSuchJob(f"there is no job of video {video_id!r}", hint="`htdl status --all` lists them")
        return self._newest(job)

    async def listing(self, query: JobQuery, ready: Sequence[str] = ()) -> Listing:
        """The jobs with their files, and how many there would be without the query's limit.  `ready` are
        those that can be watched and have not ended, where that is asked for.

        What an application asks every second is read once and kept: while a download takes all of the
        machine, the way to the database and back is what takes long.
        """
        if not sorting.is_steady(query):
            return await self._read_listing(query, ready)
        edition = self._edition
        if not (self._listed and self._listed[:2] == (edition, query)):
            self._listed = None
            read = await self._read_listing(query)
            if edition != self._edition or len(read[0]) > REMEMBERED:
                return read
            self._listed = edition, query, read
        jobs, total = self._listed[2]
        return [(self._newest(job), self.files.get(job.id, files)) for job, files in jobs], total

    async def _read_listing(self, query: JobQuery, ready: Sequence[str] = ()) -> Listing:
        def read(db: sqlite_utils.Database) -> tuple[list[Job], dict[str, tuple[JobFile, ...]], int]:
            jobs = rows.listing(db, query, ready)
            total = rows.count(db, query, ready) if len(jobs) == query.limit else len(jobs)
            return jobs, rows.files(db, [job.id for job in jobs if job.id not in self.files]), total

        jobs, files, total = await self._db.read(read)
        jobs = sorting.by_numbers([self._newest(job) for job in jobs], query)
        return [(job, self.files.get(job.id) or files.get(job.id, ())) for job in jobs], total

    async def files_of(self, job: Job) -> tuple[JobFile, ...]:
        if job.id in self.files:
            return self.files[job.id]
        return (await self._db.read(rows.files, [job.id])).get(job.id, ())

    def _newest(self, job: Job) -> Job:
        return self.living.get(job.id, job)

    # --- changes ---

    async def add(self, make: Callable[[sqlite_utils.Database], tuple[Job, bool]]) -> tuple[Job, bool]:
        """Run `make` in a transaction: it inserts a job, or finds the one there is.  True for a new one."""
        return await asyncio.shield(self._add(make))

    async def _add(self, make: Callable[[sqlite_utils.Database], tuple[Job, bool]]) -> tuple[Job, bool]:
        def write(db: sqlite_utils.Database) -> tuple[Job, bool, tuple[JobFile, ...], list[Job]]:
            job, is_new = make(db)
            others = rows.same_torrent(db, job.info_hash, job.info_hash_v2) if is_new else []
            return job, is_new, rows.files(db, [job.id])[job.id], others

        async with self._writing:
            job, is_new, files, others = await self._db.run(write)
            if is_new:  # all of it at once: a living job without its files would be one that has none
                self.living[job.id] = job
                self.files[job.id] = files
                for other in others:
                    if other.id in self.living and self.living[other.id].seeding and not other.seeding:
                        self._tell(Kind.CHANGED, other)  # it gave the torrent up in that transaction
                    self._keep(other)
                self._tell(Kind.ADDED, job)
        return self._newest(job), is_new

    async def change(
        self,
        job_id: str,
        kind: Kind = Kind.CHANGED,
        *,
        files: Sequence[JobFile] | None = None,
        resume: Resume | None = None,
        also: Callable[[sqlite_utils.Database], object] | None = None,
        **fields: Any,
    ) -> Job:
        """Set these fields, its files and its resume data, in one transaction; `also` joins it."""

        def write(db: sqlite_utils.Database) -> None:
            if files is not None:
                rows.put_files(db, job_id, files)
            if resume is not None:
                resumes.put(db, job_id, resume)
            if also is not None:
                also(db)

        return await asyncio.shield(self._change(job_id, kind, files, write, fields))

    async def _change(
        self,
        job_id: str,
        kind: Kind,
        files: Sequence[JobFile] | None,
        also: Callable[[sqlite_utils.Database], None],
        fields: dict[str, Any],
    ) -> Job:
        async with self._writing:
            job = self._moved(await self._current(job_id), fields)

            def write(db: sqlite_utils.Database) -> None:
                rows.update(db, [job])
                also(db)

            await self._db.run(write)
            job = replace(self._newest(job), **fields, updated_at=job.updated_at)  # numbers may have moved on
            if files is not None:
                self.files[job.id] = tuple(files)
            self._tell(kind, job)
            self._keep(job)
        return job

    def _moved(self, job: Job, fields: dict[str, Any]) -> Job:
        new = fields.get("status", job.status)
        if not can_move(job.status, new):
            raise HtdlError(f"a {job.status} job cannot become {new}")  # a bug of ours, and loud
        return replace(job, **fields, updated_at=self.now())

    async def _current(self, job_id: str) -> Job:
        if job_id in self.living:
            return self.living[job_id]
        job = await self._db.run(rows.fetch, job_id)
        if job is None:
            raise NoSuchJob(f"there is no job {job_id!r} any more")
        return job

    async def arrange(self, decide: Callable[[Iterable[Job]], Iterable[Job]]) -> None:
        """Take over the priorities and positions that `decide` gives living jobs, in one transaction."""
        await asyncio.shield(self._arrange(decide))

    async def _arrange(self, decide: Callable[[Iterable[Job]], Iterable[Job]]) -> None:
        async with self._writing:
            changed = [replace(job, updated_at=self.now()) for job in decide(self.living.values())]
            await self._db.run(rows.update, changed)
            for new in changed:
                job = replace(
                    self._newest(new),  # numbers may have moved on
                    priority=new.priority,
                    position=new.position,
                    updated_at=new.updated_at,
                )
                self._tell(Kind.CHANGED, job)
                self._keep(job)

    async def remove(self, job: Job) -> None:
        await asyncio.shield(self._remove(job))

    async def _remove(self, job: Job) -> None:
        async with self._writing:
            await self._db.run(rows.delete, job.id)
            self._tell(Kind.REMOVED, job)
            self.living.pop(job.id, None)
            self.files.pop(job.id, None)

    def note(self, job_id: str, **numbers: Any) -> None:
        """The numbers of a running download, in memory and to those who listen; `flush` writes them."""
        job = self.living.get(job_id)
        if job is None:
            return
        changed = {name: value for name, value in numbers.items() if getattr(job, name) != value}
        if changed:
            job = self.living[job_id] = replace(job, **changed, updated_at=self.now())
            self._numbers.add(job_id)
            says_more = {"blocked_by", "detail"} & changed.keys()
            self._bus.publish(Kind.CHANGED if says_more else Kind.PROGRESS, job)

    def note_files(self, job_id: str, files: Iterable[JobFile]) -> None:
        new = tuple(files)
        if job_id in self.living and new != self.files.get(job_id):
            self.files[job_id] = new
            self._file_numbers.add(job_id)

    def announce(self, kind: Kind, job: Job) -> None:
        """An event that changes no row."""
        self._bus.publish(kind, job)

    async def flush(self, resume: dict[str, Resume] | None = None) -> None:
        """Write all numbers, and this resume data, in one transaction."""
        await asyncio.shield(self._flush(resume))

    async def _flush(self, resume: dict[str, Resume] | None) -> None:
        async with self._writing:
            ids, file_ids = self._numbers & self.living.keys(), self._file_numbers & self.files.keys()
            self._numbers, self._file_numbers = set(), set()
            jobs = [self.living[job_id] for job_id in ids]
            files = [(job_id, file) for job_id in file_ids for file in self.files[job_id]]
            if not (jobs or files or resume):
                return

            def write(db: sqlite_utils.Database) -> None:
                rows.update(db, jobs)
                rows.update_files(db, files)
                for job_id, one in (resume or {}).items():
                    resumes.put(db, job_id, one)

            try:
                await self._db.run(write)
            except HtdlError:
                self._numbers |= ids
                self._file_numbers |= file_ids
                raise
            if any(job.has_ended for job in jobs):
                self._edition += 1  # one that seeds: those that ended are listed by their last change

    async def resume_of(self, job_id: str) -> Resume | None:
        return await self._db.read(resumes.get, job_id)

    async def forget_paths(self, save_path: str) -> None:
        """The files in this folder are gone: no job that has ended says any more where they are."""
        await self._db.run(rows.forget_paths, save_path)
        self._edition += 1

    def _tell(self, kind: Kind, job: Job) -> None:
        self._edition += 1
        self._bus.publish(kind, job)
        self.changed.set()

    def _keep(self, job: Job) -> None:
        if not job.has_ended or job.seeding or job.delete_data:
            self.living[job.id] = job
        else:
            self.living.pop(job.id, None)
            self._ended.append(job.id)
            while len(self._ended) > REMEMBERED:
                forgotten = self._ended.popleft()
                if forgotten not in self.living:
                    self.files.pop(forgotten, None)


def _named(db: sqlite_utils.Database, name: str) -> list[Job]:
    """The first that may be meant, one more than are told of."""
    if not name:
        return []
    return rows.find(db, name.lower(), MOST_TOLD + 1) or rows.of_video(db, name, MOST_TOLD + 1)


def _told_apart(jobs: Sequence[Job]) -> str:
    """As much of each id as tells it from the others, with its name: "3f2a91bc (film.mkv), 3f2a07d1 (…)"."""
    length = next((n for n in range(8, 36) if len({job.id[:n] for job in jobs}) == len(jobs)), None)
    told = [f"{job.id[:length]} ({job.name})" for job in jobs[:MOST_TOLD]]
    return ", ".join(told) + (", and others" if len(jobs) > MOST_TOLD else "")
