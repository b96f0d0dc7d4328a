"""What is shown of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from htdl.core.book import REMEMBERED
from htdl.jobs import Conversion, ConversionState, JobQuery, State
from htdl.store import conversions
from tests.core.examples import NOW, new_job
from tests.core.world import World, open_world

DONE = Conversion(
    file_index=0, status=ConversionState.DONE, progress=100.0, created_at=NOW, updated_at=NOW, output="/v"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """After a restart: one ended job, of which something was made, and one that waits."""
    async with open_world(tmp_path) as world:
        ended = new_job(1, status=State.COMPLETED, file_path="/f", completed_at=NOW)
        await world.put(ended, new_job(2, position=1, priority=-1), new_job(3, position=2))
        await world.db.run(conversions.put, ended.id, DONE)
        await world.book.load()
        yield world


async def listed(world: World) -> dict[str, tuple[Conversion, ...]]:
    return {x.job.status: x.conversions for x in (await world.service.jobs(JobQuery()))[0]}


async def test_a_list_shows_what_was_made_of_jobs_that_have_ended(world: World) -> None:
    assert await listed(world) == {State.PENDING: (), State.COMPLETED: (DONE,)}


async def test_a_list_that_is_asked_for_again_asks_the_database_no_more(world: World) -> None:
    before = await listed(world)
    await world.db.run(conversions.delete, new_job(1).id)
    assert await listed(world) == before
    await world.service.pin(new_job(1).id)
    assert (await listed(world))[State.COMPLETED] == ()


async def test_a_long_list_is_not_kept(world: World) -> None:
    many = [new_job(n, status=State.CANCELLED) for n in range(10, 10 + REMEMBERED)]
    await world.put(*many)
    assert (await listed(world))[State.COMPLETED] == (DONE,)
    await world.db.run(conversions.delete, new_job(1).id)
    assert (await listed(world))[State.COMPLETED] == ()


async def test_what_waits_is_shown_with_its_place(world: World) -> None:
    views, _ = await world.service.jobs(JobQuery())
    assert [(x.job.id, x.queue_position) for x in views] == [
        (new_job(3).id, 1),
        (new_job(2).id, 2),
        (new_job(1).id, None),
    ]
    assert (await world.service.get(new_job(2).id)).queue_position == 2
    assert world.service.view(world.book.living[new_job(2).id]).queue_position is None, "as in an event"
