"""The loop that makes wishes come true: look, decide, act.

It wakes when something changes and once a second.  Looking reads the engine's last numbers, deciding is
`schedule.decide`, acting is one small coroutine an action.  All of it is repeated after a crash: there is no
other recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from htdl.config import Config
from htdl.core import admission, download, payload, schedule
from htdl.core.book import Book
from htdl.core.download import Course
from htdl.core.schedule import Facts, Limits
from htdl.core.service import Service, job_files, main_path
from htdl.errors import BadRequest, BadSource, HtdlError, Refused
from htdl.events import Kind
from htdl.jobs import Blocked, Job, JobFile, State
from htdl.store.resume import Resume
from htdl.torrent.api import Engine, Failed, Finished, GotMetadata, Metadata, NoRoom, TorrentEvent

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
FLUSH_SECONDS = 2.0  # numbers into the database
SAVE_SECONDS = 5.0  # resume data of what is downloading: a crash costs no more than this
SAVE_SEEDS_SECONDS = 60.0  # only their counters change
DISK_FULL_SECONDS = 15.0  # after a write found no room, before it is tried again

DISTRUST = ""  # a boot that never was: what is on disk is verified before it is believed


class Runner:
    """`clock` is monotonic, in seconds."""

    def __init__(
        self,
        config: Config,
        book: Book,
        service: Service,
        engine: Engine,
        boot_id: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.config = config
        self._clock = clock
        self._book = book
        self._service = service
        self._engine = engine
        self._boot_id = boot_id
        self._courses: dict[str, Course] = {}
        self._faults: dict[str, tuple[str, str]] = {}
        self._whole: dict[str, bytes] = {}  # resume data of torrents that have finished
        self._no_room: dict[str, float] = {}  # when a write failed, by job
        self._ready: set[str] = set()
        self._synced: set[str] = set()  # finished jobs whose files outlast a power cut
        self._work: set[asyncio.Task[None]] = set()
        self._last_tick = self._last_flush = self._last_save = self._last_seed_save = clock()
        engine.listener = self._on_event

    def last_tick_seconds(self) -> float:
        return self._clock() - self._last_tick

    async def run(self) -> None:
        """Until it is cancelled."""
        await self._book.loaded.wait()
        while True:
            await self._wait()
            try:
                await self._turn()
            except (HtdlError, OSError) as exc:  # a full disk, say: the next turn tries again
                log.error("turn failed: %s", exc)
            except Exception:  # a bug in one turn must not end all downloads; it is logged whole
                log.exception("turn failed")

    async def _wait(self) -> None:
        due = self._last_tick + TICK_SECONDS - self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due)):  # wait_for of Python 3.11 may swallow a cancel
                await self._book.changed.wait()

    async def _turn(self) -> None:
        self._book.changed.clear()
        if self._clock() - self._last_tick >= TICK_SECONDS:
            self._look()
            self._last_tick = self._clock()
        await self._release_strangers()
        await self._decide_and_act()
        await self._write()

    # --- looking ---

    def _on_event(self, event: TorrentEvent) -> None:
        """From the engine, on the event loop.  What fetches sooner is done at once, the rest next turn."""
        job = self._book.living.get(event.key)
        if job is None:
            return
        match event:
            case GotMetadata():
                self._on_metadata(job, event)
            case Finished(resume=resume):
                self._whole[job.id] = resume
            case NoRoom(message=message):
                log.warning("disk full job=%s: %s", job.id, message)
                self._no_room[job.id] = self._clock()
            case Failed(code=code, message=message):
                self._faults[job.id] = (code, message)
        self._book.changed.set()

    def _on_metadata(self, job: Job, event: GotMetadata) -> None:
        try:
            files = job_files(event.metadata.files, job.selection)
        except BadRequest as exc:
            self._faults[job.id] = (exc.code, exc.message)
            return
        wanted = [file for file in files if file.wanted]
        fits = sum(file.size for file in wanted) <= self._room()
        if fits:
            self._engine.select(job.id, [file.index for file in wanted])
        self._spawn(self._write_metadata(job, event.metadata, files, fits))

    async def _write_metadata(self, job: Job, metadata: Metadata, files: list[JobFile], fits: bool) -> None:
        log.info(
            "metadata job=%s name=%r bytes=%d pieces=%d files=%d",
            job.id, metadata.name, metadata.total_bytes, metadata.num_pieces, len(metadata.files),
        )  # fmt: skip
        saved = await self._saved([job.id])
        job = await self._book.change(
            job.id,
            files=files,
            resume=saved.get(job.id),
            name=metadata.name,
            total_bytes=sum(file.size for file in files if file.wanted),
            metadata_at=self._book.now(),
            info_hash_v2=metadata.info_hash_v2,
            file_path=main_path(job, files),
        )
        if not fits and job.status is State.DOWNLOADING:  # it stands there with nothing selected
            await self._halt(job, schedule.Halt(job.id, Blocked.DISK_FULL))

    def _look(self) -> None:
        now = self._clock()
        for key in self._engine.held():
            job, status = self._book.living.get(key), self._engine.status(key)
            if job is None or status is None:
                continue
            if job.status is State.DOWNLOADING:
                course = self._courses.get(key) or Course(moved_at=now)
                course = self._courses[key] = download.follow(course, status, now)
                self._book.note(key, **download.numbers(job, status, course, now))
                self._tell_ready(key)
            elif job.seeding:
                self._book.note(
                    key,
                    upload_speed=status.upload_speed,
                    uploaded_bytes=status.uploaded_bytes,
                    peers=status.peers,
                )

    def _tell_ready(self, job_id: str) -> None:
        job = self._book.living[job_id]
        if job_id in self._ready:
            return
        verdict = self._service.view(job).readiness
        if verdict.ready:
            self._ready.add(job_id)
            log.info("ready for streaming job=%s name=%r: %s", job.id, job.name, verdict.reason)
            self._book.announce(Kind.READY, job)

    # --- deciding ---

    async def _decide_and_act(self) -> None:
        jobs = list(self._book.living.values())
        held = self._engine.held()
        facts = {job.id: self._facts(job, held) for job in jobs}
        torrent = self.config.torrent
        limits = Limits(
            max_active=torrent.max_active_downloads,
            room=self._room(),
            metadata_seconds=torrent.metadata_timeout_seconds,
            stall_seconds=torrent.stall_timeout_seconds,
        )
        for action in schedule.decide(jobs, facts, limits):
            await self._act(action)

    def _room(self) -> int:
        return admission.room(self.config.torrent.download_path, self.config.storage.min_free)

    def _facts(self, job: Job, held: set[str]) -> Facts:
        now = self._clock()
        course = self._courses.get(job.id)
        failed_at = self._no_room.get(job.id)
        return Facts(
            is_held=job.id in held,
            is_whole=job.id in self._whole and job.has_metadata,  # as it is written, files and all
            fault=self._faults.get(job.id),
            idle_seconds=course.idle_seconds(now) if course else 0.0,
            found_disk_full=failed_at is not None and now - failed_at < DISK_FULL_SECONDS,
            has_seeded_enough=job.seeding and self._has_seeded_enough(job),
        )

    def _has_seeded_enough(self, job: Job) -> bool:
        status, rules = self._engine.status(job.id), self.config.torrent
        return status is not None and download.has_seeded_enough(
            status, job.total_bytes, rules.seed_ratio, rules.seed_minutes
        )

    async def _release_strangers(self) -> None:
        """Let go of torrents that no job wants any more: it was removed, or a new job took its torrent."""
        wanted = {
            job.id for job in self._book.living.values() if job.seeding or job.status is State.DOWNLOADING
        }
        for key in self._engine.held() - wanted:
            await self._engine.remove(key)

    # --- acting ---

    async def _act(self, action: schedule.Action) -> None:
        """Do one thing; its failure is the job's own, or is tried again in the next turn."""
        job = self._book.living.get(action.job_id)
        if job is None:
            return
        try:
            await _ACTS[type(action)](self, job, action)
        except BadSource as exc:
            self._fault(job, "invalid_torrent", exc.message)
        except OSError as exc:
            self._on_os_error(job, exc)
        except HtdlError as exc:  # a database in use, say
            log.error("%s failed job=%s: %s", type(action).__name__, job.id, exc)
        except Exception:  # a bug that one job meets must not stop the others; it is logged whole
            log.exception("%s failed job=%s", type(action).__name__, job.id)

    def _on_os_error(self, job: Job, exc: OSError) -> None:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            self._no_room[job.id] = self._clock()
            self._book.changed.set()
        else:
            self._fault(job, "io_error", f"{exc.strerror}: {exc.filename}")

    def _fault(self, job: Job, code: str, message: str) -> None:
        self._faults[job.id] = (code, message)
        self._book.changed.set()

    async def _start(self, job: Job, action: Any) -> None:
        resume = await self._book.resume_of(job.id)
        if resume is None:
            self._fault(job, "invalid_torrent", "its saved state is lost; remove it and add it again")
            return
        save_path = Path(job.save_path)
        await asyncio.to_thread(save_path.mkdir, parents=True, exist_ok=True)
        self._forget(job.id)
        self._courses[job.id] = Course(moved_at=self._clock())
        if job.status is State.PENDING:
            log.info("download starts job=%s video=%s torrent=%s", job.id, job.video_id, job.torrent_id)
            job = await self._book.change(
                job.id,
                status=State.DOWNLOADING,
                blocked_by=None,
                detail="starting",
                error_code=None,
                error_message=None,
            )
        await self._hand_over(job, resume)

    async def _seed(self, job: Job, action: Any) -> None:
        resume = await self._book.resume_of(job.id)
        if resume is None:
            await self._book.change(job.id, seeding=False)
        else:
            await self._hand_over(job, resume)

    async def _hand_over(self, job: Job, resume: Resume) -> None:
        if job.has_ended and resume.boot_id is None:
            self._synced.add(job.id)
        files = self._book.files.get(job.id, ())
        try:
            await self._engine.add(
                job.id,
                resume.blob,
                Path(job.save_path),
                wanted=[file.index for file in files if file.wanted] if job.has_metadata else None,
                max_download_speed=job.max_download_speed,
                max_upload_speed=job.max_upload_speed,
                recheck=resume.boot_id is not None and resume.boot_id != self._boot_id,
            )
        except Refused as exc:
            log.debug("not yet job=%s: %s", job.id, exc)  # the torrent is just being let go by another job

    async def _halt(self, job: Job, action: schedule.Halt) -> None:
        position = max(x.position for x in self._book.living.values()) + 1 if action.to_tail else job.position
        await self._let_go(
            job,
            status=State.PENDING,
            blocked_by=action.blocked_by,
            detail=download.waiting_words(action.blocked_by),
            position=position,
        )

    async def _block(self, job: Job, action: schedule.Block) -> None:
        words = download.waiting_words(action.blocked_by)
        await self._book.change(job.id, blocked_by=action.blocked_by, detail=words)

    async def _pause(self, job: Job, action: Any) -> None:
        await self._let_go(job, status=State.PAUSED, blocked_by=None, detail="")
        log.info("paused job=%s", job.id)

    async def _queue(self, job: Job, action: Any) -> None:
        await self._book.change(job.id, status=State.PENDING, blocked_by=None, detail="")

    async def _cancel(self, job: Job, action: Any) -> None:
        blob = await self._engine.remove(job.id)
        resume = self._resume(job, blob) if blob else await self._book.resume_of(job.id)
        if job.delete_data:
            await self._service.delete_payload(job)
            resume = replace(resume, boot_id=DISTRUST) if resume else None
        fields: dict[str, Any] = {
            "delete_data": False,
            "seeding": False,
            "download_speed": 0,
            "upload_speed": 0,
        }
        if job.delete_data:
            fields["file_path"] = None
        if not job.has_ended:
            fields |= {"status": State.CANCELLED, "completed_at": None, "eta_seconds": -1, "blocked_by": None}
            fields |= {"detail": "", "peers": 0}
            if job.delete_data:
                fields |= {"done_bytes": 0, "progress": 0}
        await self._book.change(job.id, Kind.CANCELLED, resume=resume, **fields)
        self._forget(job.id)
        self._ready.discard(job.id)
        log.info("cancelled job=%s data=%s", job.id, "removed" if job.delete_data else "kept")

    async def _complete(self, job: Job, action: Any) -> None:
        blob = self._whole[job.id]
        rules = self.config.torrent
        seeds = rules.seed_ratio != 0 and rules.seed_minutes != 0
        files = tuple(
            replace(x, progress=100.0 if x.wanted else x.progress) for x in self._book.files.get(job.id, ())
        )
        self._book.note_files(job.id, files)
        self._tell_ready(job.id)  # a fast one was never looked at
        now = self._book.now()
        job = await self._book.change(
            job.id,
            Kind.COMPLETED,
            files=files,
            resume=self._resume(job, blob),
            status=State.COMPLETED,
            progress=100,
            done_bytes=job.total_bytes,
            download_speed=0,
            eta_seconds=0,
            blocked_by=None,
            detail="",
            completed_at=now,
            seeding=seeds,
            file_path=main_path(job, files),
        )
        log.info(
            "completed job=%s name=%r bytes=%d path=%s", job.id, job.name, job.total_bytes, job.file_path
        )
        self._forget(job.id)
        self._spawn(self._sync(job, files, blob))

    async def _sync(self, job: Job, files: tuple[Any, ...], blob: bytes) -> None:
        """Bring a finished job's files to the disk itself; from then on they are trusted after any boot."""
        paths = [file.path for file in files if file.wanted and file.size]
        if await asyncio.to_thread(payload.sync, Path(job.save_path), paths):
            self._synced.add(job.id)
            await self._book.flush({job.id: self._resume(job, blob)})

    async def _fail(self, job: Job, action: schedule.Fail) -> None:
        await self._let_go(
            job,
            kind=Kind.FAILED,
            status=State.FAILED,
            error_code=action.code,
            error_message=action.message,
            blocked_by=None,
            detail="",
        )
        log.error("failed job=%s code=%s: %s", job.id, action.code, action.message)

    async def _end_seeding(self, job: Job, action: Any) -> None:
        await self._let_go(job, seeding=False)
        log.info("seeding ends job=%s uploaded=%d", job.id, job.uploaded_bytes)

    async def _let_go(self, job: Job, *, kind: Kind = Kind.CHANGED, **fields: Any) -> None:
        """Take the torrent from the engine; its last resume data and these fields in one transaction."""
        blob = await self._engine.remove(job.id)
        quiet = {"download_speed": 0, "upload_speed": 0, "peers": 0, "eta_seconds": -1}
        await self._book.change(
            job.id, kind, resume=self._resume(job, blob) if blob else None, **(quiet | fields)
        )
        failed_at = self._no_room.get(job.id)
        self._forget(job.id)
        if failed_at is not None:
            self._no_room[job.id] = failed_at

    def _forget(self, job_id: str) -> None:
        self._courses.pop(job_id, None)
        self._faults.pop(job_id, None)
        self._whole.pop(job_id, None)
        self._no_room.pop(job_id, None)

    # --- writing ---

    async def _write(self) -> None:
        now = self._clock()
        if now - self._last_flush < FLUSH_SECONDS:
            return
        self._last_flush = now
        await self._look_at_files()
        await self._book.flush(await self._due_resume(now))

    async def _look_at_files(self) -> None:
        for job in [
            x for x in self._book.living.values() if x.status is State.DOWNLOADING and x.has_metadata
        ]:
            done = await self._engine.file_progress(job.id)
            files = self._book.files.get(job.id, ())
            if done and files:
                self._book.note_files(
                    job.id, [replace(x, progress=_share(done.get(x.index, 0), x.size)) for x in files]
                )

    async def _due_resume(self, now: float) -> dict[str, Resume]:
        due: list[str] = []
        if now - self._last_save >= SAVE_SECONDS:
            self._last_save = now
            due += [x.id for x in self._book.living.values() if x.status is State.DOWNLOADING]
        if now - self._last_seed_save >= SAVE_SEEDS_SECONDS:
            self._last_seed_save = now
            due += [x.id for x in self._book.living.values() if x.seeding]
        return await self._saved(due)

    async def _saved(self, keys: list[str]) -> dict[str, Resume]:
        blobs, living = await self._engine.save(keys), self._book.living
        return {key: self._resume(living[key], blob) for key, blob in blobs.items() if key in living}

    async def stop(self) -> None:
        """Save everything once more; call after `run` was cancelled."""
        for task in self._work:
            task.cancel()
        await self._book.flush(await self._saved(sorted(self._engine.held())))

    def _resume(self, job: Job, blob: bytes) -> Resume:
        return Resume(blob, self._book.now(), None if job.id in self._synced else self._boot_id)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work failed: %s", error, exc_info=error)


def _share(done: int, size: int) -> float:
    return 100.0 if done >= size else min(99.99, round(done * 100 / size, 2))


_ACTS: dict[type[schedule.Action], Callable[[Runner, Job, Any], Awaitable[None]]] = {
    schedule.Start: Runner._start,
    schedule.Seed: Runner._seed,
    schedule.EndSeeding: Runner._end_seeding,
    schedule.Queue: Runner._queue,
    schedule.Pause: Runner._pause,
    schedule.Cancel: Runner._cancel,
    schedule.Complete: Runner._complete,
    schedule.Halt: Runner._halt,
    schedule.Block: Runner._block,
    schedule.Fail: Runner._fail,
}
