"""A torrent that is arriving: what is asked for, and when it can be watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from htdl.core.preloads import MOST_PRELOADS
from htdl.errors import Refused
from htdl.events import Kind
from htdl.jobs import State
from htdl.store import jobs as rows
from htdl.store.resume import Resume
from tests.core.examples import NOW, job_file, new_job, new_status
from tests.core.watching import EDGES, FILES, FILM, PIECE, SECONDS, SIZE, arriving, film_bytes
from tests.core.world import BOOT, World, running_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(
        tmp_path, torrent={"max_active_downloads": 1}, stream={"wait_seconds": 60}
    ) as world:
        yield world


# head, index, verdict


async def test_head_and_index_are_asked_for_while_nobody_reads(world: World) -> None:
    job = await arriving(world)
    await world.until(lambda: 0 in world.engine.wanted_pieces.get(job.id, ()))
    world.engine.arrive(job.id, EDGES[:4])
    await world.until(lambda: set(EDGES[4:]) <= set(world.engine.wanted_pieces.get(job.id, ())))
    world.engine.arrive(job.id, EDGES[4:])
    await world.until(lambda: world.engine.wanted_pieces.get(job.id) == ())


async def test_the_head_of_another_file_is_asked_for_when_somebody_asks_about_it(world: World) -> None:
    job = await arriving(world)
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    await world.until(lambda: world.engine.wanted_pieces.get(job.id) == ())
    await world.service.stream(job.id, 1)
    await world.until(lambda: 40 in world.engine.wanted_pieces.get(job.id, ()))


async def test_a_bug_met_in_a_container_is_logged_once_and_the_readers_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(job_id: str) -> None:
        raise ZeroDivisionError

    job = await arriving(world)
    world.engine.report(job.id, new_status())  # so that the runner looks at it
    world.service.streams.listener = fail
    with (await world.service.streams.open(job.id)).read(0, SIZE) as reader:
        world.engine.arrive(job.id, [0])
        await world.until(lambda: "cannot follow" in caplog.text)
        world.engine.arrive(job.id, [1])
        await world.pass_seconds(2)
        assert await reader.next(60) == range(2 * PIECE)
        await world.until(lambda: 2 in world.engine.wanted_pieces.get(job.id, ()))
    assert caplog.text.count("cannot follow") == 1


async def test_ready_is_told_once_when_index_and_share_are_here(world: World) -> None:
    job = await arriving(world)
    assert not (await world.service.get(job.id)).readiness.ready
    world.engine.arrive(job.id, range(35))
    await world.pass_seconds(1)
    now = (await world.service.get(job.id)).readiness
    assert (now.ready, now.index_ok) == (False, False), "87 % of it is here, but not its end"
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    assert (await world.service.get(job.id)).readiness.ready
    world.engine.arrive(job.id, [35])
    await world.pass_seconds(2)
    assert world.told(job.id).count(Kind.READY) == 1


async def test_ready_is_told_again_of_a_job_that_is_fetched_again(world: World) -> None:
    job = await arriving(world)
    world.engine.arrive(job.id, range(40))
    world.engine.finish(job.id)
    assert (await world.until_status(job.id, State.COMPLETED)).seeding
    await world.service.retry(job.id)
    await world.until(lambda: world.service.streams.follow(job.id))
    assert world.told(job.id).count(Kind.READY) == 1
    world.engine.arrive(job.id, range(40))
    await world.until(lambda: world.told(job.id).count(Kind.READY) == 2)


async def test_what_seeds_after_a_restart_was_ready_long_ago(tmp_path: Path) -> None:
    job = new_job(status=State.COMPLETED, seeding=True, save_path=str(tmp_path), file_path="film.mkv")
    async with running_world(tmp_path) as world:
        world.knows("film", FILM)
        files = [job_file(x.index, x.path, x.size, progress=100.0) for x in FILES]
        await world.db.run(rows.insert, job, files, Resume(b"fresh film", NOW, BOOT))
        await world.book.load()
        await world.until_held(job.id)
        await world.pass_seconds(2)
        assert not world.service.streams.follow(job.id)
        assert Kind.READY not in world.told(job.id)


async def test_a_paused_job_is_not_ready(world: World) -> None:
    job = await arriving(world)
    world.engine.arrive(job.id, range(40))
    await world.until(lambda: Kind.READY in world.told(job.id))
    await world.service.pause(job.id)
    verdict = (await world.service.get(job.id)).readiness
    assert (verdict.ready, verdict.reason) == (False, "the download is paused")


async def test_another_file_has_a_verdict_of_its_own(world: World) -> None:
    job = await arriving(world)
    assert not (await world.service.stream(job.id, 1)).readiness.ready
    (Path(job.save_path) / "extra.mkv").write_bytes(bytes(PIECE))
    world.engine.arrive(job.id, [40])
    told = await world.service.stream(job.id, 1)
    assert (told.readiness.ready, told.readiness.reason) == (True, "the whole file is here")
    assert not (await world.service.stream(job.id)).readiness.ready


async def test_what_is_here_of_a_file_is_told_as_runs_of_bytes(world: World) -> None:
    job = await arriving(world)
    world.engine.arrive(job.id, [0, 1, 5, 39, 40])
    file = (await world.service.get(job.id)).files[0]
    runs = world.service.streams.runs(job.id, file)
    assert runs == [range(2 * PIECE), range(5 * PIECE, 6 * PIECE), range(39 * PIECE, SIZE)]


# preloading


async def test_a_preload_is_fetched_once_the_index_is_here(world: World) -> None:
    job = await arriving(world)
    assert not (await world.service.streams.preload(job.id, None, 0.0)).ready
    assert world.service.streams.is_watched(job.id)
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    assert "of what plays there" in (await world.service.streams.preload(job.id, None, 0.0)).reason
    await world.until(lambda: 4 in world.engine.wanted_pieces.get(job.id, ()))
    world.engine.arrive(job.id, range(36))
    assert (await world.service.streams.preload(job.id, None, 0.0)).ready
    await world.service.pause(job.id)
    assert not world.service.streams.is_watched(job.id)


async def test_a_time_that_the_film_does_not_have_is_refused(world: World, tmp_path: Path) -> None:
    job = await arriving(world)
    preload = world.service.streams.preload
    looking = await preload(job.id, None, 99.0)
    assert (looking.ready, "missing" in looking.reason or "looking" in looking.reason) == (False, True)
    (Path(job.save_path) / "film.mkv").write_bytes(film_bytes(tmp_path))
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    await preload(job.id, None, SECONDS - 1.0)
    for _ in range(2):
        with pytest.raises(Refused, match=r"film\.mkv ends at 0:00:12") as caught:
            await preload(job.id, None, SECONDS + 1.0)
        assert caught.value.hint
        world.engine.arrive(job.id, range(40))  # and so does one that is whole


async def test_each_who_asks_has_a_preload_of_his_own(world: World) -> None:
    def wants(*pieces: int) -> bool:
        return set(pieces) <= set(world.engine.wanted_pieces.get(job.id, ()))

    job = await arriving(world)
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    (Path(job.save_path) / "extra.mkv").write_bytes(bytes(PIECE))
    await world.service.streams.preload(job.id, 1, 5.0)
    await world.service.streams.preload(job.id, None, 0.0)
    await world.until(lambda: wants(4, 40))
    for seconds in range(1, MOST_PRELOADS + 3):
        await world.service.streams.preload(job.id, None, float(seconds))
    await world.until(lambda: wants(4))
    arriving_now = world.service.streams._arriving[job.id]
    assert len(arriving_now._preloads) == MOST_PRELOADS


async def test_a_preload_is_kept_for_as_long_as_somebody_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("htdl.core.preloads.PRELOAD_SECONDS", 0.05)  # on a real clock
    job = await arriving(world)
    world.engine.arrive(job.id, EDGES)
    await world.until(lambda: Kind.READY in world.told(job.id))
    await world.service.streams.preload(job.id, None, 0.0)
    await world.until(lambda: 4 in world.engine.wanted_pieces.get(job.id, ()))
    await world.until(lambda: not world.service.streams.is_watched(job.id))
    await world.until(lambda: world.engine.wanted_pieces.get(job.id, ()) == ())
