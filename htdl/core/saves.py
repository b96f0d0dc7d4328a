"""Resume data: when it is taken from the engine, and how far it is to be trusted later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from htdl.core import payload
from htdl.core.book import Book
from htdl.errors import NoSuchJob
from htdl.jobs import Job, JobFile
from htdl.store.resume import Resume
from htdl.torrent.api import Engine

DISTRUST = ""  # a boot that never was: what is on disk is verified before it is believed


class Saves:
    """`boot_id` names this boot: what was only written, not synced, is lost when the machine goes down."""

    def __init__(self, book: Book, engine: Engine, boot_id: str) -> None:
        self._book = book
        self._engine = engine
        self._boot_id = boot_id
        self._synced: set[str] = set()  # finished jobs whose files outlast a power cut

    def resume(self, job: Job, blob: bytes) -> Resume:
        """Resume data of now."""
        return Resume(blob, self._book.now(), None if job.id in self._synced else self._boot_id)

    def is_trusted(self, job: Job, resume: Resume) -> bool:
        """Whether its progress need not be verified; notes what has been synced before, and that what is
        fetched from now on is not.
        """
        if not job.has_ended:
            self._synced.discard(job.id)
        elif resume.boot_id is None:
            self._synced.add(job.id)
        return resume.boot_id in {None, self._boot_id}

    async def taken(self, job_ids: Iterable[str]) -> dict[str, Resume]:
        """From the engine, of those of these jobs that have moved on since it was last taken."""
        blobs, living = await self._engine.save(sorted(job_ids)), self._book.living
        return {key: self.resume(living[key], blob) for key, blob in blobs.items() if key in living}

    async def sync(self, job: Job, files: Iterable[JobFile], blob: bytes) -> None:
        """Bring a finished job's files to the disk itself; from then on they are trusted after any boot."""
        paths = [file.path for file in files if file.wanted and file.size]
        if await asyncio.to_thread(payload.sync, Path(job.save_path), paths) and await self._stands(job):
            if job.id in self._book.living:
                self._synced.add(job.id)
            await self._book.flush({job.id: Resume(blob, self._book.now(), None)})

    async def _stands(self, job: Job) -> bool:
        """Whether it was neither removed nor begun again meanwhile."""
        try:
            return (await self._book.find(job.id)).attempts == job.attempts
        except NoSuchJob:
            return False

    def forget(self, job_id: str) -> None:
        self._synced.discard(job_id)
