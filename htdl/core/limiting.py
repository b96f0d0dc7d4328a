"""The speed limits of all downloads together, kept and carried out.  What holds is for `limits` to say."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import datetime

from htdl.answers import JobLimit, LimitRequest, SpeedLimit, SpeedLimits
from htdl.config import Config
from htdl.core import limits, requests
from htdl.core.book import Book
from htdl.core.limits import WAYS, ByHand, Way
from htdl.errors import HtdlError
from htdl.store import resume as sessions
from htdl.store.db import Database
from htdl.torrent.api import Engine

log = logging.getLogger(__name__)

BY_HAND = "limits"  # their key in the database
_LINE = re.compile(rb"^(\w+) (-?\d{1,10}) (-?\d{1,10})$", re.MULTILINE)


def wall_clock() -> datetime:
    """What a clock on the wall shows: local time, without a zone."""
    return datetime.now().astimezone().replace(tzinfo=None)


class Limiting:
    """`clock` is local time.  What is set by hand outlasts a restart."""

    def __init__(
        self,
        db: Database,
        book: Book,
        engine: Engine,
        config: Callable[[], Config],
        clock: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._db = db
        self._book = book
        self._engine = engine
        self._config = config
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._by_hand: dict[Way, ByHand] | None = None  # None until it was read
        self._applied: tuple[int, int] | None = None

    async def limit(self, request: LimitRequest) -> SpeedLimits:
        """Set limits by hand, or go back to what is configured; what holds then.  Raises BadRequest."""
        await self._book.loaded.wait()
        requests.check_numbers(0, request.max_download_speed, request.max_upload_speed)
        asked: tuple[tuple[Way, int | None], ...] = (
            ("download", request.max_download_speed),
            ("upload", request.max_upload_speed),
        )
        async with self._one_at_a_time:
            by_hand = {} if request.reset else dict(await self._standing())
            for way, speed in asked:
                if speed is not None:
                    by_hand[way] = ByHand(speed, limits.configured(self._config(), way, self._clock()))
            await self._write(by_hand)
            self._by_hand = by_hand
        self._book.changed.set()
        return await self.limits()

    async def limits(self) -> SpeedLimits:
        """What holds now, and the jobs with limits of their own."""
        async with self._one_at_a_time:
            by_hand = await self._standing()
        return SpeedLimits(
            download=self._told("download", by_hand.get("download")),
            upload=self._told("upload", by_hand.get("upload")),
            jobs=tuple(
                JobLimit(
                    id=job.id,
                    name=job.name,
                    max_download_speed=job.max_download_speed,
                    max_upload_speed=job.max_upload_speed,
                )
                for job in self._book.living.values()
                if max(job.max_download_speed, job.max_upload_speed) >= 0
            ),
        )

    async def turn(self) -> None:
        """Let the engine keep what holds now."""
        async with self._one_at_a_time:
            by_hand = await self._standing()
        now = self._clock()
        down, up = (
            by_hand[way].speed if way in by_hand else limits.configured(self._config(), way, now)
            for way in WAYS
        )
        if (down, up) != self._applied:
            self._engine.limit(max_download_speed=down, max_upload_speed=up)
            self._applied = down, up
            log.info("limits in force max_download_speed=%d max_upload_speed=%d", down, up)

    def _told(self, way: Way, by_hand: ByHand | None) -> SpeedLimit:
        return limits.standing(self._config(), way, self._clock(), by_hand)

    async def _standing(self) -> dict[Way, ByHand]:
        """What was set by hand and holds; what does no longer is forgotten."""
        if self._by_hand is None:
            self._by_hand = _read(await self._db.read(sessions.get_session, BY_HAND))
        known = limits.still(self._by_hand, self._config(), self._clock())
        if known != self._by_hand:
            self._by_hand = known
            try:
                await self._write(known)
            except HtdlError as exc:  # a full disk, say, must not stop the queue
                log.warning("that a limit by hand has ended could not be kept: %s", exc)
        return known

    async def _write(self, by_hand: dict[Way, ByHand]) -> None:
        await self._db.run(sessions.put_session, BY_HAND, _written(by_hand))


def _written(by_hand: dict[Way, ByHand]) -> bytes:
    """A line each: b"download 512000 -1"."""
    return "\n".join(f"{way} {x.speed} {x.instead_of}" for way, x in by_hand.items()).encode()


def _read(kept: bytes | None) -> dict[Way, ByHand]:
    """`_written` back again; a line that says something else is passed over."""
    said = {way: (int(speed), int(instead_of)) for way, speed, instead_of in _LINE.findall(kept or b"")}
    return {way: ByHand(*said[way.encode()]) for way in WAYS if way.encode() in said}
