"""What is asked of a conversion: of a job, or of a file outside any job, which becomes a job of its own.

What cannot be made is said at once, before anything is changed, wherever the source is whole.  A source is
read and never written, and that of a file's own job is never removed either.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import sqlite_utils

from htdl.config import Config
from htdl.core import admission, conversion, payload, requests
from htdl.core.book import Book
from htdl.core.conversions import Conversions
from htdl.core.standing import TO_LOOK
from htdl.core.streams import Streams
from htdl.errors import BadRequest, BadSource, Refused
from htdl.jobs import FileRequest, Job, JobFile, State, Wanted, Wish
from htdl.media.plan import Plan
from htdl.media.source import Source
from htdl.store import conversions as records
from htdl.store import jobs as rows
from htdl.stream.kinds import is_video

FORMATS = ("mp4", "webm", "original")
CODECS = ("h264", "vp9", "av1")
MOST_LANGUAGES = 20
MOST_CHARACTERS = 4096  # of a path, PATH_MAX of limits.h

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")  # BCP 47, as far as a track has one
_AGAIN: dict[str, Any] = {
    "status": State.CONVERTING,
    "wish": Wish.RUN,
    "detail": TO_LOOK,
    "blocked_by": None,
    "error_code": None,
    "error_message": None,
    "completed_at": None,
}


class Converting:
    """`config` gives the configuration of the moment."""

    def __init__(
        self, book: Book, streams: Streams, conversions: Conversions, config: Callable[[], Config]
    ) -> None:
        self._book = book
        self._streams = streams
        self._conversions = conversions
        self._config = config

    async def convert(self, prefix: str, wanted: Wanted) -> Job:
        """Make of a job's videos what is wanted: of one that is whole now, whatever was made of it before; of
        one that still downloads when its turn comes.

        Raises NoSuchJob, BadRequest, Refused, ConversionFailed for what cannot be made.
        """
        check(wanted)
        await asyncio.to_thread(check_folder, wanted.output)
        await self._book.loaded.wait()
        job = await self._book.find(prefix)
        files = await self._book.files_of(job)
        _reject_cancelled(job)
        _reject_without_video(job, files)
        changes: dict[str, Any] = {"wanted": wanted} | (_AGAIN if job.has_ended else {})
        if job.has_ended or job.is_local or job.status is State.CONVERTING:
            files = await asyncio.to_thread(_whole, job, files)
            main = requests.main_path(job, files)
            await self._plan(Source(main or ""), wanted)
            changes["file_path"] = job.file_path or main

        def renew(db: sqlite_utils.Database) -> None:
            if now := self._book.living.get(job.id):  # who changes one that has ended makes it live
                _reject_changed(job, now)
            records.renew(db, job.id, self._book.now())

        async with self._conversions.renewed(job.id):
            _reject_changed(job, await self._book.find(job.id))
            now = await self._book.change(job.id, files=files, also=renew, **changes)
        # it was whole a moment after we looked: then nobody would convert it any more
        return await self.convert(job.id, wanted) if now.has_ended else now

    async def convert_file(self, request: FileRequest) -> tuple[Job, bool]:
        """A new job of a file outside any job; or the one that makes just this of it (then False).

        Raises BadRequest, BadSource, Refused, ConversionFailed for what cannot be made.
        """
        await self._book.loaded.wait()
        check(request)
        requests.check_numbers(request.priority)
        await asyncio.to_thread(check_folder, request.output)
        path, size = await asyncio.to_thread(regular_file, request.path)
        if same := self._same(path, wanted_of(request)):
            return same, False
        await self._plan(Source(str(path)), wanted_of(request))
        fresh, file = local_job(request, path, size, self._book.now())

        def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
            job = replace(fresh, position=rows.next_position(db))
            rows.insert(db, job, [file])
            return job, True

        return await self._book.add(insert)

    async def plan(self, prefix: str, index: int | None, wanted: Wanted) -> Plan:
        """What would be made of a job's file, the main one where none is named.

        Raises as `convert` does, and Refused while too little of it is here.
        """
        check(wanted)
        job = await self._book.find(prefix)
        file = self._streams.file(job, await self._book.files_of(job), index)
        path = Path(job.save_path) / file.path
        is_here = file.progress >= 100.0 and await asyncio.to_thread(path.is_file)
        source = Source(str(path)) if is_here else self._conversions.source(job, file)
        if source is None:
            raise Refused(
                f"nothing can be said of {file.path} yet: too little of it is here",
                hint=f"ask again when `htdl show {job.id[:8]}` says that it can be watched",
            )
        return await self._plan(source, wanted)

    async def plan_file(self, request: FileRequest) -> Plan:
        """What would be made of a file outside any job.  Raises as `convert_file` does."""
        check(request)
        path, _ = await asyncio.to_thread(regular_file, request.path)
        return await self._plan(Source(str(path)), wanted_of(request))

    async def _plan(self, source: Source, wanted: Wanted) -> Plan:
        return (await conversion.prepare(source, self._config().conversion, wanted)).plan

    def _same(self, path: Path, wanted: Wanted) -> Job | None:
        living = [x for x in self._book.living.values() if x.is_local and not x.has_ended]
        return next(
            (x for x in living if (x.source, x.wanted) == (str(path), wanted) and x.wish is Wish.RUN), None
        )


# --- pure ---


def check(wanted: Wanted) -> None:
    """Raises BadRequest for what cannot be taken."""
    for name, word, known in (("format", wanted.format, FORMATS), ("codec", wanted.codec, CODECS)):
        if word and word not in known:
            raise BadRequest(f"{name} {word!r:.100} is not known", hint=f"use {', '.join(known)}")
    if len(wanted.audio) > MOST_LANGUAGES:
        raise BadRequest("too many languages", hint=f"at most {MOST_LANGUAGES}")
    for language in wanted.audio:
        if not _LANGUAGE.fullmatch(language):
            raise BadRequest(f"{language!r:.100} is no language", hint="use a code as en, deu or pt-BR")
    if wanted.output:
        check_path(wanted.output)


def check_path(path: str) -> None:
    """Raises BadRequest for what names no file here."""
    if not Path(path).is_absolute() or "\0" in path or len(path) > MOST_CHARACTERS:
        raise BadRequest(f"{path!r:.200} is no absolute path", hint="give it from / on")


def wanted_of(request: FileRequest) -> Wanted:
    return Wanted(**{x.name: getattr(request, x.name) for x in fields(Wanted)})


def local_job(request: FileRequest, path: Path, size: int, now: str) -> tuple[Job, JobFile]:
    """The job of a file outside any job; its `position` is the store's to give."""
    job_id = str(uuid.uuid4())
    job = Job(
        id=job_id,
        video_id=job_id,
        torrent_id="",
        created_at=now,
        updated_at=now,
        source=str(path),
        name=path.name,
        priority=request.priority,
        progress=100,
        total_bytes=size,
        done_bytes=size,
        save_path=str(path.parent),
        file_path=str(path),
        metadata_at=now,
        wanted=wanted_of(request),
    )
    return job, JobFile(index=0, path=path.name, size=size, progress=100.0)


