"""The verbs: what a user may ask of the daemon.  A verb records a wish; the runner makes it so.

Every verb that names a job takes any unique prefix of its id, or its video's id; it is one transaction, and
returns the job as it is then.  Asking for what is already so is no error.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import sqlite_utils

from htdl.answers import Finding, Health, Stats
from htdl.config import Config
from htdl.core import about, admission, payload, requests, statistics
from htdl.core.adding import Adding
from htdl.core.book import Book
from htdl.core.changing import Changing, found, living
from htdl.core.checks import Checks
from htdl.core.cleaner import Cleaner
from htdl.core.conversions import Conversions
from htdl.core.converting import Converting
from htdl.core.diagnosis import Doctor
from htdl.core.limiting import Limiting
from htdl.core.links import Links
from htdl.core.live import Live
from htdl.core.requests import NOT_SEEDING, called, living_of
from htdl.core.saves import DISTRUST
from htdl.core.shelf import Shelf
from htdl.core.streams import Streams
from htdl.core.subtitling import Subtitling
from htdl.core.views import Views
from htdl.errors import Refused
from htdl.events import ENDS, Bus, Event, Kind, Subscription
from htdl.jobs import AddRequest, FileRequest, Job, JobPatch, JobView, State, Wanted, Wish
from htdl.store import cache as kept_rows
from htdl.store import jobs as rows
from htdl.store.db import Database
from htdl.torrent.api import Engine

WISH_SECONDS = 10.0


class Service:
    """`secret` makes the tokens of video URLs, see `Links`."""

    def __init__(
        self, config: Config, db: Database, book: Book, bus: Bus, engine: Engine, secret: bytes
    ) -> None:
        self.config = config
        self.links = Links(secret)
        self.shelf = Shelf(db, book)
        self.streams = Streams(book, engine, self.shelf, lambda: self.config.stream)
        self.conversions = Conversions(db, book, self.shelf, self.streams, self.links, lambda: self.config)
        self.subtitling = Subtitling(db, book, self.streams, lambda: self.config)
        self.last_tick_seconds: Callable[[], float] | None = None  # the runner's; None while there is none
        self.converting = Converting(book, self.streams, self.conversions, lambda: self.config)
        self.live = Live(self.conversions, self.streams, lambda: self.config)
        self._db = db
        self._book = book
        self._bus = bus
        self._engine = engine
        self._started = monotonic()
        self.cleaner = Cleaner(db, book, lambda: self.config, self.shelf.is_in_use, self.conversions.needs)
        self.shelf.listener = self.cleaner.look
        self._checks = Checks(db, book, engine, self.conversions.of)
        self.limiting = Limiting(db, book, engine, lambda: self.config)
        self.network = self._checks.network
        self._doctor = Doctor(db, book, engine, self.network, self.links, self.limiting, lambda: self.config)
        self._changing = Changing(book, engine)
        self._adding = Adding(db, book, engine, lambda: self.config)
        self.views = Views(db, book, self.streams, self.links, self.conversions, self.subtitling, self.live)
        # the questions about jobs, under one roof with the verbs
        self.limits, self.limit = self.limiting.limits, self.limiting.limit
        self.jobs = self.views.jobs
        self.get = self.views.get
        self.by_video = self.views.by_video
        self.stream = self.views.stream
        self.shown_part = self.views.shown_part
        self.view = self.views.view

    # --- questions ---

    @property
    def seq(self) -> int:
        return self._bus.seq

    @property
    def instance(self) -> str:
        return self._bus.instance

    def subscribe(self) -> Subscription:
        return self._bus.subscribe()

    def events_after(self, seq: int) -> list[Event] | None:
        """See `Bus.after`."""
        return self._bus.after(seq)

    async def stats(self) -> Stats:
        return statistics.summed(
            await self._db.read(rows.totals),
            self._book.living.values(),
            await self.cleaner.holding(),
            cache_max_bytes=int(self.config.cache.max_size),  # msgspec takes no subclass of int
            disk_free_bytes=await asyncio.to_thread(admission.free_bytes, self.config.torrent.download_path),
            uptime_seconds=monotonic() - self._started,
        )

    async def doctor(self) -> list[Finding]:
        return await self._doctor.findings()

    async def health(self) -> Health:
        return await self._checks.health(self.config, self.last_tick_seconds)

    # --- verbs ---

    async def add(self, request: AddRequest) -> tuple[JobView, bool]:
        """The job of a torrent, and whether it is new, see `Adding.add`."""
        job, is_new = await self._adding.add(request)
        return await self.views.shown(job), is_new

    async def pause(self, prefix: str) -> JobView:
        """Let a job stand still; returns once it does."""
        job = await living(self._book, prefix, "pause")
        return await self._wish(job, lambda now: now.status is State.PAUSED, wish=Wish.PAUSE)

    async def resume(self, prefix: str) -> JobView:
        """Let a paused job go on; returns once it is in the queue or runs."""
        job = await living(self._book, prefix, "resume", hint="start it again with `htdl retry`")
        return await self._wish(job, lambda now: now.status is not State.PAUSED, wish=Wish.RUN)

    async def cancel(self, prefix: str, *, delete: bool = False) -> JobView:
        """End a job, and with `delete` remove its data.  One that has ended: stop seeding, or just delete.

        Returns once it is done, so that what is asked next (add, retry, remove) finds it so.
        """
        job = await found(self._book, prefix)
        if job.has_ended and not (delete or job.seeding):
            raise Refused(
                f"{called(job)} is {job.status} already",
                hint="`htdl remove` forgets it, `htdl cancel --delete` removes its data",
            )
        if job.has_ended and not delete:
            return await self._change(job, **NOT_SEEDING)
        if delete:
            await self._reject_shared(job)
        return await self._wish(
            job,
            lambda now: now.has_ended and not (now.delete_data or now.seeding),
            wish=Wish.CANCEL,
            delete_data=delete or job.delete_data,
        )

    async def retry(self, prefix: str) -> JobView:
        """Begin a failed or cancelled job again; verify a complete one, and fetch what is missing or damaged.
        A living one asks for peers at once.
        """
        job = await found(self._book, prefix)
        if not job.has_ended:
            self._engine.reannounce(job.id)
            return await self.views.shown(job)
        if job.delete_data:
            raise Refused(f"the data of {called(job)} are being removed", hint="try again in a moment")

        def alone(db: sqlite_utils.Database) -> None:
            same = [x for x in rows.same_torrent(db, job.info_hash, job.info_hash_v2) if x.id != job.id]
            if other := living_of(same):
                raise Refused(
                    f"{called(other)} has this torrent by now", hint=f"see `htdl show {other.id[:8]}`"
                )

        for other in await self._db.read(rows.same_torrent, job.info_hash, job.info_hash_v2):
            if other.seeding:  # one job at a time has a torrent, and the one that fetches goes first
                await self._book.change(other.id, **NOT_SEEDING)
        resume, files = await self._book.resume_of(job.id), await self._book.files_of(job)
        fields: dict[str, Any] = {**NOT_SEEDING, "file_path": requests.main_path(job, files)}
        if job.status is State.COMPLETED:
            files = requests.emptied(files)
            fields |= {"progress": 0, "done_bytes": 0}
            resume = replace(resume, boot_id=DISTRUST) if resume else None
        return await self._change(
            job,
            also=alone,
            files=files,
            resume=resume,
            **fields,
            status=State.PENDING,
            wish=Wish.RUN,
            attempts=job.attempts + 1,
            error_code=None,
            error_message=None,
            completed_at=None,
            blocked_by=None,
            detail="",
        )

    async def convert(self, prefix: str, wanted: Wanted) -> JobView:
        """Make of a job's videos what is wanted, see `Converting.convert`."""
        return await self.views.shown(await self.converting.convert(prefix, wanted))

    async def convert_file(self, request: FileRequest) -> tuple[JobView, bool]:
        """A job of a file outside any job, see `Converting.convert_file`."""
        job, is_new = await self.converting.convert_file(request)
        return await self.views.shown(job), is_new

    async def pin(self, prefix: str) -> JobView:
        """Keep a job's videos for as long as it is pinned, whether anybody watches them or not."""
        return await self._set_pin(prefix, is_pinned=True)

    async def unpin(self, prefix: str) -> JobView:
        view = await self._set_pin(prefix, is_pinned=False)
        self.shelf.listener()
        return view

    async def _set_pin(self, prefix: str, *, is_pinned: bool) -> JobView:
        job = await found(self._book, prefix)
        job = await self._book.change(
            job.id, pinned=is_pinned, also=lambda db: kept_rows.pin(db, job.id, is_pinned)
        )
        return await self.views.shown(job)

    async def remove(self, prefix: str, *, delete: bool = False) -> JobView:
        """Forget an ended job; its data stay, but with `delete`."""
        job = await found(self._book, prefix)
        if not job.has_ended:
            raise Refused(f"{called(job)} has not ended", hint=f"`htdl cancel {job.id[:8]}` first")
        view = await self.views.shown(job)
        if delete:
            await self._reject_shared(job)
        if job.seeding:
            await self._book.change(job.id, **NOT_SEEDING)
        if delete or job.delete_data:
            with about.job(job.id):
                await self.delete_payload(job)
        await self._book.remove(job)
        return view

    async def update(self, prefix: str, patch: JobPatch) -> JobView:
        """Change priority, place, limits or files of a living job, see `Changing.update`."""
        return await self.views.shown(await self._changing.update(prefix, patch))

    async def _reject_shared(self, job: Job) -> None:
        """Raises Refused while another job has the same files: a torrent added again keeps its folder."""
        for other in await self._db.read(rows.same_torrent, job.info_hash, job.info_hash_v2):
            is_whole = other.status is State.COMPLETED and other.file_path is not None
            has_files = not other.has_ended or other.seeding or is_whole
            if other.id != job.id and other.save_path == job.save_path and has_files:
                raise Refused(
                    f"the data of {called(job)} are those of {called(other)} too",
                    hint=f"leave them there, or forget that job first: `htdl remove {other.id[:8]}`",
                )

    async def delete_payload(self, job: Job) -> None:
        """Remove a job's files, and tell no one any more where they are.  What was here before it stays."""
        await self.conversions.delete(job)
        await self.subtitling.delete(job)
        if job.is_local:
            return
        files = [file.path for file in await self._book.files_of(job)]
        await asyncio.to_thread(payload.delete, Path(job.save_path), files, job.info_hash)
        if files:
            await self._book.forget_paths(job.save_path)

    async def _wish(self, job: Job, is_so: Callable[[Job], bool], **wish: Any) -> JobView:
        """Record a wish and return once it has come true, so that what is asked next finds it so."""
        with self.subscribe() as events:
            await self._book.change(job.id, **wish)
            if self.last_tick_seconds:  # there is a runner, who does it
                await _come_true(job.id, is_so, events)
        return await self.views.shown(await self._book.find(job.id))

    async def _change(self, job: Job, **fields: Any) -> JobView:
        return await self.views.shown(await self._book.change(job.id, Kind.CHANGED, **fields))


async def _come_true(job_id: str, is_so: Callable[[Job], bool], events: Subscription) -> None:
    """Until the runner has made it so, or the job has ended, or WISH_SECONDS have passed: a disk may hang."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WISH_SECONDS):
            async for event in events:
                if event.job.id == job_id and (is_so(event.job) or event.kind in ENDS):
                    return
