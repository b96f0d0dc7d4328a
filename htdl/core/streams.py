"""What can be watched: opens videos, be they whole or still arriving, and says truthfully when.

While a job's torrent is held it is followed, see `Arriving`; `listener` hears when the verdict may change.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from htdl.config import Stream as StreamConfig
from htdl.core import selection
from htdl.core.arriving import LOOK_SECONDS, Arriving
from htdl.core.book import Book
from htdl.core.lengths import Lengths, check_within
from htdl.core.schedule import NO_VIDEO
from htdl.core.shelf import Shelf
from htdl.core.torrents import Torrent
from htdl.core.videos import Videos
from htdl.errors import NoSuchJob, Refused, TimedOut
from htdl.jobs import Job, JobFile, Preload, Readiness, State, Wish
from htdl.stream import readiness
from htdl.stream.following import Follower
from htdl.stream.video import Video
from htdl.torrent.api import Engine

VISIT_SECONDS = 5.0  # of a page that asks every second
_WHOLE = {State.COMPLETED, State.CONVERTING}


class Streams:
    """`config` gives the configuration of the moment."""

    def __init__(self, book: Book, engine: Engine, shelf: Shelf, config: Callable[[], StreamConfig]) -> None:
        self.listener: Callable[[str], None] = lambda job_id: None
        self._book = book
        self._engine = engine
        self._videos = Videos(shelf)
        self._config = config
        self._arriving: dict[str, Arriving] = {}
        self._followers: dict[str, asyncio.Task[None]] = {}  # by job
        self._awaited: Counter[str] = Counter()  # who waits for which job's torrent
        self._visited: dict[str, asyncio.TimerHandle] = {}
        self._news = asyncio.Event()  # another torrent is followed
        self._lengths = Lengths()

    # --- opening ---

    async def open(self, prefix: str, index: int | None = None) -> Video:
        """One file of a job, the main one where none is named.

        Raises NoSuchJob, Refused for what cannot be watched, TimedOut when its turn does not come.
        """
        job = await self._book.find(prefix)
        files = await self._book.files_of(job)
        if job.status in _WHOLE or self._is_left_whole(job, files, index):
            return await self._videos.kept(job, self.file(job, files, index))
        arriving = await self._held(job.id)
        job = await self._book.find(job.id)
        file = self.file(job, await self._book.files_of(job), index)
        if arriving is None or job.status in _WHOLE:
            return self._videos.whole(job, file)
        self.attend(job.id, file.index)
        arrival, span = arriving.arrival, arriving.torrent.span(file)
        return self._videos.video(
            job,
            file,
            lambda start, stop: arrival.open(span, start, stop),
            is_whole=arriving.torrent.head(span, 0) == file.size,
        )

    async def feed(self, prefix: str, index: int) -> Video:
        """As `open`, for a conversion: it takes what comes, and is not somebody who watches.

        Raises Refused for what does not arrive just now.
        """
        job = await self._book.find(prefix)
        file = self.file(job, await self._book.files_of(job), index)
        if job.status in _WHOLE:
            return self._videos.whole(job, file)
        arriving = self._arriving.get(job.id)
        if arriving is None:
            raise Refused("it does not arrive just now")
        torrent, span = arriving.torrent, arriving.torrent.span(file)
        return self._videos.video(
            job,
            file,
            lambda start, stop: Follower(torrent, span, start, stop),
            is_whole=False,
        )

    def is_whole(self, job: Job, file: JobFile) -> bool:
        """Whether all of a file is on disk, and can be read."""
        arriving = self._arriving.get(job.id)
        if job.status in _WHOLE or arriving is None:
            return job.status in _WHOLE and job.file_path is not None
        return arriving.torrent.head(arriving.torrent.span(file), 0) == file.size

    def has_beginning(self, job: Job, file: JobFile, count: int) -> bool:
        """Whether the first bytes of a file that is still arriving can be read."""
        arriving = self._arriving.get(job.id)
        return arriving is not None and arriving.torrent.head(arriving.torrent.span(file), 0) >= count

    def has_index(self, job: Job, file: JobFile) -> bool:
        """Whether the head and the index of a file that is still arriving are here."""
        arriving = self._arriving.get(job.id)
        return arriving is not None and arriving.has_index(file)

    async def result(self, prefix: str, index: int) -> Video:
        """What was made of a file.  Raises NoSuchJob, Refused."""
        job = await self._book.find(prefix)
        file = self.file(job, await self._book.files_of(job), index)
        if file.output is None:
            raise NoSuchJob(f"nothing was made of {file.path} yet", code="no_such_file")
        return await self._videos.made(job, file, Path(file.output))

    def _is_left_whole(self, job: Job, files: Sequence[JobFile], index: int | None) -> bool:
        """Whether this file of a job that stands still was whole when its torrent was let go, and all of it
        written.
        """
        is_let_go = _is_idle(job) and self._engine.pieces(job.id) is None
        return is_let_go and bool(files) and _is_here(self.file(job, files, index))

    def file(self, job: Job, files: Sequence[JobFile], index: int | None) -> JobFile:
        """The one meant.  Raises NoSuchJob (`no_such_file`), Refused for one that is not downloaded."""
        file = (
            selection.main_file(files)
            if index is None
            else next((x for x in files if x.index == index), None)
        )
        if file is None:
            raise NoSuchJob(
                f"{job.name or job.id[:8]} has no file {index}" if files else "its files are not known yet",
                hint=f"`htdl show {job.id[:8]}` lists them",
                code="no_such_file",
            )
        if not file.wanted:
            raise Refused(f"{file.path} is not among the files that are downloaded")
        if job.status in _WHOLE and job.file_path is None:
            raise Refused("its files were removed", hint=f"`htdl retry {job.id[:8]}` fetches them again")
        return file

    async def _held(self, job_id: str) -> Arriving | None:
        """Wait until the engine has this torrent and its metadata; a queued job's turn comes at once.  None
        for a job that is whole by then.
        """
        self._awaited[job_id] += 1
        self._book.changed.set()
        try:
            async with asyncio.timeout(self._config().wait_seconds):
                while not self.follow(job_id):
                    job = await self._book.find(job_id)
                    if job.status in _WHOLE:
                        return None
                    _reject_idle(job)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):  # its state may change as well
                            await self._news.wait()
                return self._arriving[job_id]
        except TimeoutError as exc:
            raise TimedOut("its files are not known yet: nobody has sent its metadata") from exc
        finally:
            self._awaited -= Counter([job_id])

    def is_watched(self, job_id: str) -> bool:
        """Whether its turn comes before others': somebody reads it, or waits to, or has its page open."""
        return job_id in self._visited or self.is_read(job_id)

    def is_read(self, job_id: str) -> bool:
        """Whether others make way for it: somebody reads it, or waits to."""
        arriving = self._arriving.get(job_id)
        return job_id in self._awaited or (arriving is not None and arriving.is_watched)

    def visit(self, job_id: str) -> None:
        """Somebody has its page open: a queued job's turn comes."""
        if timer := self._visited.pop(job_id, None):
            timer.cancel()
        else:
            self._book.changed.set()
        loop = asyncio.get_running_loop()
        self._visited[job_id] = loop.call_later(VISIT_SECONDS, self._visited.pop, job_id, None)

    # --- following ---

    def follow(self, job_id: str) -> bool:
        """Look at this job's containers as they come, from now until its torrent is let go.  False while the
        engine does not know its pieces, and of a job that is whole.
        """
        pieces, metadata = self._engine.pieces(job_id), self._engine.metadata(job_id)
        job = self._book.living.get(job_id)
        if pieces is None or pieces.is_gone or metadata is None or job is None or job.status in _WHOLE:
            return False
        known = self._arriving.get(job_id)
        if known and known.torrent.pieces is pieces:
            return True
        if not self._book.files.get(job_id):
            return False
        torrent = Torrent(self._engine, job_id, Path(job.save_path), metadata, pieces)
        arriving = Arriving(torrent, lambda: self._book.files.get(job_id, ()))
        self._arriving[job_id] = arriving
        follower = asyncio.get_running_loop().create_task(self._follow(job_id, arriving))
        self._followers[job_id] = follower
        self._news.set()
        self._news = asyncio.Event()
        return True

    def leave(self, job_id: str) -> None:
        """This job is whole or has ended: who reads it reads on, and nothing more is to be found out."""
        if follower := self._followers.pop(job_id, None):
            follower.cancel()

    async def _follow(self, job_id: str, arriving: Arriving) -> None:
        try:
            await arriving.follow(lambda: self.listener(job_id))
        finally:
            if self._arriving.get(job_id) is arriving:
                del self._arriving[job_id]

    # --- the verdict ---

    def readiness(self, job: Job, files: Sequence[JobFile], index: int | None = None) -> Readiness:
        """Whether this file, the main one where none is named, can be watched now."""
        threshold = self._config().buffer_threshold_percent
        if job.status in _WHOLE:
            return readiness.gone(threshold) if job.file_path is None else readiness.whole(threshold)
        file = selection.main_file(files) if index is None else self.file(job, files, index)
        if job.error_code == NO_VIDEO:
            return readiness.idle(job.error_message or "it is no video", threshold)
        if _is_idle(job) or job.status is not State.DOWNLOADING:
            is_here = file is not None and _is_here(file)
            return readiness.whole(threshold) if is_here else readiness.idle(_why_idle(job), threshold)
        arriving = self._arriving.get(job.id)
        if arriving is None or file is None:
            reason = readiness.LOOKING if file else "its files are not known yet"
            return readiness.idle(reason, threshold)
        return arriving.verdict(file, self._speed(job), threshold)

    def _speed(self, job: Job) -> float:
        """Bytes a second, smoothed where an ETA is known: the speed of one second jumps about."""
        missing = job.total_bytes - job.done_bytes
        if job.eta_seconds > 0:
            return missing / job.eta_seconds
        status = self._engine.status(job.id)  # knows it sooner
        return float(status.download_speed if status else job.download_speed)

    def attend(self, job_id: str, index: int) -> None:
        """Somebody asks about a file that may not be the main one: its head and index come first as well."""
        if arriving := self._arriving.get(job_id):
            arriving.attend(index)

    def runs(self, job_id: str, file: JobFile) -> list[range] | None:
        """Which bytes of a file that is not whole are here, in order; None while that is not known, as of a
        paused job, whose torrent was let go.
        """
        if arriving := self._arriving.get(job_id):
            return arriving.torrent.runs(arriving.torrent.span(file))
        return None if file.progress > 0 else []

    # --- preloading ---

    async def preload(self, prefix: str, index: int | None, seconds: float) -> Preload:
        """Fetch what plays at this time before all else, see `Arriving.preload`; ask again to keep it longer.

        Raises as `open` does, and Refused for a time that the file does not have.
        """
        video = await self.open(prefix, index)
        arriving, file = self._arriving.get(video.job_id), self._known_file(video)
        if video.is_whole or arriving is None or file is None:
            if seconds > 0:
                check_within(video.name, seconds, await self._length_of(video))
            return Preload(ready=True, reason="the whole file is here", byte=0)
        return arriving.preload(file, seconds)

    async def length(self, job: Job, file: JobFile) -> float | None:
        """How long this file plays, in seconds; None while its container is not here to say so."""
        arriving = self._arriving.get(job.id)
        if arriving and (known := arriving.length(file)) is not None:
            return known
        is_whole = job.file_path is not None if job.status in _WHOLE else _is_here(file)
        folder = Path(job.save_path)
        return await self._lengths.of(folder, folder / file.path, file.size) if is_whole else None

    async def _length_of(self, video: Video) -> float | None:
        return await self._lengths.of(video.folder, video.path, video.size) if video.is_whole else None

    def _known_file(self, video: Video) -> JobFile | None:
        files = self._book.files.get(video.job_id, ())
        return next((file for file in files if file.index == video.index), None)


def _is_idle(job: Job) -> bool:
    """Whether nothing more of it comes."""
    return job.has_ended or job.wish is not Wish.RUN


def _is_here(file: JobFile) -> bool:
    """Whether all of it was here when its torrent was let go."""
    return file.wanted and file.progress >= 100.0


def _reject_idle(job: Job) -> None:
    """Raises Refused for a job of which nothing more comes."""
    if _is_idle(job):
        verb = "retry" if job.has_ended else "resume"
        raise Refused(_why_idle(job), hint=f"`htdl {verb} {job.id[:8]}` goes on with it")


def _why_idle(job: Job) -> str:
    if job.wish is Wish.PAUSE:
        return "the download is paused"
    if job.has_ended or job.wish is Wish.CANCEL:
        return f"the download is {job.status.lower() if job.has_ended else 'being cancelled'}"
    return job.detail or "the download has not begun"
