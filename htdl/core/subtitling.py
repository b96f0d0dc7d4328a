"""The subtitles of all living jobs: when each is read, made and forgotten.

A video's tracks are read when its head and index are here, at its half and at its end, a file that came with
it once it is whole.  No job waits for them, and none fails by them: what was not made when a job, or the
daemon, ended is made afterwards, see `beside`.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from time import monotonic

import sqlite_utils

from htdl.config import Config
from htdl.core import beside, payload
from htdl.core.beside import Beside, Stage
from htdl.core.book import Book
from htdl.core.streams import Streams
from htdl.errors import ConversionFailed, HtdlError, NoSuchJob
from htdl.events import Kind
from htdl.jobs import Job, JobFile, State, Subtitle, Wish
from htdl.media.probe import probe
from htdl.media.signature import HEAD_BYTES, identify
from htdl.media.source import Source
from htdl.media.subtitles import Extracted, Sidecar, convert_sidecar, extract
from htdl.media.tools import find_tools
from htdl.media.webvtt import MAX_BYTES
from htdl.store import subtitles as rows
from htdl.store.db import Database
from htdl.stream.kinds import suffix
from htdl.stream.opening import open_regular

log = logging.getLogger(__name__)

AT_ONCE = 2  # videos whose subtitles are made at the same time
READ_SECONDS = 600.0  # a film of 50 GB, from a disk of 100 MB/s
REST_SECONDS = 15.0  # after the database was in use
_RUNS = {State.DOWNLOADING, State.CONVERTING}


@dataclass(slots=True)
class _Video:
    """What is known of one video.  `rows` in the database are its files', its tracks', and the mark."""

    beside: Beside
    stage: Stage
    tracks: tuple[Subtitle, ...]
    files: dict[int, Subtitle]
    frame_rate: float | None = None
    rests_until: float = 0.0
    task: asyncio.Task[None] | None = None

    @property
    def is_complete(self) -> bool:
        return self.stage is Stage.ALL and len(self.files) == len(self.beside.files)

    @property
    def rows(self) -> tuple[Subtitle, ...]:
        return (*(self.files[index] for index in sorted(self.files)), *self.tracks)


@dataclass(slots=True)
class _Work:
    """A job's videos, for the files that were wanted when it was taken up."""

    job: Job
    home: Path
    wanted: tuple[bool, ...]
    videos: list[_Video] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return all(x.is_complete for x in self.videos)

    @property
    def rows(self) -> tuple[Subtitle, ...]:
        return tuple(chain.from_iterable(x.rows for x in self.videos))


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
        self._work: dict[str, _Work] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}  # the job of each
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

    async def file(self, job: Job, index: int, name: str) -> bytes | None:
        """The WebVTT file of this name beside this video; None where a row names none, or it is not there."""
        found = [x.path for x in await self.kept(job) if x.file_index == index and beside.is_made(x)]
        path = next((Path(x) for x in found if Path(x).name == name), None)
        root = self._config().storage.subtitle_path
        return await asyncio.to_thread(_content, root, path) if path else None

    async def delete(self, job: Job) -> None:
        """Remove a job's subtitles.  What is just being made goes when it has ended."""
        work = self._work.pop(job.id, None)
        some = (await self._db.read(rows.of, [job.id]))[job.id]
        folders = {Path(x.path).parent for x in some if beside.is_made(x)}
        folders |= {x.beside.folder for x in work.videos} if work else set()
        await asyncio.to_thread(self._remove, {x.path for x in some}, folders)
        await self._db.run(_put, job.id, {x.file_index: () for x in some})

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
        for job_id in await asyncio.to_thread(_unfinished, some):
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
            await self._db.run(_put, job.id, marked)
            old = {x.path for x in found if x.file_index in marked}
            await asyncio.to_thread(self._remove, old - {x.path for one in marked.values() for x in one}, ())
        self._work[job.id] = _Work(job, home, wanted, videos)

    async def _home(self, job: Job, found: Sequence[Subtitle]) -> Path:
        """The job's own folder: of its video's id, which several jobs may have."""
        root = self._config().storage.subtitle_path
        mine = [Path(x.path) for x in found if Path(x.path).is_relative_to(root)]
        if mine:
            return root / mine[0].relative_to(root).parts[0]
        others = {x.home for x in self._work.values() if x.job.id != job.id}
        for number in count(1):
            home = root / (f"{job.video_id} ({number})" if number > 1 else job.video_id)
            if home not in others and not await self._db.read(rows.has_folder, f"{home}/"):
                return home
        raise AssertionError

    async def _go_on(self, work: _Work) -> None:
        job = await self._newest(work)
        if job and (_is_due(job) or (_is_whole(job) and not work.is_complete)):
            work.job = job
            for video in work.videos:
                if len(self._tasks) < AT_ONCE and not video.is_complete and not video.task:
                    self._look_at(work, video)
        elif job is None or work.job.id not in self._tasks.values():
            del self._work[work.job.id]

    async def _newest(self, work: _Work) -> Job | None:
        """One that is complete is not asked for again; None for one that was removed."""
        job = self._book.living.get(work.job.id)
        if job or work.job.status is State.COMPLETED:
            return job or work.job
        try:
            return await self._book.find(work.job.id)
        except NoSuchJob:
            return None

    def _look_at(self, work: _Work, video: _Video) -> None:
        """Begin what can be read now, and was not."""
        stage, here = self._stage(work.job, video.beside.video)
        files = [x for x in video.beside.files if x[0].index not in video.files]
        files = [x for x in files if self._streams.is_whole(work.job, x[0])]
        if (stage > video.stage or files) and video.rests_until <= self._clock():
            task = asyncio.get_running_loop().create_task(self._look(work, video, stage, here, files))
            video.task = task
            self._tasks[task] = work.job.id

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

    async def _look(
        self, work: _Work, video: _Video, stage: Stage, here: int | None, files: list[tuple[JobFile, Sidecar]]
    ) -> None:
        before = video.stage, video.tracks, video.files
        try:
            if stage > video.stage:
                had_rate = video.frame_rate is not None
                await self._read_tracks(work, video, stage, here)
                if video.frame_rate and not had_rate:
                    files = files + [x for x in video.beside.files if _is_guess(x, video)]
            await self._read_files(video, files)
            await self._write(work, video, before)
        except HtdlError as exc:  # the database is in use, say: it is made once more
            log.error("cannot keep subtitles job=%s file=%d: %s", work.job.id, video.beside.video.index, exc)
            video.stage, video.tracks, video.files = before
            video.rests_until = self._clock() + REST_SECONDS
        except Exception:  # a bug that one video meets must not stop the others; it is logged whole, once
            log.exception("subtitles failed job=%s file=%d", work.job.id, video.beside.video.index)
            video.rests_until = float("inf")
        finally:
            if task := asyncio.current_task():
                del self._tasks[task]
            video.task = None
            self._book.changed.set()

    async def _read_tracks(self, work: _Work, video: _Video, stage: Stage, here: int | None) -> None:
        one, path = video.beside, Path(work.job.save_path) / video.beside.video.path
        try:
            is_media = await asyncio.to_thread(_is_media, Path(work.job.save_path), path)
            made = await self._extract(video, path, here) if is_media else []
        except OSError:  # its source is gone: what was made of it stays
            video.stage = stage
            return
        except ConversionFailed as exc:  # no ffmpeg, or a file that it cannot read
            log.info("no subtitles job=%s file=%d: %s", work.job.id, one.video.index, exc.message)
            made = []
        if here is not None:  # what does not come out yet may do so later
            stage = stage if made else Stage.HALF  # where there are no tracks there will be none
            made = [replace(x, note="; ".join(filter(None, (x.note, beside.SO_FAR)))) for x in made if x.path]
        video.tracks = tuple(beside.row(one, x, x.origin) for x in made)
        video.stage = stage

    async def _extract(self, video: _Video, path: Path, here: int | None) -> list[Extracted]:
        settings, source, one = self._config().conversion, Source(str(path)), video.beside
        tools = await find_tools(settings.ffmpeg_path, settings.ffprobe_path)
        found = await probe(tools, source)
        video.frame_rate = found.video.frame_rate if found.video else None
        return await extract(
            tools, source, found.streams, one.folder, seconds=READ_SECONDS, here=here, taken=one.names
        )

    async def _read_files(self, video: _Video, files: list[tuple[JobFile, Sidecar]]) -> None:
        one, read = video.beside, dict(video.files)
        for file, sidecar in files:
            made = await convert_sidecar(sidecar, one.folder, frame_rate=video.frame_rate)
            read[file.index] = beside.row(one, made, str(file.index))
        video.files = read

    async def _write(
        self, work: _Work, video: _Video, before: tuple[Stage, Sequence[Subtitle], dict[int, Subtitle]]
    ) -> None:
        """The rows, once their files are there; and away with what no row names any more."""
        index, old = video.beside.video.index, {x.path for x in (*before[1], *before[2].values())}
        if self._work.get(work.job.id) is not work:  # its job was removed with its data
            await asyncio.to_thread(self._remove, {x.path for x in video.rows}, {video.beside.folder})
            return
        some = video.rows if video.is_complete else (*video.rows, beside.mark(index))
        await self._db.run(_put, work.job.id, {index: some})
        gone = old - {x.path for x in video.rows}
        await asyncio.to_thread(self._remove, gone, set())
        for row in video.rows:
            log.debug("subtitles job=%s file=%d origin=%r path=%s note=%r", work.job.id, index, row.origin,
                      row.path, row.note)  # fmt: skip
        if video.rows != (*(before[2][x] for x in sorted(before[2])), *before[1]):
            self._book.announce(Kind.CHANGED, self._book.living.get(work.job.id, work.job))

    def _remove(self, paths: Iterable[str], folders: Iterable[Path]) -> None:
        """These files below the subtitles' folder, and what a run that was killed left in these folders."""
        root = self._config().storage.subtitle_path
        left: list[Path] = []
        for folder in folders:
            shutil.rmtree(folder / ".tracks", ignore_errors=True)
            left += [folder / ".tracks", *folder.glob(".*.vtt.part")]
        for path in (*map(Path, paths), *left):
            parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
            if len(parts) > 1 and ".." not in parts:
                payload.delete(root / parts[0], [str(Path(*parts[1:]))], "")


