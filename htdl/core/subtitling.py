"""The subtitles of all living jobs: when each is read, made and forgotten.

A video's tracks are read when its head and index are here, at its half and at its end, a file that came with
it once it is whole.  No job waits for them, and none fails by them: what was not made when a job, or the
daemon, ended is made afterwards, see `beside`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic

from htdl.config import Config
from htdl.core import about, beside, tracks, vtt_files
from htdl.core.beside import Stage, Video, Work
from htdl.core.book import Book
from htdl.core.streams import Streams
from htdl.core.vtt_keeping import VttKeeping, put
from htdl.errors import HtdlError, NoSuchJob, TimedOut
from htdl.jobs import Job, JobFile, State, Subtitle, Wish
from htdl.media.subtitles import Sidecar, convert_sidecar
from htdl.store import subtitles as rows
from htdl.store.db import Database

log = logging.getLogger(__name__)

AT_ONCE = 2  # videos whose tracks are read at the same time; and as many whose files are
REST_SECONDS = 15.0  # after the database was in use
Reading = Callable[[], Awaitable[None]]

_RUNS = {State.DOWNLOADING, State.CONVERTING}


class Subtitling:
    """`config` gives the configuration of the moment; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        db: Database,
        book: Book,
        streams: Streams,
        config: Callable[[], Config],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._book = book
        self._streams = streams
        self._config = config
        self._clock = clock
        self._work: dict[str, Work] = {}
        self._keeping = VttKeeping(db, book, self._root, lambda x: self._work.get(x.job.id) is x)
        self._tasks: dict[asyncio.Task[None], str] = {}  # the job of each
        self._news = asyncio.Event()  # something was made
        self._reading = 0  # videos whose tracks are just being read
        self._reading_files = 0  # videos whose files are
        self._has_looked_back = False

    async def stop(self) -> None:
        """End all that is made; it begins anew."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    # --- what is known ---

    def of(self, job_id: str) -> tuple[Subtitle, ...]:
        """Of a job that is being looked after, by file."""
        work = self._work.get(job_id)
        return work.rows if work else ()

    async def kept(self, job: Job) -> tuple[Subtitle, ...]:
        """Of any job."""
        if job.id in self._work:
            return self.of(job.id)
        return beside.told((await self._db.read(rows.of, [job.id]))[job.id])

    async def file(self, job: Job, index: int, name: str, patience: float) -> bytes | None:
        """The WebVTT file of this name beside this video; None where a row names none, or it is not there.
        One that still arrives is fetched before all else.

        Raises as `Streams.open` does, and Stalled, StreamEnded, TimedOut after `patience` seconds.
        """
        news = self._news
        while file := self._coming(job.id, index, name):
            await self._fetch(job.id, file, patience, news)
            news = self._news
        found = [x.path for x in await self.kept(job) if x.file_index == index and beside.is_made(x)]
        path = next((Path(x) for x in found if Path(x).name == name), None)
        return await asyncio.to_thread(vtt_files.content, self._root(), path) if path else None

    def _coming(self, job_id: str, index: int, name: str) -> JobFile | None:
        work = self._work.get(job_id)
        videos = [x for x in work.videos if x.beside.video.index == index] if work else []
        return next((file for x in videos for file, sidecar in x.missing() if sidecar.name == name), None)

    async def _fetch(self, job_id: str, file: JobFile, patience: float, news: asyncio.Event) -> None:
        """Until it is here, and something was made."""
        video = await self._streams.open(job_id, file.index)
        with video.read(0, video.size) as reader:
            while await reader.next(patience):
                pass
        self._book.changed.set()
        try:
            async with asyncio.timeout(patience):
                await news.wait()
        except TimeoutError as exc:
            raise TimedOut(f"{file.path} is not read yet") from exc

    async def delete(self, job: Job) -> None:
        """Remove a job's subtitles.  What is just being made goes when it has ended."""
        work = self._work.pop(job.id, None)
        some = (await self._db.read(rows.of, [job.id]))[job.id]
        folders = {Path(x.path).parent for x in some if beside.is_made(x)}
        folders |= {x.beside.folder for x in work.videos} if work else set()
        await asyncio.to_thread(vtt_files.remove, self._root(), {x.path for x in some}, folders)
        await self._db.run(put, job.id, {x.file_index: () for x in some})

    def _root(self) -> Path:
        return self._config().storage.subtitle_path

    # --- turns ---

    async def turn(self) -> None:
        """Begin what is to be; soon done, and without harm to what else is done in a turn."""
        try:
            await self._turn()
        except (HtdlError, OSError) as exc:  # the database is in use, say: the next turn tries again
            log.error("cannot look after subtitles: %s", exc)

    async def _turn(self) -> None:
        if not self._has_looked_back:
            await self._look_back()
            self._has_looked_back = True
        for job in [x for x in self._book.living.values() if _is_due(x)]:
            await self._take_up(job)
        for work in list(self._work.values()):
            await self._go_on(work)

    async def _look_back(self) -> None:
        """Take up the jobs that were complete when the daemon ended, but not their subtitles."""
        some = await self._db.read(rows.every)
        for job_id in await asyncio.to_thread(vtt_files.unfinished, some):
            try:
                job = await self._book.find(job_id)
            except NoSuchJob:  # removed meanwhile
                continue
            if _is_whole(job):
                await self._take_up(job)

    async def _take_up(self, job: Job) -> None:
        files = await self._book.files_of(job)
        wanted = tuple(x.wanted for x in files)
        work = self._work.get(job.id)
        if (work and work.wanted == wanted) or not files or job.id in self._tasks.values():
            return
        found = (await self._db.read(rows.of, [job.id]))[job.id]
        home = work.home if work else await self._home(job, found)
        videos = await asyncio.to_thread(_videos, files, Path(job.save_path), home, found)
        marked = {x.beside.video.index: (*x.rows, beside.mark(x.beside.video.index)) for x in videos
                  if not x.is_complete}  # fmt: skip
        if marked:
            await self._db.run(put, job.id, marked)
            old = {x.path for x in found if x.file_index in marked}
            await asyncio.to_thread(
                vtt_files.remove, self._root(), old - {x.path for one in marked.values() for x in one}, ()
            )
        self._work[job.id] = Work(job, home, wanted, videos)

    async def _home(self, job: Job, found: Sequence[Subtitle]) -> Path:
        """The job's own folder: of its video's id, which several jobs may have."""
        root = self._root()
        mine = [Path(x.path) for x in found if Path(x.path).is_relative_to(root)]
        if mine:
            return root / mine[0].relative_to(root).parts[0]
        others = {x.home for x in self._work.values() if x.job.id != job.id}
        for number in count(1):
            home = root / (f"{job.video_id} ({number})" if number > 1 else job.video_id)
            if home not in others and not await self._db.read(rows.has_folder, f"{home}/"):
                return home
        raise AssertionError

    async def _go_on(self, work: Work) -> None:
        job = await self._newest(work)
        if job and (_is_due(job) or (_is_whole(job) and not work.is_complete)):
            work.job = job
            for video in work.videos:
                if not video.is_complete and video.rests_until <= self._clock():
                    self._look_at(work, video)
        elif job is None or work.job.id not in self._tasks.values():
            del self._work[work.job.id]

    async def _newest(self, work: Work) -> Job | None:
        """One that is complete is not asked for again; None for one that was removed."""
        job = self._book.living.get(work.job.id)
        if job or work.job.status is State.COMPLETED:
            return job or work.job
        try:
            return await self._book.find(work.job.id)
        except NoSuchJob:
            return None

    def _look_at(self, work: Work, video: Video) -> None:
        """Begin what can be read now, and was not."""
        if not video.reads_files:
            files = [x for x in video.missing() if self._streams.is_whole(work.job, x[0])]
            if files and self._reading_files < AT_ONCE:
                video.reads_files = True
                self._reading_files += 1
                self._begin(work, video, partial(self._read_files, work, video, files))
        if not video.reads_tracks and video.stage < Stage.ALL and self._reading < AT_ONCE:
            stage, here = self._stage(work.job, video.beside.video)
            if stage > video.stage:
                video.reads_tracks = True
                self._reading += 1
                self._begin(work, video, partial(self._read_tracks, work, video, stage, here))

    def _begin(self, work: Work, video: Video, reading: Reading) -> None:
        with about.job(work.job.id):
            task = asyncio.get_running_loop().create_task(self._guard(work, video, reading))
        self._tasks[task] = work.job.id
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._news.set()
        self._news = asyncio.Event()
        self._book.changed.set()

    def _stage(self, job: Job, file: JobFile) -> tuple[Stage, int | None]:
        """How far a video is here, and how many bytes from its start; None of a whole one."""
        if self._streams.is_whole(job, file):
            return Stage.ALL, None
        if not self._streams.has_index(job, file):
            return Stage.NOTHING, None
        runs = self._streams.runs(job.id, file)
        head = runs[0].stop if runs and runs[0].start == 0 else 0
        return (Stage.HALF if 2 * head >= file.size else Stage.BEGINNING), head

    # --- making ---

    async def _guard(self, work: Work, video: Video, reading: Reading) -> None:
        try:
            await reading()
        except HtdlError as exc:  # the database is in use, say: it is made once more
            log.error("cannot keep subtitles job=%s file=%d: %s", work.job.id, video.beside.video.index, exc)
            video.rests_until = self._clock() + REST_SECONDS
        except Exception:  # a bug that one video meets must not stop the others; it is logged whole, once
            log.exception("subtitles failed job=%s file=%d", work.job.id, video.beside.video.index)
            video.rests_until = float("inf")

    async def _read_tracks(self, work: Work, video: Video, stage: Stage, here: int | None) -> None:
        one, home = video.beside, Path(work.job.save_path)
        settings = self._config().conversion
        try:
            found = await tracks.read(
                home, home / one.video.path, one.folder, settings, here=here, taken=one.names
            )
        except OSError:  # the video is gone: what was made of it stays
            found = None
        finally:
            video.reads_tracks = False
            self._reading -= 1
        made, files = video.tracks, dict(video.files)
        if found:
            made = tuple(beside.row(one, x, x.origin) for x in found.made)
            stage = stage if found.has_some else max(stage, Stage.HALF)
            files = beside.without_guesses(video, found.frame_rate)
            video.frame_rate = found.frame_rate
        await self._keeping.keep(work, video, stage, made, files)

    async def _read_files(self, work: Work, video: Video, files: list[tuple[JobFile, Sidecar]]) -> None:
        one, rate = video.beside, video.frame_rate
        read = {}
        try:
            for file, sidecar in files:
                made = await convert_sidecar(sidecar, one.folder, frame_rate=rate)
                read[file.index] = beside.row(one, made, str(file.index))
        finally:
            video.reads_files = False
            self._reading_files -= 1
        await self._keeping.keep(work, video, video.stage, video.tracks, video.files | read)


def _is_due(job: Job) -> bool:
    return job.status in _RUNS and job.wish is Wish.RUN and job.has_metadata


def _is_whole(job: Job) -> bool:
    return job.status is State.COMPLETED and job.file_path is not None


def _videos(files: Sequence[JobFile], save_path: Path, home: Path, found: Sequence[Subtitle]) -> list[Video]:
    return [beside.known(one, found) for one in beside.plan(files, save_path, home)]
