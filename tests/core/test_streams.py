"""What can be watched, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from htdl.core import beside
from htdl.core.yielding import DETAIL, YIELDED_SPEED
from htdl.errors import NoSuchJob, Refused, TimedOut
from htdl.jobs import State
from htdl.stream.source import StreamEnded
from tests.core.examples import new_metadata, new_status
from tests.core.watching import FILM, PIECE, SIZE, arriving
from tests.core.world import World, open_world, running_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(
        tmp_path, torrent={"max_active_downloads": 1}, stream={"wait_seconds": 60}
    ) as world:
        yield world


# opening


async def test_an_arriving_file_gives_what_is_here(world: World) -> None:
    job = await arriving(world)
    video = await world.service.streams.open(job.id)
    assert (video.index, video.size, video.is_whole, video.modified) == (0, SIZE, False, None)
    world.engine.arrive(job.id, [0, 1])
    with video.read(PIECE, SIZE) as reader:
        assert await reader.next(60) == range(PIECE, 2 * PIECE)


async def test_a_whole_file_gives_all_at_once(world: World) -> None:
    job = await arriving(world)
    tag = (await world.service.streams.open(job.id)).etag
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    video = await world.service.streams.open(job.id)
    assert (video.is_whole, video.etag) == (True, tag)
    assert video.modified is not None
    with video.read(5, SIZE) as reader:
        assert await reader.next(0) == range(5, SIZE)
        assert await reader.next(0) is None


async def test_who_waits_for_a_job_that_is_whole_all_at_once_gets_it(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:  # whose runner never looks
        await world.book.load()
        job = await world.add("film", FILM)
        opening = asyncio.create_task(world.service.streams.open(job.id))
        await world.until(lambda: world.service.streams.is_watched(job.id))
        await world.book.change(job.id, status=State.DOWNLOADING)
        await world.book.change(job.id, status=State.COMPLETED, file_path="film.mkv")
        assert (await opening).is_whole


async def test_what_cannot_be_watched_is_refused_with_the_next_step(world: World) -> None:
    job = await arriving(world)
    streams = world.service.streams
    with pytest.raises(NoSuchJob, match="no file 9"):
        await streams.open(job.id, 9)
    await world.service.pause(job.id)
    with pytest.raises(Refused, match="paused") as paused:
        await streams.open(job.id)
    assert "htdl resume" in str(paused.value.hint)
    await world.service.cancel(job.id)
    with pytest.raises(Refused, match="the download is cancelled") as cancelled:
        await streams.open(job.id)
    assert "htdl retry" in str(cancelled.value.hint)


async def test_a_file_that_was_not_chosen_is_refused(world: World) -> None:
    job = await arriving(world, files=("film.mkv",))
    with pytest.raises(Refused, match="not among the files"):
        await world.service.streams.open(job.id, 1)


async def test_a_magnet_nobody_knows_is_waited_for_in_vain(tmp_path: Path) -> None:
    async with running_world(tmp_path, stream={"wait_seconds": 0.05}) as world:
        job = await world.add("unknown")
        with pytest.raises(TimedOut, match="metadata"):
            await world.service.streams.open(job.id)
        assert not world.service.streams.is_watched(job.id)


async def test_who_is_watched_goes_before_who_runs(world: World) -> None:
    first = await arriving(world, "first")
    second = await world.add("second")
    assert second.status is State.PENDING
    opening = asyncio.create_task(world.service.streams.open(second.id))
    await world.until_held(second.id)
    world.engine.get_metadata(second.id, FILM)
    video = await opening
    assert video.job_id == second.id
    with video.read(0, SIZE):
        await world.pass_seconds(2)
        assert (await world.job(first.id)).status is State.PENDING
        assert (await world.job(second.id)).status is State.DOWNLOADING
    await world.until_status(first.id, State.PENDING)


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_stopped_download_ends_its_streams(world: World, verb: str) -> None:
    job = await arriving(world)
    video = await world.service.streams.open(job.id)
    with video.read(0, SIZE) as reader:
        waiting = asyncio.create_task(reader.next(60))
        await getattr(world.service, verb)(job.id)
        with pytest.raises(StreamEnded):
            await waiting
    assert not world.service.streams.is_watched(job.id)


async def test_a_file_that_is_whole_can_be_watched_while_its_job_is_paused(world: World) -> None:
    job = await arriving(world)
    world.engine.report(job.id, new_status(), {1: PIECE})
    await world.pass_seconds(2)
    await world.until(lambda: world.book.files[job.id][1].progress == 100)
    await world.service.pause(job.id)
    assert (await world.service.streams.open(job.id, 1)).is_whole
    assert (await world.service.stream(job.id, 1)).readiness.ready
    assert not (await world.service.stream(job.id, 0)).readiness.ready


async def test_a_file_is_not_taken_for_whole_while_its_torrent_is_being_let_go(world: World) -> None:
    job = await arriving(world)
    world.engine.report(job.id, new_status(), {1: PIECE})
    await world.pass_seconds(2)
    await world.until(lambda: world.book.files[job.id][1].progress == 100)
    world.engine.may_go_on.clear()
    pausing = asyncio.create_task(world.service.pause(job.id))
    await world.until(lambda: job.id in world.engine.busy)
    video = await world.service.streams.open(job.id, 1)
    assert not video.is_whole, "verified, but maybe not written yet"
    world.engine.may_go_on.set()
    await pausing
    with video.read(0, PIECE) as reader, pytest.raises(StreamEnded):
        await reader.next(60)


async def test_who_read_before_a_pause_takes_nothing_from_who_reads_after_it(world: World) -> None:
    job = await arriving(world)
    before = (await world.service.streams.open(job.id)).read(30 * PIECE, SIZE)
    await world.until(lambda: 30 in world.engine.wanted_pieces.get(job.id, ()))
    await world.service.pause(job.id)
    await world.service.resume(job.id)
    with (await world.service.streams.open(job.id)).read(10 * PIECE, SIZE):
        await world.until(lambda: {0, 10} <= set(world.engine.wanted_pieces.get(job.id, ())))
        before.close()  # a client that took nothing all the while
        await world.pass_seconds(1)
        assert 10 in world.engine.wanted_pieces.get(job.id, ())


async def test_the_page_of_a_queued_job_brings_its_turn(world: World) -> None:
    first = await arriving(world, "first")
    second = await world.add("second")
    world.service.streams.visit(second.id)
    await world.until_held(second.id)
    await world.until_status(first.id, State.PENDING)


async def test_a_page_that_was_closed_brings_no_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdl.core.streams.VISIT_SECONDS", 0.05)  # on a real clock
    job = await arriving(world)
    for _ in range(2):  # it asks every second
        world.service.streams.visit(job.id)
    assert world.service.streams.is_watched(job.id)
    await world.until(lambda: not world.service.streams.is_watched(job.id))


async def test_files_that_were_removed_are_refused(world: World) -> None:
    world.service.links.base_url = "http://127.0.0.1:1"
    job = await arriving(world)
    assert (await world.service.get(job.id)).stream_url
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    await world.service.cancel(job.id, delete=True)
    with pytest.raises(Refused, match="removed"):
        await world.service.streams.open(job.id)
    told = await world.service.stream(job.id)
    assert (told.url, told.file_path, told.readiness.ready) == (None, None, False)
    assert (await world.service.get(job.id)).stream_url is None


async def test_each_episode_has_its_own_subtitles(world: World) -> None:
    world.service.links.base_url = "http://127.0.0.1:1"
    season = new_metadata(("e1.mkv", 500), ("e2.mkv", 1000), ("e1.srt", 5), ("e2.en.srt", 5))
    job = await world.downloading("season", season)
    await world.until(lambda: world.service.subtitling.of(job.id))
    (main,) = (await world.service.get(job.id)).subtitles
    assert (main.language, main.label, main.origin, main.note) == ("en", "en", "e2.en.srt", beside.ARRIVING)
    assert main.url
    assert main.url.endswith("/subtitle/1/en.vtt")
    (other,) = (await world.service.stream(job.id, 0)).subtitles
    assert other.url
    assert other.url.endswith("/subtitle/0/und.vtt")


# making way


async def test_others_make_way_for_what_is_watched(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        watched, other = await arriving(world, "watched"), await arriving(world, "other")
        world.service.streams.visit(watched.id)
        await world.pass_seconds(2)
        assert world.engine.torrents[other.id].max_download_speed == -1, "an open page alone reads nothing"
        video = await world.service.streams.open(watched.id)
        with video.read(0, SIZE):
            world.engine.report(other.id, new_status(done_bytes=1))
            await world.pass_seconds(2)
            assert world.engine.torrents[other.id].max_download_speed == YIELDED_SPEED
            assert world.engine.torrents[watched.id].max_download_speed == -1
            assert (await world.job(other.id)).detail == DETAIL
        await world.pass_seconds(1)
        assert world.engine.torrents[other.id].max_download_speed == -1