def _is_due(job: Job) -> bool:
    return job.status in _RUNS and job.wish is Wish.RUN and job.has_metadata


def _is_whole(job: Job) -> bool:
    return job.status is State.COMPLETED and job.file_path is not None


def _videos(files: Sequence[JobFile], save_path: Path, home: Path, found: Sequence[Subtitle]) -> list[_Video]:
    some = [(one, beside.known(one, found)) for one in beside.plan(files, save_path, home)]
    return [_Video(one, known.stage, known.tracks, known.files) for one, known in some]


def _is_guess(one: tuple[JobFile, Sidecar], video: _Video) -> bool:
    """Whether it was read, and may count frames of a rate that was not known then."""
    return one[0].index in video.files and suffix(one[0].path) == ".sub"


def _is_media(folder: Path, path: Path) -> bool:
    """By its first bytes: what is of no known kind has no tracks of text.  Raises OSError."""
    with open_regular(folder, path) as file:
        return identify(file.read(HEAD_BYTES)).kind is not None


def _content(folder: Path, path: Path) -> bytes | None:
    try:
        with open_regular(folder, path) as file:
            return file.read(MAX_BYTES)
    except OSError as exc:  # somebody removed it, or put something else there
        log.warning("cannot read subtitles path=%s: %s", path, exc.strerror)
        return None


def _unfinished(every: Mapping[str, Sequence[Subtitle]]) -> list[str]:
    """The jobs with more to come, or of which a file is gone.  Looks at the disk: for a thread."""
    return [job_id for job_id, some in every.items() if not all(_is_there(x) for x in some)]


def _is_there(row: Subtitle) -> bool:
    return bool(row.origin) and (not beside.is_made(row) or Path(row.path).is_file())


def _put(db: sqlite_utils.Database, job_id: str, some: Mapping[int, Iterable[Subtitle]]) -> None:
    for index, subtitles in some.items():
        rows.replace_all(db, job_id, index, subtitles)
