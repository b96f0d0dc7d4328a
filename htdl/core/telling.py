"""Says once in each attempt of a job that it can be watched."""

from __future__ import annotations

import logging

from htdl.core.book import Book
from htdl.core.service import Service
from htdl.events import Kind
from htdl.jobs import Job

log = logging.getLogger(__name__)


class Telling:
    def __init__(self, book: Book, service: Service) -> None:
        self._book = book
        self._service = service
        self._ready: dict[str, int] = {}  # in which attempt it was said of a job

    def tell_ready(self, job_id: str) -> None:
        """Say it when it is so."""
        job = self._book.living.get(job_id)
        if job and not self._is_told(job):
            verdict = self._service.view(job).readiness
            if verdict.ready:
                self._say_ready(job, verdict.reason)

    def tell_whole(self, job: Job) -> None:
        """The same of one that was too fast to be looked at."""
        if not self._is_told(job):
            self._say_ready(job, "the whole file is here")

    def forget(self, job_id: str) -> None:
        self._ready.pop(job_id, None)

    def _is_told(self, job: Job) -> bool:
        return self._ready.get(job.id) == job.attempts

    def _say_ready(self, job: Job, reason: str) -> None:
        self._ready[job.id] = job.attempts
        log.info("ready for streaming job=%s name=%r: %s", job.id, job.name, reason)
        self._book.announce(Kind.READY, job)
