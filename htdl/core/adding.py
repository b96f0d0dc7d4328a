"""How a torrent gets a job: the one that has it already, or a new one with a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import sqlite_utils

from htdl.config import Config
from htdl.core import payload, requests
from htdl.core.book import Book
from htdl.core.requests import NOT_SEEDING, called, living_of
from htdl.errors import Refused
from htdl.jobs import AddRequest, Job, JobFile, Wish
from htdl.store import jobs as rows
from htdl.store.db import Database
from htdl.store.resume import Resume
from htdl.torrent.api import Engine, Source


class Adding:
    def __init__(self, db: Database, book: Book, engine: Engine, config: Callable[[], Config]) -> None:
        self._db = db
        self._book = book
        self._engine = engine
        self._config = config

    async def add(self, request: AddRequest) -> tuple[Job, bool]:
        """A new job, or the one that has this torrent already (then False): a living one, or a complete one
        with its files.

        Raises BadSource, BadRequest.
        """
        await self._book.loaded.wait()
        requests.check(request)
        source = await self._engine.inspect(request.torrent or request.source or "")
        files = requests.files_of(source, requests.wanted(request))
        download_path = self._config().torrent.download_path
        fresh = requests.new_job(request, source, files, download_path, self._book.now())
        # files of a job that was forgotten, say
        is_in_use = await asyncio.to_thread(_is_in_use, Path(fresh.save_path), files)

        complete = await self._complete_one(source, request)

        def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
            same = rows.same_torrent(db, source.info_hash, source.info_hash_v2)
            if living := living_of(same):
                _reject_cancelled(living)
                return living, False
            for job in same:
                if complete and job.id == complete.id and requests.is_kept(job):
                    return job, False
            # what is on disk from an ended job is verified there, not fetched again
            home = next((job.save_path for job in same if job.save_path), None)
            if home is None:
                home = requests.free_folder(fresh, is_taken=is_in_use or rows.has_folder(db, fresh.save_path))
            rows.update(db, [replace(job, **NOT_SEEDING) for job in same if job.seeding])
            job = replace(fresh, position=rows.next_position(db), save_path=home)
            job = replace(job, file_path=requests.main_path(job, files))
            rows.insert(db, job, files, Resume(source.resume, self._book.now(), None))
            return job, True

        return await self._book.add(insert)

    async def _complete_one(self, source: Source, request: AddRequest) -> Job | None:
        """The job that has fetched all that is asked for, and whose files are there still."""
        for job in await self._db.read(rows.same_torrent, source.info_hash, source.info_hash_v2):
            if not requests.is_kept(job):
                continue
            files = await self._book.files_of(job)
            is_given = bool(files) and requests.gives(job, files, request)
            if is_given and await asyncio.to_thread(payload.is_whole, Path(job.save_path), files):
                return job
        return None


def _is_in_use(folder: Path, files: Sequence[JobFile]) -> bool:
    """Whether something there could be written over.  Files of the same names and sizes are taken for the
    torrent's own, and verified; of a magnet no names are known.
    """
    try:
        if not any(folder.iterdir()):
            return False
    except OSError:  # there is none, or nothing can be written there either
        return False
    return not files or any(_differs(folder / file.path, file.size) for file in files)


def _differs(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size != size
    except OSError:  # it is not there
        return False


def _reject_cancelled(job: Job) -> None:
    """Raises Refused for a job that is about to end, and so of no use to who asks for its torrent."""
    if job.wish is Wish.CANCEL:
        raise Refused(f"{called(job)} has this torrent and is being cancelled", hint="try again in a moment")
