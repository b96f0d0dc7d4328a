"""The conversions of all living jobs: when each is looked at, begun and ended.

A record says what becomes of each video.  It is written before its conversion begins and after it has ended,
so that a crash leaves one that WAITS or RUNS, and both begin anew.  What a run leaves half-made has a name
that follows from its record.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import sqlite_utils

from htdl.config import Config
from htdl.core import conversion, lanes, payload
from htdl.core.book import Book
from htdl.core.conversion import Prepared, Task
from htdl.core.lanes import Candidate
from htdl.core.links import Links
from htdl.core.shelf import Shelf
from htdl.core.streams import Streams
from htdl.errors import ConversionFailed, DiskFull, HtdlError
from htdl.events import Kind
from htdl.jobs import Conversion, ConversionState, Job, JobFile, State, Wish
from htdl.media.live import PLAYLIST
from htdl.media.plan import Effort
from htdl.media.progress import Progress
from htdl.media.source import Source
from htdl.store import cache
from htdl.store import conversions as rows
from htdl.store.db import Database
from htdl.stream.kinds import is_video

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # a conversion that fails is tried once more
WRITE_SECONDS = 2.0  # between two writes of a progress
NO_ROOM_SECONDS = 15.0  # after the disk was full, before it is tried again
WHILE_DOWNLOADING = "while-downloading"
_FATAL = {"bad_media", "no_ffmpeg"}  # are the same the next time
_RUNS = {State.DOWNLOADING, State.CONVERTING}


@dataclass(slots=True)
class _Work:
    """What is known of one video's conversion in this process."""

    record: Conversion
    prepared: Prepared | None = None
    task: asyncio.Task[None] | None = None  # that looks at it, or makes it
    playlist: Path | None = None  # that is made beside
    candidate: Candidate | None = None  # while it is made
    rests_until: float = 0.0
    written_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Of all videos of a job.  `fault` is the code and the words of what cannot be mended by waiting."""

    is_done: bool
    fault: tuple[str, str] | None = None
    found_disk_full: bool = False


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
        self.on_playlist_end: Callable[[str, int], None] = lambda job_id, index: None
        self._db = db
        self._book = book
        self._shelf = shelf
        self._streams = streams
        self._links = links
        self._config = config
        self._clock = clock
        self._work: dict[str, dict[int, _Work]] = {}  # by job and file

    async def _take_up(self, job: Job) -> None:
        """Go on where an earlier run of the job, or of the daemon, was ended.  What failed is tried anew."""
        some: dict[int, _Work] = {}
        for record in (await self._db.read(rows.of, [job.id]))[job.id]:
            is_made = record.status is ConversionState.DONE and record.output is not None
            if not is_made or not await asyncio.to_thread(Path(record.output or "").exists):
                record = replace(record, status=ConversionState.WAITING, progress=0.0, attempts=0)
                if record.output:
                    task = self._task(job, record.file_index, record.output)
                    await asyncio.to_thread(conversion.sweep, task)
            some[record.file_index] = _Work(record)
        self._work[job.id] = some

    async def stop(self) -> None:
        """End every run, and leave nothing half-made."""
        await asyncio.gather(*(self._end(work) for _, _, work in list(self._all())))

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
        if not self._is_on() or not videos:
            return Standing(is_done=True)
        known = self._work.get(job.id, {})
        records = [known[file.index].record for file in videos if file.index in known]
        failed = next((x for x in records if x.status is ConversionState.FAILED), None)
        if failed and failed.error_code != "no_ffmpeg":
            words = failed.error_code or "", failed.error_message or ""
            return Standing(is_done=False, fault=words)
        ended = [x for x in records if x.status in {ConversionState.DONE, ConversionState.FAILED}]
        now = self._clock()
        is_full = any(known[x.file_index].rests_until > now for x in records)
        return Standing(is_done=len(ended) == len(videos), found_disk_full=is_full)

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
        outputs = [
            Path(x.output) for x in await self.kept(job) if x.output and x.status is ConversionState.DONE
        ]
        for path in outputs:
            await asyncio.to_thread(payload.delete, path.parent, [path.name], "")

        def forget(db: sqlite_utils.Database) -> None:
            rows.delete(db, job.id)
            for path in outputs:
                cache.forget(db, str(path))

        await self._db.run(forget)
        self._work.pop(job.id, None)

    # --- turns ---

    async def turn(self) -> None:
        """Begin and end what is to be; soon done."""
        jobs = {job.id: job for job in self._book.living.values() if self._is_due(job)}
        for job_id in [x for x in self._work if x not in jobs]:
            await self._leave(job_id)
        for job in jobs.values():
            if job.id not in self._work:
                await self._take_up(job)
            for file in self._videos(job):
                self._look_at(job, file)
        for one in lanes.next_ones(
            self._waiting(jobs.values()), self._running(), self._config().conversion.max_active
        ):
            self._begin(one)

    async def _leave(self, job_id: str) -> None:
        """The job stands still or has ended.  A living one still says what became of its videos."""
        for work in self._work[job_id].values():
            await self._end(work)
        job = self._book.living.get(job_id)
        if job is None or not job.has_ended:
            del self._work[job_id]

    def _is_on(self) -> bool:
        settings = self._config().conversion
        return settings.enabled and settings.target_format != "original"

    def _is_due(self, job: Job) -> bool:
        return self._is_on() and job.status in _RUNS and job.wish is Wish.RUN and job.has_metadata

    def _videos(self, job: Job) -> list[JobFile]:
        return [x for x in self._book.files.get(job.id, ()) if x.wanted and x.size and is_video(x.path)]

    def _all(self) -> Iterator[tuple[str, int, _Work]]:
        return ((job, index, work) for job, some in self._work.items() for index, work in some.items())

    def _look_at(self, job: Job, file: JobFile) -> None:
        """Find out what is to be done with it, once enough of it is here."""
        some = self._work.setdefault(job.id, {})
        if file.index not in some:
            some[file.index] = _Work(Conversion(file_index=file.index, created_at=self._book.now()))
        work = some[file.index]
        is_open = work.record.status is ConversionState.WAITING and not work.prepared and not work.task
        if is_open and (source := self.source(job, file)):
            work.task = asyncio.get_running_loop().create_task(self._prepare(job, file, work, source))

    def source(self, job: Job, file: JobFile) -> Source | None:
        """What to read: the file once it is whole, before that our own stream of it."""
        if self._streams.is_whole(job, file):
            return Source(str(Path(job.save_path) / file.path))
        is_early = self._config().conversion.mode == WHILE_DOWNLOADING
        url = self._links.feed(job.id, file)
        if is_early and url and self._streams.has_index(job, file):
            return Source(url, is_url=True)
        return None

    async def _prepare(self, job: Job, file: JobFile, work: _Work, source: Source) -> None:
        try:
            prepared = await conversion.prepare(source, self._config().conversion)
            if source.is_url and (prepared.probe.duration is None or not prepared.plan.while_downloading):
                return  # it is looked at again once it is whole
            await self._decide(job, file, work, prepared)
        except ConversionFailed as exc:
            if not source.is_url or exc.code == "no_ffmpeg":
                await self._fail(job, work, exc)
        except (HtdlError, OSError) as exc:
            log.error("cannot prepare job=%s file=%d: %s", job.id, file.index, exc)
        finally:
            work.task = None
            self._book.changed.set()

    async def _decide(self, job: Job, file: JobFile, work: _Work, prepared: Prepared) -> None:
        plan, config = prepared.plan, self._config()
        output = work.record.output
        if output is None:
            folder = config.storage.base_path / job.video_id
            taken = {x.output for x in self.of(job.id)}
            output = str(
                await asyncio.to_thread(
                    conversion.target_of,
                    folder,
                    file.path,
                    plan.suffix,
                    lambda x: str(x) in taken or x.exists(),
                )
            )
        log.info("to convert job=%s file=%d effort=%s: %s", job.id, file.index, plan.effort, plan.reason)
        await self._note(job, work, effort=plan.effort.value, reason=plan.reason, output=output)
        work.prepared = prepared

    # --- running ---

    def _waiting(self, jobs: Iterable[Job]) -> list[Candidate]:
        now = self._clock()
        return [
            candidate
            for job in jobs
            for work in self._work.get(job.id, {}).values()
            if work.prepared and not work.task and work.record.status is ConversionState.WAITING
            if work.rests_until <= now and (candidate := self._candidate(job, work))
        ]

    def _candidate(self, job: Job, work: _Work) -> Candidate | None:
        file = self._file(job, work)
        effort = work.record.effort
        is_whole = file is not None and self._streams.is_whole(job, file)
        if file is None or (effort == Effort.NONE and not is_whole):
            return None
        return Candidate(
            job_id=job.id,
            file_index=file.index,
            encodes=effort == Effort.TRANSCODE,
            is_whole=is_whole,
            is_watched=self._streams.is_watched(job.id),
            priority=job.priority,
            position=job.position,
        )

    def _running(self) -> list[Candidate]:
        return [work.candidate for _, _, work in self._all() if work.candidate]

    def _file(self, job: Job, work: _Work) -> JobFile | None:
        return next((x for x in self._videos(job) if x.index == work.record.file_index), None)

    def _begin(self, one: Candidate) -> None:
        job, work = self._book.living[one.job_id], self._work[one.job_id][one.file_index]
        work.candidate = one
        work.task = asyncio.get_running_loop().create_task(self._run(job, work))

    async def _run(self, job: Job, work: _Work) -> None:
        try:
            await self._note(job, work, status=ConversionState.RUNNING, progress=0.0)
            await self._make(job, work)
            await self._finish(job, work)
        except DiskFull as exc:
            log.warning("disk full job=%s file=%d: %s", job.id, work.record.file_index, exc.message)
            work.rests_until = self._clock() + NO_ROOM_SECONDS
            await self._note(job, work, status=ConversionState.WAITING, progress=0.0)
        except ConversionFailed as exc:
            await self._fail(job, work, exc)
        except OSError as exc:
            await self._fail(job, work, ConversionFailed(f"{exc.strerror}: {exc.filename}", code="io_error"))
        except HtdlError as exc:  # the database is in use, say: it begins again
            log.error("conversion ends job=%s file=%d: %s", job.id, work.record.file_index, exc)
        finally:
            work.task = work.candidate = None
            if work.playlist:
                work.playlist = None
                self.on_playlist_end(job.id, work.record.file_index)
            self._book.changed.set()

    async def _make(self, job: Job, work: _Work) -> None:
        file = self._file(job, work)
        output = work.record.output
        assert file and work.prepared and output  # noqa: PT018 - said of all three at once
        source = self.source(job, file)
        if source is None:
            raise ConversionFailed(f"{file.path} cannot be read just now")
        task = self._task(job, file.index, output, source)
        is_shown = source.is_url or self._streams.is_watched(job.id)
        if work.prepared.plan.effort is Effort.TRANSCODE and is_shown:
            folder = self.show_folder(job.id, file.index)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            work.playlist = folder / PLAYLIST
            task = replace(task, playlist=work.playlist)
        is_waiting: Callable[[], bool] = lambda: not self._streams.is_whole(job, file)  # noqa: E731 - a closure
        await conversion.perform(task, work.prepared, lambda x: self._on_progress(job, work, x), is_waiting)

    def _task(self, job: Job, index: int, output: str, source: Source | None = None) -> Task:
        file = next((x for x in self._book.files.get(job.id, ()) if x.index == index), None)
        original = Path(job.save_path) / (file.path if file else "")
        return Task(
            source=source or Source(str(original)),
            original=original,
            target=Path(output),
            temp=self._config().storage.temp_path,
            name=f"{job.id}-{index}",
        )

    async def _finish(self, job: Job, work: _Work) -> None:
        await self._shelf.keep(job, Path(work.record.output or ""))
        await self._note(
            job, work, status=ConversionState.DONE, progress=100.0, completed_at=self._book.now(),
            error_code=None, error_message=None, speed=None, eta_seconds=0,
        )  # fmt: skip
        log.info("converted job=%s file=%d path=%s", job.id, work.record.file_index, work.record.output)

    async def _fail(self, job: Job, work: _Work, exc: ConversionFailed) -> None:
        attempts = work.record.attempts + 1
        is_over = attempts >= MAX_ATTEMPTS or exc.code in _FATAL
        state = ConversionState.FAILED if is_over else ConversionState.WAITING
        log.error("conversion fails job=%s file=%d: %s", job.id, work.record.file_index, exc.message)
        await self._note(
            job, work, status=state, progress=0.0, attempts=attempts, error_code=exc.code,
            error_message=exc.message, speed=None, eta_seconds=-1,
        )  # fmt: skip

    async def _end(self, work: _Work) -> None:
        """Cut its run off.  It begins anew."""
        if task := work.task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if work.record.status is ConversionState.RUNNING:
                work.record = replace(work.record, status=ConversionState.WAITING, progress=0.0, speed=None)

    def _on_progress(self, job: Job, work: _Work, step: Progress) -> None:
        share = 99.99 if step.fraction is None else min(99.99, round(step.fraction * 100, 2))
        eta = -1 if step.eta is None else round(step.eta)
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

    async def _note(self, job: Job, work: _Work, **fields: Any) -> None:
        """In the database first, then in memory, then told."""
        record = replace(work.record, **fields, updated_at=self._book.now())
        await self._db.run(rows.put, job.id, record)
        work.record = record
        self._book.announce(Kind.CHANGED, self._book.living.get(job.id, job))
