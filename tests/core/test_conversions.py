"""What is converted when: the core with a real database and the real ffmpeg, on a fake engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.core import making, work
from htdl.core.lanes import Candidate
from htdl.jobs import Conversion, ConversionState, Job, State, Wanted
from htdl.store import cache
from htdl.torrent.api import Finished
from tests.clips import clip
from tests.core.examples import NOW, new_job, new_metadata
from tests.core.world import World, open_world, running_world
from tests.daemon.converting import program
from tests.processes import exists

Settings = dict[str, object]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


async def arrived(world: World, film: Path, name: str = "film") -> Job:
    """A job whose one video is on disk, and all that the engine says of it."""
    path = f"{name}{film.suffix}"
    job = await world.downloading(name, new_metadata((path, film.stat().st_size)))
    target = Path(job.save_path, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(film.read_bytes())
    world.engine.listener(Finished(job.id, frozenset({0}), b"whole"))
    return job


async def one(
    world: World, job: Job, is_so: Callable[[Conversion], bool], *, tick: float = 0.0
) -> Conversion:
    """The conversion of the job's one video once it is so; the runner's clock goes on meanwhile."""
    async with asyncio.timeout(60):
        while not (found := world.service.conversions.of(job.id)) or not is_so(found[0]):
            world.wake(tick)
            await asyncio.sleep(0.02)
    return found[0]


def held(folder: Path, name: str, then: str) -> tuple[Path, Path]:
    """An ffmpeg that converts only once a file is there, and does this then; and that file."""
    go = folder / "go"
    return program(folder, name, f"until [ -e {go} ]; do sleep 0.02; done; {then}"), go


async def test_one_that_hangs_is_tried_twice_and_says_so(tmp_path: Path, clips: Path) -> None:
    tries = tmp_path / "tries"
    hanging = program(tmp_path, "hanging", f"echo $$ >> {tries}; sleep 600")
    settings = {"enabled": True, "ffmpeg_path": str(hanging), "stall_seconds": 1}
    async with running_world(tmp_path, conversion=settings) as world:
        job = await arrived(world, clip(clips, "mkv"))
        async with asyncio.timeout(60):
            while (ended := await world.row(job.id)) is None or ended.status is not State.FAILED:
                world.wake()
                await asyncio.sleep(0.05)
    assert ended.error_code == "conversion_failed"
    assert "it hung: nothing came out of it for 1 s" in (ended.error_message or "")
    pids = tries.read_text().split()
    assert len(pids) == 2
    assert not [pid for pid in pids if exists(int(pid))]


async def test_one_that_waits_for_bytes_says_no_speed_and_no_end(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "QUIET_SECONDS", 600.0)  # it is quiet once the test says so
    quiet = program(tmp_path, "quiet", "printf 'out_time_us=500000\\nprogress=continue\\n'; exec sleep 600")
    async with running_world(tmp_path, conversion={"enabled": True, "ffmpeg_path": str(quiet)}) as world:
        job = await arrived(world, clip(clips, "mkv"))
        said = await one(world, job, lambda x: x.speed is not None)
        assert said.eta_seconds >= 0
        monkeypatch.setattr(making, "QUIET_SECONDS", 0.0)
        waits = await one(world, job, lambda x: x.speed is None, tick=1.0)
        assert (waits.status, waits.eta_seconds) == (ConversionState.RUNNING, -1)
        assert waits.progress == said.progress > 0


async def test_one_for_which_the_disk_was_full_waits_for_what_it_had_used(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "NO_ROOM_SECONDS", 0.0)  # tried again at once, not after a quarter of a minute
    tries = tmp_path / "tries"
    write = 'for last; do :; done; head -c 3000000 /dev/zero > "${last#file:}"'
    fails = f"echo $$ >> {tries}; {write}; echo 'No space left on device' >&2; exit 1"
    full, go = held(tmp_path, "full", fails)
    settings = {"enabled": True, "ffmpeg_path": str(full)}
    async with running_world(tmp_path, conversion=settings) as world:
        job = await arrived(world, clip(clips, "mkv"))
        await one(world, job, lambda x: x.status is ConversionState.RUNNING)
        world.configure(conversion=settings, storage={"min_free": 1 << 60})  # before it could be tried again
        go.touch()
        found = await one(world, job, lambda x: x.error_code == "disk_full")
        assert found.status is ConversionState.WAITING
        await one(world, job, lambda x: "no room for the 3.1 MiB of the result" in (x.error_message or ""))
        assert (await world.service.conversions.needs())[-1] == 3_300_000
        assert len(tries.read_text().split()) == 1


@pytest.mark.parametrize(
    ("used", "progress", "bytes_"), [(0, 0.0, 0), (100, 0.0, 110), (100, 9.0, 110), (100, 50.0, 220)]
)
def test_what_a_whole_film_needs_by_what_a_part_took(used: int, progress: float, bytes_: int) -> None:
    assert work.needed(used, progress) == pytest.approx(bytes_, abs=1)


async def test_what_somebody_puts_in_its_place_meanwhile_stays(tmp_path: Path, clips: Path) -> None:
    ffmpeg, go = held(tmp_path, "held", 'exec "$real" "$@"')
    settings = {"enabled": True, "ffmpeg_path": str(ffmpeg)}
    async with running_world(tmp_path, conversion=settings) as world:
        job = await arrived(world, clip(clips, "mkv"))
        begun = await one(world, job, lambda x: x.status is ConversionState.RUNNING)
        theirs = Path(str(begun.output))
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.write_text("mine")
        go.touch()
        done = await one(world, job, lambda x: x.status is ConversionState.DONE)
        kept = await world.db.read(cache.of)
    assert theirs.read_text() == "mine"
    ours = Path(str(done.output))
    assert ours == theirs.with_stem("film (2)")
    assert [(x.path, x.bytes) for x in kept] == [(str(ours), ours.stat().st_size)]
    assert sorted(theirs.parent.iterdir()) == sorted([theirs, ours])


async def test_an_earlier_result_is_replaced_but_not_one_that_was_changed(
    tmp_path: Path, clips: Path
) -> None:
    """An empty one is what a crash leaves of a name that was just taken."""
    async with running_world(tmp_path, conversion={"enabled": True}) as world:
        job = await arrived(world, clip(clips, "mkv"))
        first = Path(str((await one(world, job, lambda x: x.status is ConversionState.DONE)).output))
        await world.until_status(job.id, State.COMPLETED)
        made, one_name = first.read_bytes(), ["film.mp4"]
        for content, names in (
            (made, one_name),
            (b"", one_name),
            (made + b"more", ["film (2).mp4", "film.mp4"]),
        ):
            first.write_bytes(content)
            inode = first.stat().st_ino
            await world.service.convert(job.id, Wanted())
            await one(world, job, lambda x: x.status is ConversionState.DONE)
            await world.until_status(job.id, State.COMPLETED)
            assert sorted(x.name for x in first.parent.iterdir()) == names
            assert (first.stat().st_ino == inode) is (names != one_name)


async def test_a_database_in_use_makes_none_get_stuck(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "NO_ROOM_SECONDS", 0.0)  # tried again at once, not after a quarter of a minute
    ffmpeg, go = held(tmp_path, "held", 'exec "$real" "$@"')
    settings = {"enabled": True, "ffmpeg_path": str(ffmpeg)}
    async with running_world(tmp_path, conversion=settings) as world:
        await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 10").fetchall() and None)
        job = await arrived(world, clip(clips, "mkv"))
        await one(world, job, lambda x: x.status is ConversionState.RUNNING)
        other = sqlite3.connect(tmp_path / "htdl.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        go.touch()
        await one(world, job, lambda x: x.status is ConversionState.WAITING)
        other.execute("ROLLBACK")
        other.close()
        await one(world, job, lambda x: x.status is ConversionState.DONE)
        await world.until_status(job.id, State.COMPLETED)


async def test_what_only_seeds_costs_no_look_at_the_database(tmp_path: Path) -> None:
    seeds = [
        new_job(x, status=State.COMPLETED, seeding=True, metadata_at=NOW, completed_at=NOW)
        for x in range(1, 1001)
    ]
    asked: list[str] = []
    async with running_world(tmp_path, *seeds, conversion={"enabled": True}) as world:
        await world.until(lambda: len(world.engine.torrents) == 1000, 30)
        await world.db.read(lambda db: db.conn.set_trace_callback(asked.append))  # type: ignore[union-attr]
        await world.db.run(lambda db: db.conn.set_trace_callback(asked.append))  # type: ignore[union-attr]
        await world.pass_seconds(5)
        await world.db.read(lambda db: db.conn.set_trace_callback(None))  # type: ignore[union-attr]
        await world.db.run(lambda db: db.conn.set_trace_callback(None))  # type: ignore[union-attr]
        assert not [x for x in asked if "conversions" in x]
        assert world.service.conversions._work == {}


async def test_a_progress_that_is_written_meanwhile_takes_no_end_back(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        job, conversions = new_job(1), world.service.conversions
        await world.put(job)
        begun = Conversion(file_index=0, created_at=NOW, status=ConversionState.RUNNING, progress=90.0)
        one = work.Work(begun, candidate=Candidate(job_id=job.id, file_index=0, encodes=True, is_whole=True))
        ending = asyncio.create_task(conversions.shop.note(job, one, status=ConversionState.DONE))
        await asyncio.sleep(0)  # its row is on its way
        await conversions._making.write([(job.id, one)])
        await ending
        (row,) = await conversions.kept(job)
    assert row.status is ConversionState.DONE
