"""The verbs, where two of them meet: a real database, a scripted engine, the runner at work."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from htdl.core.download import MAX_TOLD
from htdl.core.moving import SEED_LOOK_SECONDS
from htdl.errors import BadRequest, Refused
from htdl.jobs import AddRequest, Job, JobPatch, State
from htdl.torrent.api import Metadata, Phase
from htdl.wire import progress_exact
from tests.core.examples import new_metadata, new_status
from tests.core.world import World, running_world

FILM = new_metadata(("film.mkv", 1000), ("film.srt", 5))
TWO = new_metadata(("a.mkv", 1000), ("b.mkv", 100))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as world:
        yield world


def film_of(save_path: str) -> Path:
    film = Path(save_path) / "film.mkv"
    film.write_bytes(b"x")
    return film


# two jobs of one torrent, two torrents of one video


@pytest.mark.parametrize("verb", ["remove", "cancel"])
async def test_the_data_of_a_job_that_lives_do_not_go_with_an_older_one(world: World, verb: str) -> None:
    old = await world.downloading("torrent", FILM)
    await world.service.cancel(old.id)
    new = await world.downloading("torrent", FILM)
    film = film_of(new.save_path)
    with pytest.raises(Refused) as caught:
        await getattr(world.service, verb)(old.id, delete=True)
    assert new.id[:8] in caught.value.message
    assert film.exists()
    await world.service.cancel(new.id)
    await getattr(world.service, verb)(old.id, delete=True)
    assert not film.exists()


async def test_two_torrents_of_one_video_have_a_folder_each(world: World) -> None:
    first = await world.downloading("first", FILM, video_id="v")
    film = film_of(first.save_path)
    second = await world.downloading("second", new_metadata(("film.mkv", 999)), video_id="v")
    other = film_of(second.save_path)
    assert film != other
    assert other.is_relative_to(first.save_path)
    await world.service.cancel(first.id)
    await world.service.cancel(second.id, delete=True)
    assert (film.exists(), other.exists()) == (True, False)
    assert (await world.job(first.id)).file_path == str(film)


async def test_a_torrent_is_one_by_either_hash_once_its_metadata_are_known(world: World) -> None:
    v1, v2 = "1" * 40, "2" * 64
    world.knows("by v2", info_hash=v2)
    world.engine.sources["by v2"] = replace(world.engine.sources["by v2"], info_hash_v2=v2)
    world.knows("by v1", info_hash=v1)
    job = await world.add("by v2")
    await world.until_held(job.id)
    world.engine.get_metadata(job.id, replace(FILM, info_hash=v1, info_hash_v2=v2))
    await world.until(lambda: world.book.living[job.id].has_metadata)
    assert (await world.add("by v1")).id == job.id


async def test_of_two_retries_of_one_torrent_one_is_refused(world: World) -> None:
    jobs = []
    for _ in range(2):
        jobs.append(await world.downloading("torrent", FILM))
        await world.service.cancel(jobs[-1].id)
    retries = [world.service.retry(job.id) for job in jobs]
    answers = await asyncio.gather(*retries, return_exceptions=True)
    assert [isinstance(x, Refused) for x in answers] == [False, True]
    assert [x.id for x in world.book.living.values()] == [jobs[0].id]


async def test_a_torrent_whose_job_is_being_cancelled_cannot_be_added_yet(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.may_go_on.clear()
    cancel = asyncio.create_task(world.service.cancel(job.id))
    await world.until(lambda: world.engine.busy)
    with pytest.raises(Refused, match="being cancelled"):
        await world.add("torrent")
    world.engine.may_go_on.set()
    assert (await cancel).job.status is State.CANCELLED
    assert (await world.service.add(AddRequest(source="torrent")))[1]


# adding what is here already


async def complete(world: World, metadata: Metadata = TWO, **request: Any) -> Job:
    """A job whose files are here, and nothing more of its torrent."""
    job = await world.downloading("torrent", metadata, **request)
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    return await world.job(job.id)


@pytest.mark.parametrize("still_seeds", [True, False])
async def test_what_is_complete_is_not_begun_anew(world: World, still_seeds: bool) -> None:
    job = await complete(world)
    if not still_seeds:
        await world.service.cancel(job.id)
    view, is_new = await world.service.add(AddRequest(source="torrent", video_id=job.video_id))
    assert (view.job.id, view.job.status, view.job.seeding, is_new) == (
        job.id,
        State.COMPLETED,
        still_seeds,
        False,
    )
    assert view.stream_url == (await world.service.get(job.id)).stream_url
    assert set(world.engine.torrents) == ({job.id} if still_seeds else set())


@pytest.mark.parametrize("path", ["a.mkv", "b.mkv"])
@pytest.mark.parametrize("is_cut", [True, False])
async def test_what_lost_a_file_is_begun_anew(world: World, path: str, is_cut: bool) -> None:
    job = await complete(world)
    lost = Path(job.save_path) / path
    lost.write_bytes(b"x") if is_cut else lost.unlink()
    new = await world.add("torrent")
    assert new.id != job.id
    assert new.save_path == job.save_path, "what is there still is verified, not fetched"


async def test_what_was_deleted_is_begun_anew(world: World) -> None:
    job = await complete(world)
    await world.service.cancel(job.id, delete=True)
    assert (await world.service.add(AddRequest(source="torrent")))[1]


async def test_a_complete_torrent_for_another_video_is_a_job_of_its_own(world: World) -> None:
    job = await complete(world, video_id="mine")
    assert (await world.add("torrent", video_id="yours")).id != job.id


async def test_a_complete_job_serves_who_asks_for_what_it_has_and_no_more(world: World) -> None:
    job = await complete(world, files=("a.mkv",))
    assert (await world.add("torrent", files=("0",))).id == job.id
    with pytest.raises(BadRequest, match=r"c\.mkv"):
        await world.add("torrent", files=("c.mkv",))
    assert (await world.add("torrent")).id != job.id


# numbers


async def test_a_torrent_that_no_longer_seeds_has_no_speed(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    world.engine.report(job.id, new_status(phase=Phase.FINISHED, upload_speed=500, uploaded_bytes=9, peers=3))
    await world.pass_seconds(int(SEED_LOOK_SECONDS))
    assert (await world.job(job.id)).upload_speed == 500
    ended = (await world.service.cancel(job.id)).job
    assert (ended.seeding, ended.upload_speed, ended.peers, ended.uploaded_bytes) == (False, 0, 0, 9)


async def test_another_choice_of_files_counts_only_what_is_here_of_them(world: World) -> None:
    job = await world.downloading("torrent", TWO)
    world.engine.report(job.id, new_status(done_bytes=900, total_bytes=1100), {0: 900, 1: 0})
    await world.pass_seconds(2)
    await world.until(lambda: world.book.files[job.id][0].progress == 90.0)
    await world.service.pause(job.id)
    await world.until_status(job.id, State.PAUSED)
    other = (await world.service.update(job.id, JobPatch(files=("1",)))).job
    assert (other.total_bytes, other.done_bytes, progress_exact(other)) == (100, 0, 0.0)
    again = (await world.service.update(job.id, JobPatch(files=("0",)))).job
    assert (again.total_bytes, again.done_bytes, again.progress) == (1000, 900, 90)


async def test_more_patterns_than_can_be_gone_through_are_refused(world: World) -> None:
    job = await world.downloading("torrent", TWO)
    for patterns in (("*",) * 1001, ("9" * 5000,)):
        with pytest.raises(BadRequest, match="patterns"):
            await world.service.update(job.id, JobPatch(files=patterns))


async def test_what_is_changed_while_the_engine_takes_a_torrent_counts(world: World) -> None:
    world.engine.may_go_on.clear()
    job = await world.add("torrent", TWO)
    await world.until(lambda: world.engine.busy)
    await world.service.update(job.id, JobPatch(files=("1",), max_download_speed=77))
    world.engine.may_go_on.set()
    await world.until_held(job.id)
    await world.until(lambda: world.engine.torrents[job.id].wanted == (1,))
    assert world.engine.torrents[job.id].max_download_speed == 77


async def test_what_a_tracker_says_is_cut(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.report(job.id, new_status(tracker_error="x" * 1_000_000))
    await world.pass_seconds(12)
    detail = (await world.job(job.id)).detail
    assert "tracker: xxx" in detail
    assert len(detail) < MAX_TOLD + 50


# health


async def test_a_database_that_cannot_be_used_is_unhealthy_and_no_error(world: World) -> None:
    await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(world.folder / "htdl.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    health = await world.service.health()
    other.close()
    assert not health.ok
    assert "in use by another program" in health.checks["database"]
    assert (await world.service.health()).ok


async def test_a_queue_whose_turns_all_fail_is_unhealthy(world: World) -> None:
    await world.pass_seconds(1)  # no turn that began before goes well after this
    world.engine.is_broken = True
    world.wake(40.0)
    await world.until(lambda: not world.book.changed.is_set())
    assert not (await world.service.health()).ok
    assert "queue" in (await world.service.health()).checks["queue"]
    world.engine.is_broken = False
    world.wake(1.0)
    await world.until(lambda: world.runner.last_tick_seconds() < 1.0)
    assert (await world.service.health()).ok