def _reject_cancelled(job: Job) -> None:
    if job.delete_data or (job.wish is Wish.CANCEL and not job.has_ended):
        raise Refused(f"job {job.id[:8]} ({job.name}) is being cancelled", hint="try again in a moment")
    if job.status is State.CANCELLED:
        raise Refused(
            f"job {job.id[:8]} ({job.name}) was cancelled", hint=f"begin it again: `htdl retry {job.id[:8]}`"
        )


def _reject_changed(job: Job, now: Job) -> None:
    """To look into a video takes long: what was asked of its job meanwhile must not be undone."""
    _reject_cancelled(now)
    if job.has_ended and _standing(now) != _standing(job):
        raise Refused(
            f"job {job.id[:8]} ({job.name}) was changed meanwhile",
            hint=f"see `htdl show {job.id[:8]}`, then ask once more",
        )


def _standing(job: Job) -> tuple[object, ...]:
    return job.status, job.wish, job.attempts, job.file_path


def _reject_without_video(job: Job, files: Sequence[JobFile]) -> None:
    if files and not any(x.wanted and (job.is_local or is_video(x.path)) for x in files):
        raise Refused(f"job {job.id[:8]} ({job.name}) has no video", hint="`htdl show` lists its files")


# --- that look at the disk, and block ---


def regular_file(given: str) -> tuple[Path, int]:
    """A file that can be read, with every link followed, and its size.  Raises BadRequest, BadSource."""
    check_path(given)
    try:
        path = Path(given).resolve(strict=True)
        if path.is_dir():
            raise BadSource(f"{given} is a folder", hint="give the path of a video")
        if not path.is_file():  # to open a named pipe would wait for ever
            raise BadSource(f"{given} is no regular file", hint="give the path of a video")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise BadSource(f"there is no file {given}") from exc
    except (OSError, RuntimeError) as exc:  # RuntimeError: links that go round in circles, in Python 3.11
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise BadSource(f"the daemon cannot read {given}: {why}", hint="let its user read it") from exc
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise BadSource(f"{given} is no regular file", hint="give the path of a video")
    return path, found.st_size


def check_folder(output: str) -> None:
    """Raises Refused where no results could be put; an empty path is the folder for videos."""
    folder = admission.nearest(Path(output))
    if output and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        why = "the daemon may not write there" if folder.is_dir() else f"{folder} is no folder"
        raise Refused(f"no results can be put into {output}: {why}", hint="name another folder with --output")


def _whole(job: Job, files: Sequence[JobFile]) -> tuple[JobFile, ...]:
    """The files of a job that fetches nothing, as they are on disk.  Raises Refused, BadSource."""
    if job.is_local:
        path, size = regular_file(job.source)
        return (JobFile(index=0, path=path.name, size=size, progress=100.0, output=files[0].output),)
    is_left = job.status is State.COMPLETED or all(x.progress >= 100.0 for x in files if x.wanted)
    if not (files and is_left and payload.is_whole(Path(job.save_path), files)):
        raise Refused(
            f"job {job.id[:8]} ({job.name}) does not have all its files any more",
            hint=f"fetch what is missing first: `htdl retry {job.id[:8]}`",
        )
    return tuple(files)
