"""The loop that makes wishes come true: look, decide, act, write.

It wakes when something changes and once a second.  Looking reads the engine's last numbers, deciding is
`schedule.decide`, acting is `acts`, writing is one transaction.  All of it is repeated after a crash: there
is no other recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from htdl.core import about, admission, payload, schedule
from htdl.core.acts import Acts
from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.core.findings import Findings
from htdl.core.moving import Moving
from htdl.core.requests import job_files, main_path
from htdl.core.saves import Saves
from htdl.core.schedule import Facts, Limits
from htdl.core.service import Service
from htdl.core.telling import Telling
from htdl.errors import BadRequest, HtdlError
from htdl.jobs import Blocked, Job, JobFile, State, Wish
from htdl.torrent.api import Engine, Failed, Finished, GotMetadata, Lost, Metadata, NoRoom, TorrentEvent

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
        self._unwritten: dict[str, Metadata] = {}  # by job, that could not be written down when they came
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
            self._learn_again()
        await self._service.limiting.turn()
        await self._release_strangers()
        await self._service.conversions.turn()
        await self._service.subtitling.turn()
        for action in self._decide():
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
                self._on_metadata(job, metadata)
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

    def _on_metadata(self, job: Job, metadata: Metadata) -> None:
        try:
            files = job_files(metadata.files, job.selection)
            root = self._service.config.torrent.download_path
            payload.reject_links(root, Path(job.save_path), [file.path for file in files])
        except BadRequest as exc:
            self._findings.of(job.id).fault = (exc.code, exc.message)
            return
        except OSError as exc:
            self._findings.of(job.id).fault = ("io_error", f"{exc.strerror}: {exc.filename}")
            return
        wanted = [file for file in files if file.wanted]
        here = admission.bytes_on_disk(Path(job.save_path), files)
        fits = sum(file.size for file in wanted) - here <= max(0, self._room())
        if fits:
            self._engine.select(job.id, [file.index for file in wanted])
        with about.job(job.id):
            self._chores.begin(self._learn(job, metadata, files, fits))

    def _learn_again(self) -> None:
        """The metadata that could not be written down a moment ago: the engine tells them once."""
        unwritten, self._unwritten = self._unwritten, {}
        for job_id, metadata in unwritten.items():
            if (job := self._book.living.get(job_id)) and not job.has_metadata:
                self._on_metadata(job, metadata)

    async def _learn(self, job: Job, metadata: Metadata, files: list[JobFile], fits: bool) -> None:
        try:
            await self._write_metadata(job, metadata, files, fits)
        except HtdlError as exc:  # a full disk, say
            log.error("metadata not written, trying again job=%s: %s", job.id, exc)
            self._unwritten[job.id] = metadata

    async def _write_metadata(self, job: Job, metadata: Metadata, files: list[JobFile], fits: bool) -> None:
        log.info(
            "metadata job=%s name=%r bytes=%d pieces=%d files=%d",
            job.id, metadata.name, metadata.total_bytes, metadata.num_pieces, len(metadata.files),
        )  # fmt: skip
        saved = await self._saves.taken([job.id])
        job = await self._book.change(
            job.id,
            files=files,
            resume=saved.get(job.id),
            name=metadata.name,
            total_bytes=sum(file.size for file in files if file.wanted),
            metadata_at=self._book.now(),
            info_hash=metadata.info_hash,  # a magnet may have named the torrent by its v2 hash alone
            info_hash_v2=metadata.info_hash_v2,
            file_path=main_path(job, files),
        )
        self._service.streams.follow(job.id)
        if not fits and job.status is State.DOWNLOADING:  # it stands there with nothing selected
            await self._acts.act(schedule.Halt(job.id, Blocked.DISK_FULL))

    # --- deciding ---

    def _decide(self) -> list[schedule.Action]:
        torrent, held = self._service.config.torrent, self._engine.held()
        room = self._room()
        jobs = self._to_decide_about(held)
        on_disk = self._on_disk.of(x for x in jobs if schedule.needed_bytes(x) > room)
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
        reserved = self._service.conversions.reserved()
        return admission.room(config.torrent.download_path, config.storage.min_free) - reserved

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
