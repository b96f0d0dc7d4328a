"""What can be watched: opens videos, be they whole or still arriving, and says truthfully when.

While a job's torrent is held it is followed: its main video's container is read as soon as it can be, the
head and the index that a player needs are asked for, and `listener` hears when the verdict may have changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from htdl.config import Stream as StreamConfig
from htdl.core import selection
from htdl.core.book import Book
from htdl.core.torrents import Torrent
from htdl.errors import NoSuchJob, Refused, TimedOut
from htdl.jobs import Job, JobFile, Preload, Readiness, State, Wish
from htdl.stream import readiness
from htdl.stream.arrival import Arrival
from htdl.stream.container.container import Container
from htdl.stream.source import Span
from htdl.stream.video import Reading, Video, WholeReader
from htdl.torrent.api import Engine

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2  # between two looks at one container, at least
VISIT_SECONDS = 5.0  # of a page that asks every second
PRELOAD_SECONDS = 30.0  # that a place is kept for who asked for it
MAX_ASKED = 8  # files of one torrent, beside its main one, whose containers are read
_WHOLE = {State.COMPLETED, State.CONVERTING}


@dataclass(slots=True, eq=False)
class _Arriving:
    """A torrent that is held, and what its videos say of themselves."""

    torrent: Torrent
    arrival: Arrival
    asked: list[int] = field(default_factory=list)  # files that somebody asked about beside the main one
    containers: dict[int, Container] = field(default_factory=dict)  # by file
    needed: list[tuple[Span, range]] = field(default_factory=list)  # heads and indices
    ready: set[int] = field(default_factory=set)  # files that could be watched already
    verdicts: dict[int, tuple[object, Readiness]] = field(default_factory=dict)  # the last, and of what
    preload: tuple[Span, range] | None = None  # what somebody will watch soon
    preload_ends: asyncio.TimerHandle | None = None
    follower: asyncio.Task[None] | None = field(default=None)


class Streams:
    """`config` gives the configuration of the moment."""

    def __init__(self, book: Book, engine: Engine, config: Callable[[], StreamConfig]) -> None:
        self.listener: Callable[[str], None] = lambda job_id: None
        self._book = book
        self._engine = engine
        self._config = config
        self._arriving: dict[str, _Arriving] = {}
        self._awaited: Counter[str] = Counter()  # who waits for which job's torrent
        self._visited: dict[str, asyncio.TimerHandle] = {}
        self._news = asyncio.Event()  # another torrent is followed

    # --- opening ---

    async def open(self, prefix: str, index: int | None = None) -> Video:
        """One file of a job, the main one where none is named.

        Raises NoSuchJob, Refused for what cannot be watched, TimedOut when its turn does not come.
        """
        job = await self._book.find(prefix)
        files = await self._book.files_of(job)
        if job.status in _WHOLE or (_is_idle(job) and _is_here(self.file(job, files, index))):
            return self._whole(job, self.file(job, files, index))
        arriving = await self._held(job.id)
        job, files = self._book.living.get(job.id, job), self._book.files.get(job.id, files)
        file = self.file(job, files, index)
        if job.status in _WHOLE:
            return self._whole(job, file)
        self.attend(job.id, file.index)
        arrival, span = arriving.arrival, arriving.torrent.span(file)
        return self._video(
            job,
            file,
            lambda start, stop: arrival.open(span, start, stop),
            is_whole=arriving.torrent.head(span, 0) == file.size,
        )

    def _whole(self, job: Job, file: JobFile) -> Video:
        return self._video(job, file, lambda start, stop: WholeReader(start, stop), is_whole=True)

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

    def _video(
        self, job: Job, file: JobFile, reader: Callable[[int, int], Reading], *, is_whole: bool
    ) -> Video:
        modified = datetime.fromisoformat(job.completed_at).timestamp() if job.completed_at else None
        return Video(
            job_id=job.id,
            index=file.index,
            path=Path(job.save_path) / file.path,
            folder=Path(job.save_path),
            size=file.size,
            etag=f'"{job.info_hash[:20]}-{file.index}"',
            modified=modified if is_whole else None,
            is_whole=is_whole,
            reader=reader,
        )

    async def _held(self, job_id: str) -> _Arriving:
        """Wait until the engine has this torrent and its metadata; a queued job's turn comes at once."""
        self._awaited[job_id] += 1
        self._book.changed.set()
        try:
            async with asyncio.timeout(self._config().wait_seconds):
                while not self.follow(job_id):
                    _reject_idle(await self._book.find(job_id))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):  # its state may change as well
                            await self._news.wait()
                return self._arriving[job_id]
        except TimeoutError as exc:
            raise TimedOut("its files are not known yet: nobody has sent its metadata") from exc
        finally:
            self._awaited -= Counter([job_id])

    def is_watched(self, job_id: str) -> bool:
        """Whether somebody reads it, or waits to, or looked a moment ago whether it can be watched."""
        arriving = self._arriving.get(job_id)
        is_here = arriving and not arriving.torrent.pieces.is_gone
        is_read = is_here and arriving and (arriving.arrival.readers or arriving.preload)
        return job_id in self._awaited or job_id in self._visited or bool(is_read)

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
        """Look at this job's container as it comes, from now until its torrent is let go.  False while the
        engine does not know its pieces.
        """
        pieces, metadata = self._engine.pieces(job_id), self._engine.metadata(job_id)
        known = self._arriving.get(job_id)
        if known and known.torrent.pieces is pieces:
            return True
        job = self._book.living.get(job_id)
        if pieces is None or metadata is None or job is None or not self._book.files.get(job_id):
            return False
        torrent = Torrent(self._engine, job_id, Path(job.save_path), metadata, pieces)
        arriving = self._arriving[job_id] = _Arriving(torrent, Arrival(torrent))
        if known:
            arriving.asked, arriving.ready = known.asked, known.ready
        arriving.follower = asyncio.get_running_loop().create_task(self._follow(job_id, arriving))
        self._news.set()
        self._news = asyncio.Event()
        return True

    async def _follow(self, job_id: str, arriving: _Arriving) -> None:
        pieces = arriving.torrent.pieces
        try:
            while not pieces.is_gone:
                version = pieces.version
                await self._examine(job_id, arriving)
                self.listener(job_id)
                if version == pieces.version:
                    await pieces.changed()
                await asyncio.sleep(LOOK_SECONDS)
        except Exception:  # a bug in reading a container must not end the download; it is logged whole
            log.exception("cannot follow job=%s", job_id)
        finally:
            self._end_preload(arriving)
            if self._arriving.get(job_id) is arriving:
                del self._arriving[job_id]

    async def _examine(self, job_id: str, arriving: _Arriving) -> None:
        """Read the containers as far as they are here, and ask for what they need besides."""
        arriving.needed = []
        for file in self._attended(job_id, arriving):
            known = arriving.containers.get(file.index)
            if known is None or not known.index_ok:
                span = arriving.torrent.span(file)
                found = await asyncio.to_thread(arriving.torrent.examine, span)
                arriving.containers[file.index] = found
                arriving.needed += [(span, part) for part in found.needed]
        self._ask(arriving)

    def _ask(self, arriving: _Arriving) -> None:
        """For head and index, which come before what is preloaded: without them nothing plays."""
        arriving.arrival.need(arriving.needed + ([arriving.preload] if arriving.preload else []))

    def _attended(self, job_id: str, arriving: _Arriving) -> list[JobFile]:
        """The main file, and those that were asked about."""
        files = self._book.files.get(job_id, ())
        main = selection.main_file(files)
        asked = [file for file in files if file.index in arriving.asked and file.wanted and file != main]
        return [main, *asked] if main else []

    # --- the verdict ---

    def readiness(self, job: Job, files: Sequence[JobFile], index: int | None = None) -> Readiness:
        """Whether this file, the main one where none is named, can be watched now."""
        threshold = self._config().buffer_threshold_percent
        if job.status in _WHOLE:
            return readiness.gone(threshold) if job.file_path is None else readiness.whole(threshold)
        file = selection.main_file(files) if index is None else self.file(job, files, index)
        if _is_idle(job) or job.status is not State.DOWNLOADING:
            is_here = file is not None and _is_here(file)
            return readiness.whole(threshold) if is_here else readiness.idle(_why_idle(job), threshold)
        arriving = self._arriving.get(job.id)
        if arriving is None or file is None:
            return readiness.idle("its files are not known yet", threshold)
        return self._verdict(job, file, arriving, threshold)

    def attend(self, job_id: str, index: int) -> None:
        """Somebody asks about a file that may not be the main one: its head and index come first as well."""
        arriving = self._arriving.get(job_id)
        if arriving and index not in arriving.asked:
            arriving.asked = [*arriving.asked, index][-MAX_ASKED:]

    def _verdict(self, job: Job, file: JobFile, arriving: _Arriving, threshold: float) -> Readiness:
        torrent, container = arriving.torrent, arriving.containers.get(file.index)
        basis = (torrent.pieces.version, container, _speed(job), threshold)
        known = arriving.verdicts.get(file.index)
        if known and known[0] == basis:
            return known[1]
        span = torrent.span(file)
        found = readiness.verdict(
            size=file.size,
            head=torrent.head(span, 0),
            done=sum(len(run) for run in torrent.runs(span)),
            container=container,
            speed=_speed(job),
            threshold=threshold,
            was_ready=file.index in arriving.ready,
        )
        arriving.verdicts[file.index] = basis, found
        if found.ready:
            arriving.ready.add(file.index)
        return found

    def runs(self, job_id: str, file: JobFile) -> list[range]:
        """Which bytes of a file that is still arriving are here, in order."""
        arriving = self._arriving.get(job_id)
        return arriving.torrent.runs(arriving.torrent.span(file)) if arriving else []

    # --- preloading ---

    async def preload(self, prefix: str, index: int | None, seconds: float) -> Preload:
        """Fetch what plays at this time before all else, once the index says where that is, and keep it so
        for PRELOAD_SECONDS; ask again to keep it longer.

        Raises as `open` does.
        """
        video = await self.open(prefix, index)
        arriving, file = self._arriving.get(video.job_id), self._known_file(video)
        if video.is_whole or arriving is None or file is None:
            return Preload(ready=True, reason="the whole file is here", byte=0)
        container, span = arriving.containers.get(file.index), arriving.torrent.span(file)
        is_known = container is not None and container.index_ok
        place = readiness.place(container, file.size, seconds) if container and is_known else range(0)
        arriving.preload = (span, place)
        if arriving.preload_ends:
            arriving.preload_ends.cancel()
        loop = asyncio.get_running_loop()
        arriving.preload_ends = loop.call_later(PRELOAD_SECONDS, self._end_preload, arriving)
        self._ask(arriving)
        if not is_known:
            return Preload(ready=False, reason="the index of the file is still missing", byte=0)
        return _preloaded(place, min(len(place), arriving.torrent.head(span, place.start)))

    def _known_file(self, video: Video) -> JobFile | None:
        files = self._book.files.get(video.job_id, ())
        return next((file for file in files if file.index == video.index), None)

    def _end_preload(self, arriving: _Arriving) -> None:
        if arriving.preload_ends:
            arriving.preload_ends.cancel()
        arriving.preload = arriving.preload_ends = None
        self._ask(arriving)


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
        return f"the download is {job.status if job.has_ended else 'being cancelled'}"
    return job.detail or "the download has not begun"


def _speed(job: Job) -> float:
    """Bytes a second, smoothed where an ETA is known: the speed of one second jumps about."""
    missing = job.total_bytes - job.done_bytes
    return missing / job.eta_seconds if job.eta_seconds > 0 else float(job.download_speed)


def _preloaded(place: range, here: int) -> Preload:
    if here >= len(place):
        return Preload(ready=True, reason="what plays there is here", byte=place.start)
    share = here * 100 // len(place)
    return Preload(ready=False, reason=f"{share} % of what plays there is here", byte=place.start)
