"""The loop that makes wishes come true: look, decide, act, write.

It wakes when something changes and once a second.  Looking reads the engine's last numbers, deciding is
`schedule.decide`, acting is `acts`, writing is one transaction.  All of it is repeated after a crash: there
is no other recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic

from htdl.core import about, admission, schedule
from htdl.core.acts import Acts
from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.core.findings import Findings
from htdl.core.learning import Learning
from htdl.core.moving import Moving
from htdl.core.saves import Saves
from htdl.core.schedule import Facts, Limits
from htdl.core.service import Service
from htdl.core.telling import Telling
from htdl.errors import HtdlError
from htdl.jobs import Job, JobFile, State, Wish
from htdl.torrent.api import Engine, Failed, Finished, GotMetadata, Lost, NoRoom, TorrentEvent

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
FLUSH_SECONDS = 2.0  # numbers into the database
SAVE_SECONDS = 5.0  # resume data of what is downloading: a crash costs no more than this
SAVE_SEEDS_SECONDS = 60.0  # only their counters change


class Runner:
    """`boot_id` names this boot of the machine; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        book: Book,
        service: Service,
        engine: Engine,
        boot_id: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._book = book
        self._service = service
        self._engine = engine
        self._clock = clock
        self._chores = Chores()
        self._findings = Findings(clock)
        self._saves = Saves(book, engine, boot_id)
        self._telling = Telling(book, service)
        self._acts = Acts(book, service, engine, self._findings, self._saves, self._chores, self._telling)
        self._moving = Moving(book, service, engine, self._findings, self._telling, clock)
        self._learning = Learning(
            book, service, engine, self._findings, self._saves, self._chores, self._acts
        )
        self._on_disk = admission.OnDisk(self._bytes_on_disk)
        self._last_tick = self._last_flush = self._last_save = self._last_seed_save = clock()
        self._went_well_at = clock()
        self.observer: Callable[[float], None] = lambda seconds: None  # told how long each turn took
        engine.listener = self._on_event
        service.streams.listener = self._on_arrival

    def last_tick_seconds(self) -> float:
        """How long ago a turn last went well."""
        return self._clock() - self._went_well_at

    async def run(self) -> None:
        """Until it is cancelled."""
        await self._book.loaded.wait()
        while True:
            await self._wait()
            try:
                began = self._clock()
                await self._turn()
                self._went_well_at = self._clock()
                self.observer(self._went_well_at - began)
            except (HtdlError, OSError) as exc:  # a full disk, say: the next turn tries again
                log.error("turn failed: %s", exc)
            except Exception:  # a bug in one turn must not end all downloads; it is logged whole
                log.exception("turn failed")

    async def stop(self) -> None:
        """Save everything once more; call after `run` was cancelled."""
        self._chores.cancel()
        try:
            await self._book.flush(await self._saves.taken(self._engine.held()))
        finally:  # a full disk, say: what runs is ended all the same
            await self._service.live.stop()
            await self._service.conversions.stop()
            await self._service.subtitling.stop()

    async def _wait(self) -> None:
        due = self._last_tick + TICK_SECONDS - self._clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due)):  # wait_for of Python 3.11 may swallow a cancel
                await self._book.changed.wait()

    async def _turn(self) -> None:
        self._book.changed.clear()
        if self._clock() - self._last_tick >= TICK_SECONDS:
            self._last_tick = self._clock()  # first: a look that fails is not tried again at once
            await self._moving.look()
            self._learning.learn_again()
        await self._service.limiting.turn()
        await self._release_strangers()
        await self._service.conversions.turn()
        await self._service.subtitling.turn()
        for action in await self._decide():
            with about.job(action.job_id):
                await self._acts.act(action)
        await self._write()

    # --- hearing ---

    def _on_event(self, event: TorrentEvent) -> None:
        """From the engine, on the event loop.  What fetches sooner is done at once, the rest next turn."""
        job = self._book.living.get(event.key)
        if job is None:
            return
        match event:
            case GotMetadata(metadata=metadata):
                self._learning.learn(job, metadata)
            case Finished() if not job.has_ended:  # what seeds says it again after a restart
                self._findings.of(job.id).whole = event
            case NoRoom(message=message):
                log.warning("disk full job=%s: %s", job.id, message)
                self._findings.found_no_room(job.id)
            case Lost(message=message):
                self._findings.lose(job, message)
            case Failed(code=code, message=message):
                self._findings.of(job.id).fault = (code, message)
        self._book.changed.set()

    def _on_arrival(self, job_id: str) -> None:
        """More of what is arriving can be read."""
        job, status = self._book.living.get(job_id), self._engine.status(job_id)
        if job and status and not job.download_speed:  # which says whether it can be watched
            self._moving.look_at(job, status)
        self._telling.tell_ready(job_id)
        self._service.conversions.look_soon(job_id)

    # --- deciding ---

    async def _decide(self) -> list[schedule.Action]:
        room, on_disk = await self._look_at_disk()
        torrent, held = self._service.config.torrent, self._engine.held()
        jobs = self._to_decide_about(held)
        facts = {
            job.id: self._findings.facts(
                job,
                self._book.files.get(job.id, ()),
                self._facts(job, on_disk.get(job.id, 0), is_held=job.id in held),
            )
            for job in jobs
        }
        limits = Limits(
            max_active=torrent.max_active_downloads,
            room=room,
            metadata_seconds=torrent.metadata_timeout_seconds,
            stall_seconds=torrent.stall_timeout_seconds,
        )
        return schedule.decide(jobs, facts, limits)

    async def _look_at_disk(self) -> tuple[int, Mapping[str, int]]:
        """How much may be written, and what lies there of those for whom that is too little.  Beside the
        loop, since a network share may let us wait.
        """
        reserved, jobs = await self._service.conversions.reserved(), list(self._book.living.values())

        def look() -> tuple[int, Mapping[str, int]]:
            room = self._room() - reserved
            return room, self._on_disk.of(x for x in jobs if schedule.needed_bytes(x) > room)

        return await asyncio.to_thread(look)

    def _facts(self, job: Job, on_disk: int, *, is_held: bool) -> Facts:
        standing = self._service.conversions.standing(job)
        return Facts(
            is_held=is_held,
            is_watched=self._service.streams.is_watched(job.id),
            bytes_on_disk=on_disk,
            is_converted=standing.is_done,
            conversion_fault=standing.fault,
        )

    def _to_decide_about(self, held: set[str]) -> list[Job]:
        """All, but of those that only seed or are paused, which may be thousands, the few of which something
        is known.
        """
        findings, paused = self._findings, (State.PAUSED, Wish.PAUSE)
        return [
            x
            for x in self._book.living.values()
            if x.id in findings
            or (
                (x.status, x.wish) != paused
                and not (x.seeding and x.has_ended and x.wish is Wish.RUN and x.id in held)
            )
        ]

    def _room(self) -> int:
        config = self._service.config
        return admission.room(config.torrent.download_path, config.storage.min_free)

    def _bytes_on_disk(self, job: Job) -> int:
        return admission.bytes_on_disk(Path(job.save_path), self._book.files.get(job.id, ()))

    async def _release_strangers(self) -> None:
        """Let go of torrents that no job wants any more: it was removed, or a new job took its torrent."""
        jobs = self._book.living.values()
        for key in self._engine.held() - {x.id for x in jobs if x.seeding or x.status is State.DOWNLOADING}:
            await self._engine.remove(key)
            self._acts.forget(key)

    # --- writing ---

    async def _write(self) -> None:
        now = self._clock()
        if now - self._last_flush < FLUSH_SECONDS:
            return
        self._last_flush = now
        await self._look_at_files()
        await self._service.conversions.write()
        await self._book.flush(await self._saves.taken(self._due(now)))

    async def _look_at_files(self) -> None:
        for job in [x for x in self._book.living.values() if x.status is State.DOWNLOADING]:
            done = await self._engine.file_progress(job.id)
            files = self._book.files.get(job.id, ())
            if done and files:
                self._book.note_files(job.id, [_with_share(x, done.get(x.index, 0)) for x in files])
            log.debug(
                "progress job=%s done=%d total=%d speed=%d peers=%d",
                job.id, job.done_bytes, job.total_bytes, job.download_speed, job.peers,
            )  # fmt: skip

    def _due(self, now: float) -> set[str]:
        """The jobs whose resume data are to be taken now."""
        due: set[str] = set()
        if now - self._last_save >= SAVE_SECONDS:
            self._last_save = now
            due |= {x.id for x in self._book.living.values() if x.status is State.DOWNLOADING}
        if now - self._last_seed_save >= SAVE_SEEDS_SECONDS:
            self._last_seed_save = now
            due |= {x.id for x in self._book.living.values() if x.seeding}
        return due


def _with_share(file: JobFile, done: int) -> JobFile:
    """With this many bytes of it here, in percent: 100.0 only when it is whole."""
    share = 100.0 if done >= file.size else min(99.99, round(done * 100 / file.size, 2))
    return file if share == file.progress else replace(file, progress=share)
