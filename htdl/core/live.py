"""Watching what browsers do not play, before it is converted.

A picture that is encoded is encoded once, for who watches now and for later: its conversion writes the
playlist too.  What costs little is made for a viewer when there is one, and ended when there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from htdl.config import Config
from htdl.core import admission
from htdl.core.chores import Chores
from htdl.core.cleaning import size
from htdl.core.conversion import Prepared
from htdl.core.conversions import Conversions
from htdl.core.streams import Streams
from htdl.errors import ConversionFailed, DiskFull, HtdlError, NoSuchJob
from htdl.jobs import Conversion, ConversionState, Job, JobFile
from htdl.media import browsers, live
from htdl.media.plan import Effort

log = logging.getLogger(__name__)

VIEWER_SECONDS = 60.0  # after the last request nobody watches any more
LOOK_SECONDS = 0.1  # between two looks for a part that is still made
NO_ROOM_SECONDS = 15.0  # after there was no room, before it is tried again
BOUND_SECONDS = 5.0  # between two looks at what it takes on the disk
MOST_GROWTH, SPARE_BYTES = 4, 1 << 30  # beyond what is reckoned, as of a conversion
NAMES = re.compile(r"index\.m3u8|init\.mp4|index\d{1,9}\.m4s")

Key = tuple[str, int]  # a job, and the index of its file


@dataclass(slots=True)
class _Show:
    folder: Path
    making: asyncio.Task[None] | None = None  # None: its conversion writes it
    fetching: asyncio.Task[None] | None = None  # of the source, in playing order
    ends: asyncio.TimerHandle | None = None
    is_ending: bool = False


class Live:
    """`config` gives the configuration of the moment; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        conversions: Conversions,
        streams: Streams,
        config: Callable[[], Config],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._conversions = conversions
        self._streams = streams
        self._config = config
        self._clock = clock
        self._shows: dict[Key, _Show] = {}
        self._failed: dict[Key, tuple[Prepared, float]] = {}  # what could not be shown, and until when
        self._chores = Chores()
        conversions.shop.on_playlist_end = self._on_playlist_end

    def how(self, job: Job, file: JobFile) -> str:
        """How a browser is to play a file now: "source", the file itself or what was made of it; "hls"; or
        "wait", since it can only once it is converted.
        """
        record = self._record(job, file)
        if record is None or record.status in {ConversionState.DONE, ConversionState.FAILED}:
            return "source"
        prepared = self._conversions.prepared(job.id, file.index)
        if prepared is None:  # after a restart it is known before it is looked at again
            return "wait" if record.effort in {Effort.AUDIO, Effort.TRANSCODE} else "source"
        is_played = prepared.probe.container in browsers.CONTAINERS
        if prepared.plan.effort is Effort.NONE or (prepared.plan.effort is Effort.REMUX and is_played):
            return "source"
        return "hls" if self.is_shown(job, file) else "wait"

    def is_shown(self, job: Job, file: JobFile) -> bool:
        """Whether there is a playlist of what is made of a file, or will be once somebody asks."""
        key, record = (job.id, file.index), self._record(job, file)
        prepared = self._conversions.prepared(*key)
        has_failed = self._has_failed(key)
        if record is None or prepared is None or has_failed or key in self._shows:
            return key in self._shows and not has_failed
        if record.status in {ConversionState.DONE, ConversionState.FAILED} or not self.media_type(*key):
            return False
        effort = prepared.plan.effort
        is_cheap = effort in {Effort.REMUX, Effort.AUDIO}
        return is_cheap or (effort is Effort.TRANSCODE and self._conversions.playlist(*key) is not None)

    def _has_failed(self, key: Key) -> bool:
        """Whether it cannot be shown just now; what was looked at anew since may be another thing."""
        prepared, until = self._failed.get(key, (None, 0.0))
        return until > self._clock() and self._conversions.prepared(*key) is prepared

    def duration(self, job_id: str, index: int) -> float | None:
        """Of the whole film, in seconds."""
        prepared = self._conversions.prepared(job_id, index)
        return prepared.probe.duration if prepared else None

    def media_type(self, job_id: str, index: int) -> str | None:
        """Of what is shown of a file; None while that is not known, or where a browser would not play it."""
        prepared = self._conversions.prepared(job_id, index)
        return live.media_type(prepared.plan) if prepared else None

    async def part(self, job: Job, file: JobFile, name: str) -> Path:
        """Where this part of what is shown lies; of the playlist, once it has begun.  Raises NoSuchJob."""
        if not NAMES.fullmatch(name):
            raise NoSuchJob(f"nothing is called {name!r:.80}")
        show = self._show(job, file)
        self._stay(job, file, show)
        path = show.folder / name
        if name == live.PLAYLIST:
            await self._begun(path, show)
        return path

    def _record(self, job: Job, file: JobFile) -> Conversion | None:
        return next((x for x in self._conversions.of(job.id) if x.file_index == file.index), None)

    def _show(self, job: Job, file: JobFile) -> _Show:
        key = (job.id, file.index)
        if show := self._shows.get(key):
            if show.is_ending:  # what is made in its folder now would go with it
                raise NoSuchJob(f"{file.path} is just put away", hint="try again in a moment")
            return show
        if not self.is_shown(job, file):
            raise NoSuchJob(f"{file.path} is not shown this way just now")
        playlist = self._conversions.playlist(*key)
        show = self._shows[key] = _Show(playlist.parent if playlist else self._conversions.show_folder(*key))
        prepared = self._conversions.prepared(*key)
        if playlist is None and prepared:
            show.making = asyncio.get_running_loop().create_task(self._make(job, file, show, prepared))
        return show

    async def _make(self, job: Job, file: JobFile, show: _Show, prepared: Prepared) -> None:
        key = (job.id, file.index)
        try:
            source = self._conversions.source(job, file)
            if source is None:  # its torrent is verified anew, say: who asks again begins again
                self._chores.begin(self._end(key))
                return
            expected = prepared.plan.bytes or file.size
            await asyncio.to_thread(self._check_room, expected)
            await asyncio.to_thread(show.folder.mkdir, parents=True, exist_ok=True)
            log.info("shown while it is converted job=%s file=%d", job.id, file.index)
            await _first(
                live.show(prepared.tools, source, prepared.plan, show.folder / live.PLAYLIST),
                self._bound(show.folder, MOST_GROWTH * expected + SPARE_BYTES),
            )
        except (HtdlError, OSError) as exc:
            log.warning("cannot be shown job=%s file=%d: %s", job.id, file.index, exc)
            is_full = isinstance(exc, DiskFull)
            self._failed = {x: known for x, known in self._failed.items() if self._has_failed(x)}
            self._failed[key] = prepared, self._clock() + NO_ROOM_SECONDS if is_full else float("inf")
            self._chores.begin(self._end(key))

    async def _bound(self, folder: Path, most: int) -> None:
        """Raises ConversionFailed once all in there takes more than it may, DiskFull for want of room."""
        while True:
            await asyncio.sleep(BOUND_SECONDS)  # a folder tells nobody how much it holds
            if await asyncio.to_thread(_bytes, folder) > most:
                raise ConversionFailed("what is shown grew far larger than it should")
            await asyncio.to_thread(self._check_room, 1)

    def _check_room(self, needed: int) -> None:
        """Raises DiskFull: what is shown is a second copy of the film."""
        storage = self._config().storage
        if admission.room(storage.temp_path, storage.min_free) < needed:
            raise DiskFull(f"there is no room for {size(needed)} in {storage.temp_path}")

    async def _begun(self, playlist: Path, show: _Show) -> None:
        """Wait for its first segment."""
        try:
            async with asyncio.timeout(self._config().stream.wait_seconds):
                while not await asyncio.to_thread(playlist.exists):
                    if show.making and show.making.done():
                        break
                    await asyncio.sleep(LOOK_SECONDS)  # ffmpeg tells nobody of a file that it has written
        except TimeoutError as exc:
            raise NoSuchJob("nothing of it has come yet", hint="try again in a moment") from exc

    # --- the end ---

    def _stay(self, job: Job, file: JobFile, show: _Show) -> None:
        """Somebody watches."""
        if show.ends:
            show.ends.cancel()
        loop, key = asyncio.get_running_loop(), (job.id, file.index)
        show.ends = loop.call_later(VIEWER_SECONDS, lambda: self._chores.begin(self._end(key)))
        is_fetching = show.fetching is not None and not show.fetching.done()
        if not is_fetching and not self._streams.is_whole(job, file):
            show.fetching = loop.create_task(self._fetch(job, file))

    async def _fetch(self, job: Job, file: JobFile) -> None:
        """What plays next comes next, as for anybody who watches: ffmpeg takes what comes, and asks for
        none.
        """
        with contextlib.suppress(HtdlError):  # it stands still, or its turn does not come: asked again
            video = await self._streams.open(job.id, file.index)
            with contextlib.closing(video.reader(0, video.size)) as reader:
                while await reader.next(VIEWER_SECONDS):  # noqa: ASYNC110 - it waits, but for what is here
                    await asyncio.sleep(0)  # which may be much

    async def _end(self, key: Key) -> None:
        show = self._shows.get(key)
        if show is None or show.is_ending:
            return
        show.is_ending = True
        try:
            await self._put_away(key, show)
        finally:
            del self._shows[key]

    async def _put_away(self, key: Key, show: _Show) -> None:
        if show.ends:
            show.ends.cancel()
        tasks = [task for task in (show.making, show.fetching) if task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._conversions.playlist(*key) is None:  # else its conversion still writes there
            await asyncio.to_thread(shutil.rmtree, show.folder, ignore_errors=True)

    def _on_playlist_end(self, job_id: str, index: int) -> None:
        """Its conversion has ended; who watches goes on with what was made."""
        if (job_id, index) not in self._shows:
            folder = self._conversions.show_folder(job_id, index)
            self._chores.begin(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def stop(self) -> None:
        for key in list(self._shows):
            await self._end(key)


async def _first(*works: Coroutine[None, None, None]) -> None:
    """Until one of them ends, or fails; then none of them runs any more."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _bytes(folder: Path) -> int:
    """Of all files in there."""
    total = 0
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):  # just renamed
            total += path.stat().st_size
    return total
