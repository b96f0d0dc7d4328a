"""What is shown of a video while it is converted: the real ffmpeg, on a fake engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from htdl.core import live as core_live
from htdl.errors import HtdlError, NoSuchJob
from htdl.jobs import ConversionState, Job, JobFile, Wanted
from htdl.media.live import PLAYLIST
from htdl.torrent.api import Finished
from tests.clips import clip
from tests.core.examples import new_metadata
from tests.core.world import World, running_world
from tests.daemon.converting import program


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    never = str(program(tmp_path, "never", "sleep 600"))
    async with running_world(tmp_path, conversion={"enabled": True, "ffmpeg_path": never}) as world:
        yield world
        await world.service.live.stop()


async def converted(world: World) -> tuple[Job, JobFile]:
    """A job, and its one video, whose conversion has begun."""
    film = clip(world.folder, "mkv", seconds=2)
    job = await world.downloading("film", new_metadata(("film.mkv", film.stat().st_size)))
    Path(job.save_path).mkdir(parents=True, exist_ok=True)
    Path(job.save_path, "film.mkv").write_bytes(film.read_bytes())
    world.engine.listener(Finished(job.id, frozenset({0}), b"whole"))
    running = ConversionState.RUNNING
    await world.until(lambda: [x.status for x in world.service.conversions.of(job.id)] == [running])
    return world.book.living[job.id], world.book.files[job.id][0]


async def test_none_begins_where_another_is_put_away(world: World) -> None:
    job, file = await converted(world)
    live = world.service.live
    playlist = await live.part(job, file, PLAYLIST)
    assert playlist.exists()
    ending = asyncio.create_task(live.stop())
    await asyncio.sleep(0)  # it has begun
    with pytest.raises(NoSuchJob, match="put away"):
        await live.part(job, file, PLAYLIST)
    await ending
    assert not playlist.parent.exists()
    assert (await live.part(job, file, PLAYLIST)).exists()


async def test_none_begins_where_there_is_no_room_for_it(world: World) -> None:
    job, file = await converted(world)
    live = world.service.live
    assert live.is_shown(job, file)
    world.configure(storage={"min_free": 1 << 60})
    assert not (await live.part(job, file, PLAYLIST)).exists()
    assert not live.is_shown(job, file)


async def test_once_there_is_room_it_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_live, "NO_ROOM_SECONDS", 0.0)
    job, file = await converted(world)
    settings = {"enabled": True, "ffmpeg_path": world.config.conversion.ffmpeg_path}
    world.configure(conversion=settings, storage={"min_free": 1 << 60})
    assert not (await world.service.live.part(job, file, PLAYLIST)).exists()
    world.configure(conversion=settings)
    async with asyncio.timeout(30):
        while not await is_there(world, job, file):  # noqa: ASYNC110 - it tells nobody that it may be
            await asyncio.sleep(0.02)


async def test_what_cannot_be_read_just_now_is_tried_again(world: World) -> None:
    job, file = await converted(world)
    gone = await world.book.change(job.id, file_path=None)
    assert not (await world.service.live.part(gone, file, PLAYLIST)).exists()
    back = await world.book.change(job.id, file_path=job.file_path)
    async with asyncio.timeout(30):
        while not await is_there(world, back, file):  # noqa: ASYNC110 - it tells nobody that it may be
            await asyncio.sleep(0.02)


async def is_there(world: World, job: Job, file: JobFile) -> bool:
    try:
        return (await world.service.live.part(job, file, PLAYLIST)).exists()
    except NoSuchJob:
        return False


async def test_one_that_fills_the_disk_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of its files is small; all together are not."""
    monkeypatch.setattr(core_live, "BOUND_SECONDS", 0.1)
    monkeypatch.setattr(core_live, "SPARE_BYTES", 5_000_000)
    part = 'head -c 1000000 /dev/zero > "${last#file:}.$n"; sleep 0.02; n=$((n+1))'
    endless = f'for last; do :; done; case "$last" in *m3u8) n=0; while [ $n -lt 500 ]; do {part}; done; esac'
    path = program(tmp_path, "endless", "sleep 600")
    path.write_text(path.read_text().replace('exec "$real"', f'{endless}; exec "$real"'))
    async with running_world(tmp_path, conversion={"enabled": True, "ffmpeg_path": str(path)}) as world:
        job, file = await converted(world)
        folder = world.service.conversions.show_folder(job.id, file.index)
        assert not (await world.service.live.part(job, file, PLAYLIST)).exists()
        assert "what is shown grew far larger than it should" in caplog.text
        await world.until(lambda: not folder.exists())
        assert not world.service.live.is_shown(job, file)
        await world.service.convert(job.id, Wanted())  # what is made anew is tried anew
        await world.until(lambda: world.service.live.is_shown(job, file))


async def test_what_runs_is_ended_also_where_nothing_can_be_saved(world: World) -> None:
    job, _ = await converted(world)
    running = world.service.conversions._work[job.id][0].task
    await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 0").fetchall() and None)
    world.engine.saved[job.id] = b"last"
    with closing(sqlite3.connect(world.folder / "htdl.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HtdlError):
            await world.runner.stop()
    assert running is not None
    assert running.done()
