"""The verbs: what a user may ask of the daemon.  A verb records a wish; the runner makes it so.

Every verb that names a job takes any unique prefix of its id, or its video's id; it is one transaction, and
returns the job as it is then.  Asking for what is already so is no error.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import sqlite_utils

from htdl import __version__
from htdl.config import Config
from htdl.core import admission, download, payload, requests, selection
from htdl.core.book import Book
from htdl.core.checks import Checks
from htdl.core.conversions import Conversions
from htdl.core.converting import Converting
from htdl.core.links import Links
from htdl.core.live import Live
from htdl.core.saves import DISTRUST
from htdl.core.shelf import Shelf
from htdl.core.streams import Streams
from htdl.core.subtitling import Subtitling
from htdl.errors import Refused
from htdl.events import ENDS, Bus, Kind, Subscription
from htdl.jobs import (
    AddRequest,
    Conversion,
    FileRequest,
    Health,
    Job,
    JobFile,
    JobPatch,
    JobQuery,
    JobView,
    State,
    Stats,
    StreamInfo,
    Subtitle,
    Wanted,
    Wish,
)
from htdl.store import cache as kept_rows
from htdl.store import jobs as rows
from htdl.store.db import Database
from htdl.store.resume import Resume
from htdl.torrent.api import Engine, Source

WISH_SECONDS = 10.0
_NOT_SEEDING: dict[str, Any] = {"seeding": False, "upload_speed": 0, "peers": 0}


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
        self._checks = Checks(db, book, engine)

    # --- questions ---

    @property
    def seq(self) -> int:
        return self._bus.seq

    def subscribe(self) -> Subscription:
        return self._bus.subscribe()

    async def jobs(self, query: JobQuery) -> tuple[list[JobView], int]:
        """The jobs, and how many there would be without the query's limit."""
        jobs, total = await self._book.listing(query)
        return [self._view(job, files) for job, files in jobs], total

    async def get(self, prefix: str) -> JobView:
        return await self._shown(await self._book.find(prefix))

    async def by_video(self, video_id: str) -> JobView:
        return await self._shown(await self._book.by_video(video_id))

    async def stream(self, prefix: str, index: int | None = None) -> StreamInfo:
        """Where a job's file can be watched, the main one's where none is named, and whether it can be yet.

        Raises NoSuchJob (`no_such_file`), Refused for a file that is not downloaded.
        """
        job = await self._book.find(prefix)
        files = await self._book.files_of(job)
        file = self.streams.file(job, files, index) if files and not _is_gone(job) else None
        if file:
            self.streams.attend(job.id, file.index)
        said = await self.subtitling.kept(job)
        subtitles = self.links.subtitles(job.id, file, said) if file else ()
        return StreamInfo(
            job=job.id,
            file=file.index if file else None,
            url=self.links.video(job.id, file) if file else None,
            page_url=self.links.page(job.id, index),
            m3u_url=self.links.playlist(job.id),
            file_path=str(Path(job.save_path) / file.path) if file else None,
            readiness=self.streams.readiness(job, files, file.index if file else None),
            subtitles=tuple(x for x in subtitles if x.url),
        )

    async def shown_part(self, prefix: str, index: int, name: str) -> Path:
        """Where a part of what is shown of a file while it is converted lies.  Raises NoSuchJob, Refused."""
        job = await self._book.find(prefix)
        return await self.live.part(job, self.streams.file(job, await self._book.files_of(job), index), name)

    def view(self, job: Job) -> JobView:
        return self._view(job, self._book.files.get(job.id, ()))

    async def _shown(self, job: Job) -> JobView:
        return self._view(
            job,
            await self._book.files_of(job),
            await self.conversions.kept(job),
            await self.subtitling.kept(job),
        )

    def _view(
        self,
        job: Job,
        files: tuple[JobFile, ...],
        conversions: tuple[Conversion, ...] | None = None,
        subtitles: tuple[Subtitle, ...] | None = None,
    ) -> JobView:
        """Without `conversions` and `subtitles`, which only a look at the database tells of a job that has
        ended, those that are in memory.
        """
        said = self.subtitling.of(job.id) if subtitles is None else subtitles
        known = self.conversions.of(job.id) if conversions is None else conversions
        main = None if _is_gone(job) else selection.main_file(files)
        return JobView(
            job=job,
            files=files,
            readiness=self.streams.readiness(job, files),
            stream_url=self.links.video(job.id, main) if main else None,
            conversion=next((x for x in known if main and x.file_index == main.index), None),
            conversions=known,
            subtitles=self.links.subtitles(job.id, main, said) if main else (),
        )

    async def stats(self) -> Stats:
        totals = await self._db.read(rows.totals)
        jobs = self._book.living.values()
        return Stats(
            by_status=totals.by_status,
            success_rate=totals.success_rate,
            average_seconds=totals.average_seconds,
            downloaded_bytes=totals.downloaded_bytes,
            uploaded_bytes=totals.uploaded_bytes,
            download_speed=sum(job.download_speed for job in jobs),
            upload_speed=sum(job.upload_speed for job in jobs),
            active=sum(job.status is State.DOWNLOADING for job in jobs),
            waiting=sum(job.status is State.PENDING for job in jobs),
            seeding=sum(job.seeding for job in jobs),
            disk_free_bytes=admission.free_bytes(self.config.torrent.download_path),
            uptime_seconds=round(monotonic() - self._started, 1),
            version=__version__,
        )

    async def health(self) -> Health:
        return await self._checks.health(self.config, self.last_tick_seconds)

    # --- verbs ---

    async def add(self, request: AddRequest) -> tuple[JobView, bool]:
        """A new job, or the one that has this torrent already (then False): a living one, or a complete one
        with its files.

        Raises BadSource, BadRequest.
        """
        await self._book.loaded.wait()
        requests.check(request)
        source = await self._engine.inspect(request.torrent or request.source or "")
        files = requests.files_of(source, requests.wanted(request))
        download_path = self.config.torrent.download_path
        fresh = requests.new_job(request, source, files, download_path, self._book.now())
        # files of a job that was forgotten, say
        is_in_use = await asyncio.to_thread(_is_in_use, Path(fresh.save_path), files)

        complete = await self._complete_one(source, request)

        def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
            same = rows.same_torrent(db, source.info_hash, source.info_hash_v2)
            if living := _living_of(same):
                _reject_cancelled(living)
                return living, False
            for job in same:
                if complete and job.id == complete.id and requests.is_kept(job):
                    return job, False
            # what is on disk from an ended job is verified there, not fetched again
            home = next((job.save_path for job in same if job.save_path), None)
            if home is None:
                home = requests.free_folder(fresh, is_taken=is_in_use or rows.has_folder(db, fresh.save_path))
            rows.update(db, [replace(job, **_NOT_SEEDING) for job in same if job.seeding])
            job = replace(fresh, position=rows.next_position(db), save_path=home)
            job = replace(job, file_path=requests.main_path(job, files))
            rows.insert(db, job, files, Resume(source.resume, self._book.now(), None))
            return job, True

        job, is_new = await self._book.add(insert)
        return await self._shown(job), is_new

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

    async def pause(self, prefix: str) -> JobView:
        """Let a job stand still; returns once it does."""
        job = await self._living(prefix, "pause")
        return await self._wish(job, lambda now: now.status is State.PAUSED, wish=Wish.PAUSE)

    async def resume(self, prefix: str) -> JobView:
        """Let a paused job go on; returns once it is in the queue or runs."""
        job = await self._living(prefix, "resume", hint="start it again with `htdl retry`")
        return await self._wish(job, lambda now: now.status is not State.PAUSED, wish=Wish.RUN)

    async def cancel(self, prefix: str, *, delete: bool = False) -> JobView:
        """End a job, and with `delete` remove its data.  One that has ended: stop seeding, or just delete.

        Returns once it is done, so that what is asked next (add, retry, remove) finds it so.
        """
        job = await self._find(prefix)
        if job.has_ended and not (delete or job.seeding):
            raise Refused(
                f"{_called(job)} is {job.status} already",
                hint="`htdl remove` forgets it, `htdl cancel --delete` removes its data",
            )
        if job.has_ended and not delete:
            return await self._change(job, **_NOT_SEEDING)
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
        job = await self._find(prefix)
        if not job.has_ended:
            self._engine.reannounce(job.id)
            return await self._shown(job)
        if job.delete_data:
            raise Refused(f"the data of {_called(job)} are being removed", hint="try again in a moment")

        def alone(db: sqlite_utils.Database) -> None:
            same = [x for x in rows.same_torrent(db, job.info_hash, job.info_hash_v2) if x.id != job.id]
            if other := _living_of(same):
                raise Refused(
                    f"{_called(other)} has this torrent by now", hint=f"see `htdl show {other.id[:8]}`"
                )

        for other in await self._db.read(rows.same_torrent, job.info_hash, job.info_hash_v2):
            if other.seeding:  # one job at a time has a torrent, and the one that fetches goes first
                await self._book.change(other.id, **_NOT_SEEDING)
        resume, files = await self._book.resume_of(job.id), await self._book.files_of(job)
        fields: dict[str, Any] = {**_NOT_SEEDING, "file_path": requests.main_path(job, files)}
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
        return await self._shown(await self.converting.convert(prefix, wanted))

    async def convert_file(self, request: FileRequest) -> tuple[JobView, bool]:
        """A job of a file outside any job, see `Converting.convert_file`."""
        job, is_new = await self.converting.convert_file(request)
        return await self._shown(job), is_new

    async def pin(self, prefix: str) -> JobView:
        """Keep a job's videos for as long as it is pinned, whether anybody watches them or not."""
        return await self._set_pin(prefix, is_pinned=True)

    async def unpin(self, prefix: str) -> JobView:
        view = await self._set_pin(prefix, is_pinned=False)
        self.shelf.listener()
        return view

    async def _set_pin(self, prefix: str, *, is_pinned: bool) -> JobView:
        job = await self._find(prefix)
        job = await self._book.change(
            job.id, pinned=is_pinned, also=lambda db: kept_rows.pin(db, job.id, is_pinned)
        )
        return await self._shown(job)

    async def remove(self, prefix: str, *, delete: bool = False) -> JobView:
        """Forget an ended job; its data stay, but with `delete`."""
        job = await self._find(prefix)
        if not job.has_ended:
            raise Refused(f"{_called(job)} has not ended", hint=f"`htdl cancel {job.id[:8]}` first")
        view = await self._shown(job)
        if delete:
            await self._reject_shared(job)
        if job.seeding:
            await self._book.change(job.id, **_NOT_SEEDING)
        if delete or job.delete_data:
            await self.delete_payload(job)
        await self._book.remove(job)
        return view

    async def update(self, prefix: str, patch: JobPatch) -> JobView:
        """Change priority, limits or files of a living job."""
        job = await self._living(prefix, "change")
        fields = {
            name: value
            for name in ("priority", "max_download_speed", "max_upload_speed")
            if (value := getattr(patch, name)) is not None
        }
        requests.check_numbers(patch.priority or 0, patch.max_download_speed, patch.max_upload_speed)
        requests.check_patterns(patch.files or ())
        files = None
        if patch.files is not None:
            fields["selection"] = patch.files
        if patch.files is not None and job.has_metadata:
            files = requests.choose_again(await self._book.files_of(job), patch.files)
            fields |= download.totals(files)
            fields["file_path"] = requests.main_path(job, files)
        job = await self._book.change(job.id, files=files, **fields)
        if files is not None:
            self._engine.select(job.id, [file.index for file in files if file.wanted])
        self._engine.set_limits(
            job.id, max_download_speed=job.max_download_speed, max_upload_speed=job.max_upload_speed
        )
        return await self._shown(job)

    async def _reject_shared(self, job: Job) -> None:
        """Raises Refused while another job has the same files: a torrent added again keeps its folder."""
        for other in await self._db.read(rows.same_torrent, job.info_hash, job.info_hash_v2):
            is_whole = other.status is State.COMPLETED and other.file_path is not None
            has_files = not other.has_ended or other.seeding or is_whole
            if other.id != job.id and other.save_path == job.save_path and has_files:
                raise Refused(
                    f"the data of {_called(job)} are those of {_called(other)} too",
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
        return await self._shown(await self._book.find(job.id))

    async def _change(self, job: Job, **fields: Any) -> JobView:
        return await self._shown(await self._book.change(job.id, Kind.CHANGED, **fields))

    async def _find(self, prefix: str) -> Job:
        await self._book.loaded.wait()
        return await self._book.find(prefix)

    async def _living(self, prefix: str, verb: str, hint: str | None = None) -> Job:
        job = await self._find(prefix)
        if job.has_ended or job.wish is Wish.CANCEL:
            state = job.status if job.has_ended else "being cancelled"
            raise Refused(f"cannot {verb} {_called(job)}: it is {state}", hint=hint)
        return job


async def _come_true(job_id: str, is_so: Callable[[Job], bool], events: Subscription) -> None:
    """Until the runner has made it so, or the job has ended, or WISH_SECONDS have passed: a disk may hang."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WISH_SECONDS):
            async for event in events:
                if event.job.id == job_id and (is_so(event.job) or event.kind in ENDS):
                    return


def _is_gone(job: Job) -> bool:
    """Whether it was complete, and its files were removed since."""
    return job.status is State.COMPLETED and job.file_path is None


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


def _living_of(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.has_ended), None)


def _reject_cancelled(job: Job) -> None:
    """Raises Refused for a job that is about to end, and so of no use to who asks for its torrent."""
    if job.wish is Wish.CANCEL:
        raise Refused(f"{_called(job)} has this torrent and is being cancelled", hint="try again in a moment")


def _called(job: Job) -> str:
    return f"job {job.id[:8]} ({job.name})"
