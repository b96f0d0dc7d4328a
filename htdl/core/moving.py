"""The looks of each turn: what the engine and the conversions say of the jobs that move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from htdl.core import download, yielding
from htdl.core.book import Book
from htdl.core.findings import Findings
from htdl.core.service import Service
from htdl.core.telling import Telling
from htdl.jobs import Blocked, Job, State
from htdl.torrent.api import Engine, Status

LOOKS_AT_ONCE = 100
SEED_LOOK_SECONDS = 5.0  # between two looks at the seeds


class Moving:
    """`clock` is monotonic, in seconds."""

    def __init__(
        self,
        book: Book,
        service: Service,
        engine: Engine,
        findings: Findings,
        telling: Telling,
        clock: Callable[[], float],
    ) -> None:
        self._book = book
        self._service = service
        self._engine = engine
        self._findings = findings
        self._telling = telling
        self._clock = clock
        self._last_seed_look = clock()
        self._yielding: set[str] = set()  # jobs that make way for a watched one

    async def look(self) -> None:
        """At everything that moves."""
        self._make_way()
        is_seed_look = self._clock() - self._last_seed_look >= SEED_LOOK_SECONDS
        if is_seed_look:
            self._last_seed_look = self._clock()
        jobs = [
            x
            for x in self._book.living.values()
            if x.status is State.DOWNLOADING or (is_seed_look and x.seeding)
        ]
        for job in [x for x in self._book.living.values() if x.status is State.CONVERTING]:
            self._look_at_conversion(job)
        for number, job in enumerate(jobs):
            if number % LOOKS_AT_ONCE == 0:
                await asyncio.sleep(0)  # lets those who listen take their events; thousands would not fit
            if status := self._engine.status(job.id):
                self.look_at(self._book.living.get(job.id, job), status)

    def _look_at_conversion(self, job: Job) -> None:
        standing = self._service.conversions.standing(job)
        reason = Blocked.DISK_FULL if standing.found_disk_full else None
        self._book.note(
            job.id,
            blocked_by=reason,
            detail=download.waiting_words(reason) if reason else standing.detail,
            eta_seconds=standing.eta_seconds,
        )

    def _make_way(self) -> None:
        """Slow down the others while somebody watches a video that is still arriving."""
        living = self._book.living
        before, streams = self._yielding, self._service.streams
        running = [job for job in living.values() if job.status is State.DOWNLOADING]
        self._yielding = yielding.yielding(running, {x.id for x in running if streams.is_read(x.id)})
        for job in [living[job_id] for job_id in before | self._yielding if job_id in living]:
            speed = yielding.download_limit(job) if job.id in self._yielding else job.max_download_speed
            self._engine.set_limits(job.id, max_download_speed=speed, max_upload_speed=job.max_upload_speed)

    def look_at(self, job: Job, status: Status) -> None:
        """Take over what the engine says of one."""
        if job.status is State.DOWNLOADING:
            course = self._findings.follow(job.id, status)
            numbers = download.numbers(job, status, course, self._clock())
            if job.id in self._yielding:
                numbers["detail"] = numbers["detail"] or yielding.DETAIL
            self._book.note(job.id, **numbers)
            self._service.streams.follow(job.id)
            self._telling.tell_ready(job.id)
        elif job.seeding:
            self._book.note(
                job.id,
                upload_speed=status.upload_speed,
                uploaded_bytes=status.uploaded_bytes,
                peers=status.peers,
            )
            rules = self._service.config.torrent
            if download.has_seeded_enough(status, job.total_bytes, rules.seed_ratio, rules.seed_minutes):
                self._findings.of(job.id).has_seeded_enough = True
