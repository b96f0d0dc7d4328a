"""What is in use, and what is noted of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from htdl.core.book import Book
from htdl.core.shelf import REST_SECONDS, TOUCH_SECONDS, Shelf
from htdl.jobs import CachedVideo, State
from htdl.store import cache
from tests.core.examples import new_job
from tests.core.world import World, open_world

START = datetime(2024, 5, 31, 12, tzinfo=UTC)
PATH = "/v/film.mp4"


class Clock:
    """One time for the shelf and for its book."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def new_shelf(world: World, clock: Clock) -> Shelf:
    return Shelf(world.db, Book(world.db, world.bus, clock.now), clock)


async def test_a_video_is_in_use_for_a_while_after_its_last_reader(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        clock = Clock()
        shelf = new_shelf(world, clock)
        assert not shelf.is_in_use(PATH)
        shelf.opened((PATH,))
        clock.seconds = 7200
        assert shelf.is_in_use(PATH)
        shelf.closed(PATH)
        clock.seconds += REST_SECONDS - 1
        assert shelf.is_in_use(PATH)
        clock.seconds += 1
        assert not shelf.is_in_use(PATH)


async def test_who_reads_piece_by_piece_is_noted_again_and_again(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        clock = Clock()
        shelf = new_shelf(world, clock)
        video = CachedVideo(path=PATH, job_id=None, video_id="v", bytes=1, last_access="2024-05-01")
        await world.db.run(cache.put, video)
        for _ in range(2):
            shelf.opened((PATH,))
            await until_noted(world, clock.now())
            for _ in range(2):
                clock.seconds += TOUCH_SECONDS / 2
                shelf.closed(PATH)
                shelf.opened((PATH,))


async def test_what_nobody_watches_any_more_is_forgotten(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        clock = Clock()
        shelf = new_shelf(world, clock)
        for number in range(100):
            shelf.opened((f"/v/{number}.mp4",))
            if number:
                shelf.closed(f"/v/{number}.mp4")
            clock.seconds += REST_SECONDS / 3
        assert len(shelf._read_at) <= 3
        assert len(shelf._noted_at) == 1
        assert shelf.is_in_use("/v/0.mp4")


async def until_noted(world: World, at: datetime) -> None:
    noted = at.isoformat(timespec="milliseconds")
    async with asyncio.timeout(30):
        while (await world.db.read(cache.of))[0].last_access != noted:  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.005)


async def test_what_is_kept_is_pinned_as_its_job_is_by_then(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        shelf = new_shelf(world, Clock())
        before = new_job(1, status=State.COMPLETED, pinned=True)
        await world.put(before)
        for is_pinned in (True, False):
            await world.book.change(
                before.id, pinned=is_pinned, also=lambda db: cache.pin(db, before.id, False)
            )
            await shelf.keep(before, Path(PATH), 7)
            [row] = await world.db.read(cache.of)
            assert (row.pinned, row.bytes) == (is_pinned, 7)
        await shelf.forget(Path(PATH))
        assert await world.db.read(cache.of) == []
