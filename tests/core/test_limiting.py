"""Limits of all downloads together, over time: a real database, a scripted engine, a clock of the test's."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from htdl.answers import LimitRequest
from htdl.core.limiting import BY_HAND, Limiting, wall_clock
from htdl.errors import HtdlError
from htdl.store import resume as sessions
from tests.core.examples import new_job
from tests.core.world import World, open_world

CONFIG: dict[str, dict[str, Any]] = {
    "torrent": {"max_download_speed": 2000, "max_upload_speed": 100},
    "limit": {"schedule": ["08:00-18:00 down=500"]},
}
KIB = 1024


class Clock:
    def __init__(self) -> None:
        self.shows("07:59")

    def shows(self, time: str) -> None:
        self.now = datetime.fromisoformat(f"2026-11-23T{time}")

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, **CONFIG) as world:
        await world.book.load()
        yield world


def limiting(world: World, clock: Clock) -> Limiting:
    return Limiting(world.db, world.book, world.engine, lambda: world.config, clock)


async def test_the_engine_is_told_when_the_hour_comes(world: World, clock: Clock) -> None:
    limits = limiting(world, clock)
    told = []
    for time in ("07:59", "08:00", "17:59", "18:00"):
        clock.shows(time)
        await limits.turn()
        told.append(world.engine.limits)
    assert told == [(speed * KIB, 100 * KIB) for speed in (2000, 500, 500, 2000)]


async def test_what_was_set_by_hand_ends_with_the_hour_for_good(world: World, clock: Clock) -> None:
    limits = limiting(world, clock)
    told = await limits.limit(LimitRequest(max_download_speed=-1, max_upload_speed=7))
    assert (told.download.by, told.download.until) == ("hand", "2026-11-23T08:00")
    await limits.turn()
    assert world.engine.limits == (-1, 7)
    clock.shows("08:00")
    await limits.turn()
    assert world.engine.limits == (500 * KIB, 7)
    clock.shows("18:00")  # as it was when the limit was set
    for fresh in (limits, limiting(world, clock)):
        told = await fresh.limits()
        assert (told.download.by, told.upload.by) == ("configuration", "hand")


async def test_it_outlasts_a_restart(world: World, clock: Clock) -> None:
    await limiting(world, clock).limit(LimitRequest(max_download_speed=9))
    await limiting(world, clock).turn()
    assert world.engine.limits == (9, 100 * KIB)


async def test_reset_and_a_limit_at_once(world: World, clock: Clock) -> None:
    limits = limiting(world, clock)
    await limits.limit(LimitRequest(max_download_speed=9, max_upload_speed=9))
    told = await limits.limit(LimitRequest(max_upload_speed=5, reset=True))
    assert (told.download.by, told.upload.by, told.upload.speed) == ("configuration", "hand", 5)


@pytest.mark.parametrize("kept", [b"", b"\xff\x00", b"download", b"download x y", b"sideways 1 1\n"])
async def test_what_cannot_be_read_is_nothing(world: World, clock: Clock, kept: bytes) -> None:
    await world.db.run(sessions.put_session, BY_HAND, kept)
    assert (await limiting(world, clock).limits()).download.by == "configuration"


async def test_a_database_that_takes_nothing_does_not_stop_the_queue(
    world: World, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = limiting(world, clock)
    await limits.limit(LimitRequest(max_download_speed=9))
    await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(world.folder / "htdl.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    clock.shows("08:00")
    await limits.turn()
    assert world.engine.limits == (500 * KIB, 100 * KIB)
    assert "could not be kept" in caplog.text
    with pytest.raises(HtdlError):
        await limits.limit(LimitRequest(max_download_speed=9))
    other.close()


async def test_the_jobs_with_limits_of_their_own_are_told(world: World, clock: Clock) -> None:
    await world.put(new_job(1), new_job(2, max_upload_speed=5))
    await world.book.load()
    (told,) = (await limiting(world, clock).limits()).jobs
    assert (told.id, told.max_download_speed, told.max_upload_speed) == (new_job(2).id, -1, 5)


def test_the_clock_on_the_wall_has_no_zone() -> None:
    assert wall_clock().tzinfo is None
