"""Removes what nobody watches any more: looks at what is kept, decides, and does it.

A file goes first and its rows after: a crash between the two leaves a row of what is not there, which goes
when its time comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlite_utils

from htdl.config import Config
from htdl.core import admission, cleaning, keeping, payload
from htdl.core.book import Book, Clock, utc_now
from htdl.core.cleaning import VIDEOS, Holding, Kept, Kind, Removal
from htdl.core.keeping import Rows
from htdl.errors import HtdlError, NoSuchJob
from htdl.jobs import CachedVideo, Job
from htdl.store import cache, conversions, jobs, subtitles
from htdl.store.db import Database
from htdl.stream.kinds import natural

log = logging.getLogger(__name__)

ROOM_SECONDS = 10.0  # between two looks whether the disk is short
FRUITLESS_SECONDS = 300.0  # after a sweep that left it short, before it is tried again
SETTLE_SECONDS = 5.0  # after something new: more of a series may come at once, and one sweep is for all


@dataclass(frozen=True, slots=True)
class _Shortage:
    """How many bytes were `missing` on a device while what is kept there took so many."""

    disk: int
    missing: int
    used: int


class Cleaner:
    """`in_use` says of a path whether somebody is watching what lies there, `needs` how many bytes on the
    disk of the downloads are wanted, in turn; both are asked on the event loop, where what they go through is
    changed.
    """

    def __init__(
        self,
        db: Database,
        book: Book,
        config: Callable[[], Config],
        in_use: Callable[[str], bool],
        needs: Callable[[], Awaitable[Sequence[int]]],
        clock: Clock = utc_now,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._db = db
        self._book = book
        self._config = config
        self._in_use = in_use
        self._needs = needs
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Sweep at once, in every interval, when the disk is short, and soon after `look` is called, once for
        many calls.
        """
        await self._book.loaded.wait()
        while True:
            self._due.clear()
            try:
                await self.sweep()
            except (HtdlError, OSError) as exc:  # the database is in use, say: the next sweep finds the same
                log.error("cleaning failed: %s", exc)
            except Exception:  # a bug in one sweep must not end all cleaning; it is logged whole
                log.exception("cleaning failed")
            await self._rest()
            if self._due.is_set():
                await asyncio.sleep(self._settle_seconds)  # several films may end together: one sweep does

    async def _rest(self) -> None:
        """Until the next sweep is due."""
        clock = asyncio.get_running_loop().time
        ends = clock() + self._config().cache.cleanup_interval_hours * 3600
        looks_at = clock() + (FRUITLESS_SECONDS if await self._is_short() else 0.0)
        while not self._due.is_set() and clock() < ends:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROOM_SECONDS):
                    await self._due.wait()
            if clock() >= looks_at and await self._is_short():
                return

    async def _is_short(self) -> bool:
        """Whether somebody waits for room, or less is free than is to stay so."""
        with contextlib.suppress(OSError):  # a disk that is not there just now
            return await asyncio.to_thread(self._room) < sum(await self._needs())
        return False

    def _room(self) -> int:
        config = self._config()
        return admission.room(config.torrent.download_path, config.storage.min_free)

    def look(self) -> None:
        """Something new is kept, or the limits have changed: sweep soon."""
        self._due.set()

    async def sweep(self) -> list[Removal]:
        """Remove what is to go now; returns what went.  Raises HtdlError when the database cannot be used."""
        config = self._config()
        rows, left = await self._look(config)
        short = await asyncio.to_thread(self._shortage, config, list(left.values()), await self._needs())
        went: list[Removal] = []
        while removals := await asyncio.to_thread(self._decide, config, list(left.values()), short):
            for one in removals:
                if await self._remove(one, rows, left):
                    went.append(one)
                else:  # it stays, and something else goes where room is short
                    left[one.video.path] = replace(one.video, in_use=True)
        return went

    async def holding(self) -> Holding:
        """What is kept now, and what `sweep` would free.  Raises HtdlError when the database is in use."""
        config = self._config()
        _, left = await self._look(config)
        videos = list(left.values())
        short = await asyncio.to_thread(self._shortage, config, videos, await self._needs())
        return cleaning.holding(videos, await asyncio.to_thread(self._decide, config, videos, short))

    async def _look(self, config: Config) -> tuple[Rows, dict[str, Kept]]:
        """The rows, and all that is kept by path."""
        rows = await self._db.read(keeping.read)
        found = await asyncio.to_thread(keeping.find, rows, config, self._busy())
        return rows, {x.path: replace(x, in_use=True) if self._in_use(x.path) else x for x in found}

    def _shortage(self, config: Config, videos: Sequence[Kept], needs: Sequence[int]) -> _Shortage:
        """As it is before anything goes: some file systems take their time to free what was removed."""
        disk = admission.device(config.torrent.download_path)
        missing = cleaning.missing_bytes(videos, self._room(), needs, disk)
        return _Shortage(disk, missing, cleaning.used_on(videos, disk))

    def _decide(self, config: Config, videos: Sequence[Kept], short: _Shortage) -> list[Removal]:
        return cleaning.decide(
            videos,
            now=self._clock(),
            ttl_days=config.cache.ttl_days,
            max_size=config.cache.max_size,
            used=cleaning.used(videos),
            missing=short.missing - (short.used - cleaning.used_on(videos, short.disk)),
            disk=short.disk,
        )

    def _busy(self) -> set[str]:
        """The folders of torrents that download or seed."""
        return {job.save_path for job in self._book.living.values()}

    async def _remove(self, removal: Removal, rows: Rows, left: dict[str, Kept]) -> bool:
        """Whether it went.  `left` is all that is still there."""
        video, job = removal.video, rows.jobs.get(removal.video.job or "")
        if self._is_needed(video, left.values()):
            return False  # since it was decided
        if not await asyncio.to_thread(_delete, video, job.info_hash if job else ""):
            log.warning("not removed path=%s job=%s reason=%r", video.path, video.job, removal.reason)
            return False
        log.info(
            "removed path=%s kind=%s job=%s bytes=%d reason=%r",
            video.path, video.kind, video.job, video.bytes, removal.reason,
        )  # fmt: skip
        del left[video.path]
        if job:
            await self._tell(job, video, left.values())
        await self._db.run(_forget, video, _heir(video, rows, left.values()))
        return True

    def _is_needed(self, video: Kept, left: Iterable[Kept]) -> bool:
        stay = [x for x in left if x.kind in VIDEOS]
        if video.kind is Kind.SUBTITLE:
            return any(_is_of(x, video) for x in stay)
        if video.kind is Kind.SIDE and any(x.job == video.job for x in stay):
            return True
        is_busy = video.kind is not Kind.RESULT and video.home in self._busy()
        return is_busy or self._in_use(video.path)

    async def _tell(self, job: Job, gone: Kept, left: Iterable[Kept]) -> None:
        """Let no job name it as its file; one that has another left names that."""
        instead = _next_path(gone, left)
        with contextlib.suppress(NoSuchJob):  # removed meanwhile
            same = await self._db.read(jobs.same_torrent, job.info_hash, job.info_hash_v2)
            for one in same or [await self._book.find(job.id)]:
                if one.file_path == gone.path:
                    await self._book.change(one.id, file_path=instead)


