"""What the queue decided, done: one small coroutine an action.

Each may be cut off at any point by a crash, and is then simply decided again: the torrent is let go before
the row says so, and the row says COMPLETED only with the resume data that prove it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from htdl.core import download, payload, schedule
from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.core.ending import STILL, Ending
from htdl.core.findings import Findings
from htdl.core.requests import emptied
from htdl.core.saves import DISTRUST, Saves
from htdl.core.service import Service
from htdl.core.telling import Telling
from htdl.errors import BadSource, HtdlError, Refused
from htdl.events import Kind
from htdl.jobs import Job, State
from htdl.store.resume import Resume
from htdl.torrent.api import Engine

log = logging.getLogger(__name__)


class Acts:
    def __init__(
        self,
        book: Book,
        service: Service,
        engine: Engine,
        findings: Findings,
        saves: Saves,
        chores: Chores,
        telling: Telling,
    ) -> None:
        self._book = book
        self._service = service
        self._engine = engine
        self._findings = findings
        self._saves = saves
        self._telling = telling
        self._ending = Ending(book, service, findings, saves, chores, telling)
        self._unwritten: dict[str, Resume] = {}  # of torrents let go, while the database has no room for them

    async def act(self, action: schedule.Action) -> None:
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
            self._findings.found_no_room(job.id)
            self._book.changed.set()
        else:
            self._fault(job, "io_error", f"{exc.strerror}: {exc.filename}")

    def _fault(self, job: Job, code: str, message: str) -> None:
        self._findings.of(job.id).fault = (code, message)
        self._book.changed.set()

    async def start(self, job: Job, action: Any) -> None:
        if kept := self._unwritten.get(job.id):
            await self._book.flush({job.id: kept})
            del self._unwritten[job.id]
        resume = await self._book.resume_of(job.id)
        if resume is None:
            self._fault(job, "invalid_torrent", "its saved state is lost; remove it and add it again")
            return
        save_path = Path(job.save_path)
        paths = [file.path for file in self._book.files.get(job.id, ())]
        root = self._service.config.torrent.download_path
        await asyncio.to_thread(payload.reject_links, root, save_path, paths)
        await asyncio.to_thread(save_path.mkdir, parents=True, exist_ok=True)
        self._findings.begin(job.id, again=job.status is State.DOWNLOADING)
        if job.status is State.PENDING:
            log.info(
                "download starts job=%s video=%s torrent=%s name=%r bytes=%d",
                job.id, job.video_id, job.torrent_id, job.name, job.total_bytes,
            )  # fmt: skip
            job = await self._book.change(
                job.id,
                status=State.DOWNLOADING,
                blocked_by=None,
                detail="starting",
                error_code=None,
                error_message=None,
            )
        await self._hand_over(job, resume)

    async def seed(self, job: Job, action: Any) -> None:
        resume = await self._book.resume_of(job.id)
        if resume is None:
            await self._book.change(job.id, seeding=False)
        else:
            await self._hand_over(job, resume)

    async def _hand_over(self, job: Job, resume: Resume) -> None:
        wanted = self._wanted(job)
        try:
            await self._engine.add(
                job.id,
                resume.blob,
                Path(job.save_path),
                wanted=wanted if job.has_metadata else None,
                max_download_speed=job.max_download_speed,
                max_upload_speed=job.max_upload_speed,
                recheck=not self._saves.is_trusted(job, resume),
            )
        except Refused as exc:
            log.debug("not yet job=%s: %s", job.id, exc)  # the torrent is just being let go by another job
        else:
            self._catch_up(job, wanted)
            self._service.streams.follow(job.id)

    def _catch_up(self, job: Job, wanted: list[int]) -> None:
        """What was asked for while the engine was taking the torrent, and had nothing to change yet."""
        now = self._book.living.get(job.id, job)
        if (chosen := self._wanted(now)) != wanted:
            self._engine.select(job.id, chosen)
        limits = now.max_download_speed, now.max_upload_speed
        if limits != (job.max_download_speed, job.max_upload_speed):
            self._engine.set_limits(job.id, max_download_speed=limits[0], max_upload_speed=limits[1])

    def _wanted(self, job: Job) -> list[int]:
        return [file.index for file in self._book.files.get(job.id, ()) if file.wanted]

    async def halt(self, job: Job, action: schedule.Halt) -> None:
        position = max(x.position for x in self._book.living.values()) + 1 if action.to_tail else job.position
        await self._let_go(
            job,
            status=State.PENDING,
            blocked_by=action.blocked_by,
            detail=download.waiting_words(action.blocked_by),
            position=position,
        )

    async def block(self, job: Job, action: schedule.Block) -> None:
        words = download.waiting_words(action.blocked_by)
        await self._book.change(job.id, blocked_by=action.blocked_by, detail=words)

    async def pause(self, job: Job, action: Any) -> None:
        await self._let_go(job, status=State.PAUSED)
        log.info("paused job=%s", job.id)

    async def queue(self, job: Job, action: Any) -> None:
        await self._book.change(job.id, status=State.PENDING, blocked_by=None, detail="")

    async def cancel(self, job: Job, action: Any) -> None:
        """Data first, the row after: a crash between the two removes what is left, and then says so."""
        blob = await self._engine.remove(job.id)
        resume = self._saves.resume(job, blob) if blob else await self._book.resume_of(job.id)
        fields: dict[str, Any] = {**STILL, "delete_data": False, "seeding": False}
        files = None
        if job.delete_data:
            await self._service.delete_payload(job)
            resume = replace(resume, boot_id=DISTRUST) if resume else None
            fields["file_path"] = None
            files = emptied(await self._book.files_of(job))
        if not job.has_ended:
            fields["status"] = State.CANCELLED
            if job.delete_data:
                fields |= {"done_bytes": 0, "progress": 0}
        kind = Kind.CHANGED if job.has_ended else Kind.CANCELLED
        await self._book.change(job.id, kind, files=files, resume=resume, **fields)
        self.forget(job.id)
        log.info("cancelled job=%s data=%s", job.id, "removed" if job.delete_data else "kept")

    async def verify(self, job: Job, action: Any) -> None:
        log.warning("files were removed, cut or damaged, verifying job=%s", job.id)
        blob = await self._engine.remove(job.id)
        self._service.streams.leave(job.id)  # what it knew to be here may be a hole now
        await self._service.conversions.doubt(job.id)
        resume = self._saves.resume(job, blob) if blob else await self._book.resume_of(job.id)
        if resume:
            await self._book.flush({job.id: replace(resume, boot_id=DISTRUST)})
        self._findings.verify(job.id)
        self._book.changed.set()

    async def convert(self, job: Job, action: Any) -> None:
        if moved := await self._ending.convert(job):
            self._go_on(moved)

    async def complete(self, job: Job, action: Any) -> None:
        if moved := await self._ending.complete(job):
            self._go_on(moved)

    def _go_on(self, job: Job) -> None:
        """What was found of its download is done with; not what came to pass meanwhile of its seeding."""
        fault = self._findings.of(job.id).fault
        self.forget(job.id)
        if fault and job.id in self._book.living:
            self._fault(job, *fault)

    async def fail(self, job: Job, action: schedule.Fail) -> None:
        await self._let_go(
            job,
            kind=Kind.FAILED,
            status=State.FAILED,
            seeding=False,
            error_code=action.code,
            error_message=action.message,
        )
        log.error("failed job=%s code=%s: %s", job.id, action.code, action.message)

    async def end_seeding(self, job: Job, action: Any) -> None:
        await self._let_go(job, seeding=False)
        self._service.shelf.listener()
        log.info("seeding ends job=%s uploaded=%d", job.id, job.uploaded_bytes)

    async def _let_go(self, job: Job, *, kind: Kind = Kind.CHANGED, **fields: Any) -> None:
        """Take the torrent from the engine; its last resume data and these fields in one transaction."""
        if blob := await self._engine.remove(job.id):
            self._unwritten[job.id] = self._saves.resume(job, blob)
        await self._book.change(job.id, kind, resume=self._unwritten.get(job.id), **(STILL | fields))
        self.forget(job.id)

    def forget(self, job_id: str) -> None:
        """Its torrent was let go."""
        self._findings.forget(job_id)
        self._service.streams.leave(job_id)
        self._unwritten.pop(job_id, None)
        if job_id not in self._book.living:
            self._findings.drop(job_id)
            self._saves.forget(job_id)
            self._telling.forget(job_id)


_ACTS: dict[type[schedule.Action], Callable[[Acts, Job, Any], Awaitable[None]]] = {
    schedule.Start: Acts.start,
    schedule.Seed: Acts.seed,
    schedule.EndSeeding: Acts.end_seeding,
    schedule.Queue: Acts.queue,
    schedule.Pause: Acts.pause,
    schedule.Cancel: Acts.cancel,
    schedule.Verify: Acts.verify,
    schedule.Convert: Acts.convert,
    schedule.Complete: Acts.complete,
    schedule.Halt: Acts.halt,
    schedule.Block: Acts.block,
    schedule.Fail: Acts.fail,
}