def _delete(video: Kept, info_hash: str) -> bool:
    """Whether it is not there any more.  Blocks."""
    home = Path(video.home)
    if home.is_symlink():  # what lies behind it is not ours
        return False
    payload.delete(home, [os.path.relpath(video.path, home)], info_hash)
    try:
        os.lstat(video.path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it cannot be looked at, and may well be there
        return False
    return False


def _next_path(gone: Kept, left: Iterable[Kept]) -> str | None:
    """What of the same job can be watched instead: its source, or another video."""
    videos = [x for x in left if x.job == gone.job and x.bytes and x.kind in VIDEOS]
    ranked = sorted(videos, key=lambda x: (x.file != gone.file, x.kind is Kind.SOURCE, natural(x.path)))
    return ranked[0].path if ranked else None


def _heir(gone: Kept, rows: Rows, left: Iterable[Kept]) -> CachedVideo | None:
    """The row of a source that stays after its result, to go in its own turn; None where it has one."""
    row = rows.videos.get(gone.path)
    if row is None or gone.kind is not Kind.RESULT:
        return None
    source = next((x for x in left if _is_of(x, gone) and x.kind is Kind.SOURCE and x.bytes), None)
    if source is None or source.path in rows.videos:
        return None
    return replace(row, path=source.path, bytes=source.bytes)


def _is_of(one: Kept, other: Kept) -> bool:
    """Whether both are of the same video of the same job."""
    return one.job is not None and one.file is not None and (one.job, one.file) == (other.job, other.file)


def _forget(db: sqlite_utils.Database, gone: Kept, heir: CachedVideo | None) -> None:
    """Let no row of the cache say that it is there."""
    cache.forget(db, gone.path)
    if gone.job is None or jobs.fetch(db, gone.job) is None:
        return
    if heir:
        cache.put(db, heir)
    for conversion in conversions.of(db, [gone.job])[gone.job]:
        if conversion.output == gone.path:
            conversions.put(db, gone.job, replace(conversion, output=None))
    if gone.kind is Kind.SUBTITLE and gone.file is not None:
        found = subtitles.of(db, [gone.job])[gone.job]
        stay = [x for x in found if x.file_index == gone.file and x.path != gone.path]
        subtitles.replace_all(db, gone.job, gone.file, stay)
