"""Wishes come true, whatever the torrents do: a real database, a scripted engine, the test's clock."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from htdl.core.findings import DISK_FULL_SECONDS
from htdl.core.moving import SEED_LOOK_SECONDS
from htdl.core.runner import SAVE_SECONDS
from htdl.errors import BadSource, HtdlError, Refused
from htdl.events import Kind
from htdl.jobs import Blocked, JobPatch, State, Wish
from htdl.store.resume import Resume
from htdl.torrent.api import Phase
from tests.core.examples import NOW, new_job, new_metadata, new_status, running
from tests.core.world import BOOT, World, running_world

FILM = new_metadata(("film.mkv", 1000), ("sample/sample.mkv", 10), ("film.srt", 5))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as world:
        yield world


# a download


async def test_a_magnet_is_handed_over_with_nothing_wanted_yet(world: World) -> None:
    job = await world.add("magnet", max_download_speed=5)
    await world.until_held(job.id)
    held = world.engine.torrents[job.id]
    assert (held.resume, held.wanted, held.recheck) == (b"fresh magnet", None, False)
    assert (held.max_download_speed, held.save_path) == (5, Path(job.save_path))
    assert held.save_path.is_dir()
    assert (await world.until_status(job.id, State.DOWNLOADING)).detail == "starting"


async def test_a_torrent_file_is_handed_over_with_its_choice(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    assert world.engine.torrents[job.id].wanted == (0, 2)


async def test_metadata_choose_the_files_and_are_written_down(world: World) -> None:
    job = await world.add("magnet")
    await world.until_held(job.id)
    world.engine.saved[job.id] = b"with metadata"
    world.engine.get_metadata(job.id, FILM)
    await world.until(lambda: world.engine.torrents[job.id].wanted == (0, 2))
    await world.until(lambda: world.book.living[job.id].has_metadata)
    row = await world.row(job.id)
    assert row is not None
    assert (row.name, row.total_bytes, row.file_path) == ("film", 1005, f"{job.save_path}/film.mkv")
    assert [file.wanted for file in await world.file_rows(job.id)] == [True, False, True]
    resume = await world.resume(job.id)
    assert resume is not None
    assert (resume.blob, resume.boot_id) == (b"with metadata", BOOT)


async def test_metadata_that_could_not_be_written_down_are_so_later(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = await world.add("magnet")
    await world.until_held(job.id)
    await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 0"))
    with closing(sqlite3.connect(world.folder / "htdl.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # as good as a full disk: nothing can be written
        world.engine.get_metadata(job.id, FILM)
        await world.until(lambda: "another program" in caplog.text)
    world.wake(1.0)
    await world.until_written(job.id, lambda job: job.has_metadata)
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)


async def test_a_finished_download_is_complete_with_its_resume_data(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.finish(job.id, b"whole")
    done = await world.until_status(job.id, State.COMPLETED)
    assert (done.progress, done.done_bytes, done.eta_seconds) == (100, 1005, 0)
    assert done.completed_at
    assert done.seeding
    assert [file.progress for file in await world.file_rows(job.id)] == [100.0, 0.0, 100.0]
    resume = await world.resume(job.id)
    assert resume is not None
    assert resume.blob == b"whole"
    assert world.told(job.id).count(Kind.COMPLETED) == 1


async def test_one_that_finishes_right_behind_its_metadata_keeps_its_files(world: World) -> None:
    job = await world.add("magnet")
    await world.until_held(job.id)
    world.engine.get_metadata(job.id, FILM)
    await world.until(lambda: world.engine.torrents[job.id].wanted)
    world.engine.finish(job.id)
    done = await world.until_status(job.id, State.COMPLETED)
    assert (done.done_bytes, done.total_bytes) == (1005, 1005)
    assert [file.progress for file in await world.file_rows(job.id)] == [100.0, 0.0, 100.0]


async def test_ready_is_told_once_and_before_completed(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    (Path(job.save_path) / "film.mkv").write_bytes(bytes(1000))
    world.engine.report(job.id, new_status(done_bytes=500, total_bytes=1005))
    world.engine.arrive(job.id, [0])
    await world.until(lambda: Kind.READY in world.told(job.id))
    world.wake(1.0)
    world.engine.finish(job.id)
    await world.until(lambda: Kind.COMPLETED in world.told(job.id))
    kinds = [x for x in world.told(job.id) if x in {Kind.READY, Kind.COMPLETED}]
    assert kinds == [Kind.READY, Kind.COMPLETED]


async def test_ready_is_told_also_of_one_that_was_too_fast_to_be_looked_at(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.finish(job.id)
    await world.until(lambda: Kind.COMPLETED in world.told(job.id))
    kinds = [x for x in world.told(job.id) if x in {Kind.READY, Kind.COMPLETED}]
    assert kinds == [Kind.READY, Kind.COMPLETED]


async def test_one_that_begins_anew_is_ready_anew(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    (Path(job.save_path) / "film.mkv").write_bytes(bytes(1000))
    world.engine.arrive(job.id, [0])
    await world.until(lambda: world.told(job.id).count(Kind.READY) == 1)
    await world.service.cancel(job.id, delete=True)
    await world.until_status(job.id, State.CANCELLED)
    await world.service.retry(job.id)
    await world.until_held(job.id)
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    assert world.told(job.id).count(Kind.READY) == 2


async def test_numbers_are_told_each_second_and_written_each_two(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.report(job.id, new_status(done_bytes=50), {0: 50})
    await world.pass_seconds(1)
    world.engine.report(job.id, new_status(done_bytes=100, download_speed=50), {0: 100})
    await world.pass_seconds(1)
    assert Kind.PROGRESS in world.told(job.id)
    await world.until_written(job.id, lambda row: row.done_bytes == 100)
    row = await world.row(job.id)
    assert row is not None
    assert (row.progress, row.download_speed, row.eta_seconds) == (10, 50, 18)
    assert (await world.file_rows(job.id))[0].progress == 10.0


async def test_the_runner_ends_when_it_is_told_to_while_it_wakes(tmp_path: Path) -> None:
    for _ in range(3):
        async with running_world(tmp_path) as world:
            await world.until(lambda: not world.book.changed.is_set())
            world.book.changed.set()  # and it is cancelled before it can go on


async def test_resume_data_is_saved_while_downloading(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.saved[job.id] = b"half"
    world.wake(SAVE_SECONDS)
    await world.until(lambda: not world.engine.saved)
    await world.until_written(job.id, lambda row: row.status is State.DOWNLOADING)  # behind the flush
    resume = await world.resume(job.id)
    assert resume is not None
    assert (resume.blob, resume.boot_id) == (b"half", BOOT)


# what goes wrong


async def test_a_choice_that_names_no_file_fails_the_job(world: World) -> None:
    job = await world.add("magnet", files=("*.avi",))
    await world.until_held(job.id)
    world.engine.get_metadata(job.id, FILM)
    failed = await world.until_status(job.id, State.FAILED)
    assert failed.error_code == "no_such_file"
    assert failed.error_message
    assert "*.avi" in failed.error_message
    assert not world.engine.torrents
    await world.until(lambda: Kind.FAILED in world.told(job.id))
    assert world.told(job.id).count(Kind.FAILED) == 1


async def test_a_fault_fails_the_job_with_its_code_and_message(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.fail(job.id, "io_error", "Input/output error: film.mkv")
    failed = await world.until_status(job.id, State.FAILED)
    assert (failed.error_code, failed.error_message) == ("io_error", "Input/output error: film.mkv")
    assert (failed.download_speed, failed.peers, failed.blocked_by) == (0, 0, None)
    assert job.id not in world.engine.torrents
    resume = await world.resume(job.id)
    assert resume is not None
    assert resume.blob == f"removed {job.id}".encode()


async def test_a_lost_file_is_looked_for_once_and_is_a_fault_then(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    assert not world.engine.torrents[job.id].recheck
    world.engine.lose(job.id, "No such file or directory: film.mkv")
    await world.until(lambda: job.id in world.engine.removed and job.id in world.engine.torrents)
    assert world.engine.torrents[job.id].recheck
    assert world.book.living[job.id].status is State.DOWNLOADING
    world.engine.lose(job.id, "No such file or directory: film.mkv")
    failed = await world.until_status(job.id, State.FAILED)
    assert (failed.error_code, failed.error_message) == ("io_error", "No such file or directory: film.mkv")
    await world.service.retry(job.id)
    await world.until_held(job.id)
    world.engine.lose(job.id, "No such file or directory: film.mkv")
    await world.until(lambda: world.engine.removed.count(job.id) == 3 and job.id in world.engine.torrents)
    assert world.book.living[job.id].status is State.DOWNLOADING


async def test_a_lost_file_ends_the_seeding(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.finish(job.id)
    assert (await world.until_status(job.id, State.COMPLETED)).seeding
    world.engine.lose(job.id, "No such file or directory: film.mkv")
    await world.until(lambda: job.id not in world.book.living)
    assert job.id not in world.engine.torrents


async def test_a_retry_begins_again(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.fail(job.id, "io_error", "gone")
    await world.until_status(job.id, State.FAILED)
    retried = (await world.service.retry(job.id)).job
    assert (retried.status, retried.attempts, retried.error_code) == (State.PENDING, 2, None)
    await world.until_held(job.id)
    world.wake()
    world.engine.finish(job.id)
    done = await world.until_status(job.id, State.COMPLETED)
    assert (done.attempts, done.error_code, done.error_message) == (2, None, None)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (BadSource("cannot be read"), "invalid_torrent"),
        (OSError(errno.EACCES, "Permission denied", "/downloads"), "io_error"),
    ],
)
async def test_a_job_that_cannot_start_fails_and_the_others_go_on(
    world: World, fault: Exception, code: str
) -> None:
    bad = await world.add("bad", FILM, paused=True)
    world.engine.faults[bad.id] = fault
    await world.service.resume(bad.id)
    good = await world.downloading("good", FILM)
    assert (await world.until_status(bad.id, State.FAILED)).error_code == code
    assert good.id in world.engine.torrents


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), HtdlError("the engine does not answer")])
async def test_what_nobody_foresaw_in_one_job_does_not_stop_the_others(
    world: World, fault: Exception
) -> None:
    bad = await world.add("bad", FILM, paused=True, priority=9)
    world.engine.faults[bad.id] = fault
    await world.service.resume(bad.id)
    good = await world.downloading("good", FILM)
    world.engine.finish(good.id)
    await world.until_status(good.id, State.COMPLETED)
    del world.engine.faults[bad.id]
    world.wake()
    await world.until_held(bad.id)


async def test_a_torrent_that_another_job_still_lets_go_is_tried_again(world: World) -> None:
    job = await world.add("torrent", FILM, paused=True)
    world.engine.faults[job.id] = Refused("held under another key")
    await world.service.resume(job.id)
    await world.until_status(job.id, State.DOWNLOADING)
    del world.engine.faults[job.id]
    world.wake()
    await world.until_held(job.id)


async def test_a_job_whose_saved_state_is_lost_says_so(tmp_path: Path) -> None:
    job = new_job()
    async with running_world(tmp_path, paused := replace(job, status=State.PAUSED, wish=Wish.PAUSE)) as world:
        await world.db.run(lambda db: db.execute("DELETE FROM resume_data"))
        await world.service.resume(paused.id)
        failed = await world.until_status(job.id, State.FAILED)
        assert failed.error_code == "invalid_torrent"
        assert "add it again" in (failed.error_message or "")


# room on the disk


async def test_a_full_disk_halts_and_goes_on_by_itself(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.fill_disk(job.id)
    halted = await world.until_status(job.id, State.PENDING)
    assert halted.blocked_by is Blocked.DISK_FULL
    assert "disk is full" in halted.detail
    assert job.id not in world.engine.torrents
    world.wake(DISK_FULL_SECONDS - 1)
    world.wake(1.5)
    await world.until_held(job.id)
    assert (await world.until_status(job.id, State.DOWNLOADING)).blocked_by is None


async def test_no_room_for_a_folder_is_a_full_disk_too(world: World) -> None:
    job = await world.add("torrent", FILM, paused=True)
    world.engine.faults[job.id] = OSError(errno.ENOSPC, "No space left on device", "/downloads")
    await world.service.resume(job.id)
    await world.until(lambda: world.book.living[job.id].blocked_by is Blocked.DISK_FULL)
    del world.engine.faults[job.id]
    world.wake(DISK_FULL_SECONDS + 1)
    await world.until_held(job.id)


async def test_what_does_not_fit_is_not_begun_and_goes_on_when_there_is_room(world: World) -> None:
    job = await world.add("magnet")
    await world.until_held(job.id)
    world.engine.get_metadata(job.id, new_metadata(("huge.mkv", 1 << 60)))
    await world.until(lambda: world.book.living[job.id].blocked_by is Blocked.DISK_FULL)
    assert world.engine.torrents == {}
    await world.service.update(job.id, JobPatch(priority=1))
    assert (await world.until_status(job.id, State.PENDING)).blocked_by is Blocked.DISK_FULL


async def test_room_that_comes_while_metadata_are_written_is_used(world: World) -> None:
    """The disk was full when they came, and is not when the queue looks next."""
    job = await world.add("magnet")
    await world.until_held(job.id)
    world.configure(storage={"min_free": "1000000TiB"})
    world.engine.get_metadata(job.id, FILM)
    world.configure(storage={"min_free": 0})
    await world.until(lambda: world.engine.torrents.get(job.id, None) is not None)
    await world.until(lambda: (held := world.engine.torrents.get(job.id)) and held.wanted == (0, 2))


# the queue


async def test_slots_are_kept_and_passed_on(tmp_path: Path) -> None:
    async with running_world(tmp_path, torrent={"max_active_downloads": 1}) as world:
        first = await world.downloading("first", FILM)
        second = await world.add("second", FILM)
        waiting = await world.until_status(second.id, State.PENDING)
        await world.until(lambda: world.book.living[second.id].blocked_by is Blocked.QUEUE)
        assert waiting.id not in world.engine.torrents
        world.engine.finish(first.id)
        await world.until_held(second.id)


async def test_a_magnet_that_nobody_has_gives_its_slot_to_the_next(tmp_path: Path) -> None:
    limits = {"max_active_downloads": 1, "metadata_timeout_seconds": 60}
    async with running_world(tmp_path, torrent=limits) as world:
        dead = await world.add("dead")
        await world.until_held(dead.id)
        world.engine.report(dead.id, new_status(phase=Phase.METADATA, total_bytes=0))
        other = await world.add("other", FILM)
        await world.pass_seconds(60)
        assert other.id not in world.engine.torrents
        await world.pass_seconds(1)
        await world.until_held(other.id)
        assert dead.id in world.engine.torrents, "it goes on looking"
        assert world.book.living[dead.id].blocked_by is Blocked.NO_METADATA


# wishes


async def test_pause_lets_go_and_resume_goes_on_from_there(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    await world.service.pause(job.id)
    paused = await world.until_status(job.id, State.PAUSED)
    assert (paused.detail, paused.blocked_by) == ("", None)
    assert job.id not in world.engine.torrents
    await world.service.resume(job.id)
    await world.until_held(job.id)
    assert world.engine.torrents[job.id].resume == f"removed {job.id}".encode()


async def test_a_job_added_paused_is_never_handed_over(world: World) -> None:
    job = await world.add("torrent", FILM, paused=True)
    await world.until_status(job.id, State.PAUSED)
    assert world.engine.torrents == {}


async def test_cancel_keeps_the_data_and_remembers_where_it_was(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    film = Path(job.save_path) / "film.mkv"
    film.touch()
    await world.service.cancel(job.id)
    await world.until_status(job.id, State.CANCELLED)
    assert film.exists()
    assert world.told(job.id)[-1] is Kind.CANCELLED
    resume = await world.resume(job.id)
    assert resume is not None
    assert resume.boot_id == BOOT


async def test_cancel_with_its_data_removes_them_and_trusts_nothing_after(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    film = Path(job.save_path) / "film.mkv"
    film.touch()
    await world.service.cancel(job.id, delete=True)
    gone = await world.until_status(job.id, State.CANCELLED)
    assert not Path(job.save_path).exists()
    assert (gone.delete_data, gone.file_path, gone.done_bytes, gone.progress) == (False, None, 0, 0)
    await world.service.retry(job.id)
    await world.until_held(job.id)
    assert world.engine.torrents[job.id].recheck


async def test_the_data_of_an_ended_job_are_removed(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    (Path(job.save_path) / "film.mkv").touch()
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    await world.service.cancel(job.id, delete=True)
    await world.until(lambda: job.id not in world.book.living)
    gone = await world.job(job.id)
    assert (gone.status, gone.file_path, gone.seeding) == (State.COMPLETED, None, False)
    assert not Path(job.save_path).exists()
    assert world.engine.torrents == {}


async def test_a_crash_before_the_data_are_gone_does_not_forget_it(tmp_path: Path) -> None:
    home = tmp_path / "video"
    home.mkdir()
    job = running(wish=Wish.CANCEL, delete_data=True, save_path=str(home))
    async with running_world(tmp_path, job) as world:
        await world.until_status(job.id, State.CANCELLED)
        assert not home.exists()


async def test_a_torrent_that_no_job_wants_is_let_go(world: World) -> None:
    job = await world.downloading("torrent", FILM)
    world.engine.finish(job.id)
    await world.until_status(job.id, State.COMPLETED)
    assert world.runner._telling._ready
    await world.service.remove(job.id)
    await world.until(lambda: world.engine.torrents == {})
    await world.until(lambda: not (world.runner._telling._ready or world.service.streams._followers))


# after a restart


async def test_what_was_downloading_is_handed_over_again(tmp_path: Path) -> None:
    job = running(save_path=str(tmp_path / "video"))
    async with running_world(tmp_path, job) as world:
        await world.until_held(job.id)
        assert world.engine.torrents[job.id].resume == b"earlier"
        assert not world.engine.torrents[job.id].recheck
        assert Kind.CHANGED not in world.told(job.id)


@pytest.mark.parametrize(("boot", "recheck"), [(BOOT, False), ("another", True), ("", True), (None, False)])
async def test_after_another_boot_only_what_was_synced_is_believed(
    tmp_path: Path, boot: str | None, recheck: bool
) -> None:
    job = new_job(status=State.COMPLETED, seeding=True, save_path=str(tmp_path), metadata_at=NOW)
    async with running_world(tmp_path) as world:
        await world.put(job, resume=Resume(b"earlier", NOW, boot))
        await world.book.load()
        await world.until_held(job.id)
        assert world.engine.torrents[job.id].recheck is recheck


@pytest.mark.parametrize("rules", [{}, {"seed_ratio": 0.0}], ids=["seeds", "does not"])
async def test_what_is_fetched_again_is_not_taken_for_synced(tmp_path: Path, rules: dict[str, float]) -> None:
    """Else a power cut would leave holes that nobody looks for."""

    async def saved(blob: bytes, boot: str | None) -> None:
        async with asyncio.timeout(30):
            while (found := await world.resume(job.id)) is None or (found.blob, found.boot_id) != (
                blob,
                boot,
            ):
                world.wake(SAVE_SECONDS)
                await asyncio.sleep(0.01)

    async with running_world(tmp_path, torrent=rules) as world:
        job = await world.downloading("torrent", FILM)
        world.engine.finish(job.id)
        await saved(b"whole", None)
        await world.service.retry(job.id)
        await world.until(lambda: job.id in world.engine.torrents and world.engine.torrents[job.id].recheck)
        world.engine.saved[job.id] = b"later"
        await saved(b"later", BOOT)


async def test_stopping_saves_all(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        job = await world.downloading("torrent", FILM)
        world.engine.report(job.id, new_status(done_bytes=7))
        world.wake(1.0)
        await world.until(lambda: world.book.living[job.id].done_bytes == 7)
        world.engine.saved[job.id] = b"last"
    async with running_world(tmp_path) as world:
        await world.until_held(job.id)
        assert world.engine.torrents[job.id].resume == b"last"
        row = await world.row(job.id)
        assert row is not None
        assert row.done_bytes == 7


# seeding


async def test_seeding_goes_on_until_a_rule_is_met(tmp_path: Path) -> None:
    async with running_world(tmp_path, torrent={"seed_ratio": 2.0}) as world:
        job = await world.downloading("torrent", FILM)
        world.engine.finish(job.id)
        await world.until_status(job.id, State.COMPLETED)
        world.engine.report(job.id, new_status(phase=Phase.FINISHED, uploaded_bytes=2009, peers=1))
        world.wake(SEED_LOOK_SECONDS)
        await world.until(lambda: world.book.living[job.id].uploaded_bytes == 2009)
        world.engine.report(job.id, new_status(phase=Phase.FINISHED, uploaded_bytes=2010, peers=1))
        world.wake(SEED_LOOK_SECONDS)
        await world.until(lambda: job.id not in world.book.living)
        ended = await world.job(job.id)
        assert (ended.seeding, ended.uploaded_bytes, ended.peers) == (False, 2010, 0)
        assert world.engine.torrents == {}


@pytest.mark.parametrize("rules", [{"seed_ratio": 0.0}, {"seed_minutes": 0}])
async def test_without_seeding_a_finished_torrent_is_let_go(tmp_path: Path, rules: dict[str, float]) -> None:
    async with running_world(tmp_path, torrent=rules) as world:
        job = await world.downloading("torrent", FILM)
        world.engine.finish(job.id)
        assert not (await world.until_status(job.id, State.COMPLETED)).seeding
        await world.until(lambda: world.engine.torrents == {})


async def test_a_new_job_takes_the_torrent_from_one_that_seeds(world: World) -> None:
    old = await world.downloading("torrent", FILM)
    world.engine.finish(old.id)
    await world.until_status(old.id, State.COMPLETED)
    new = await world.downloading("torrent", FILM, video_id="another")
    assert new.id != old.id
    assert new.save_path == old.save_path
    assert not (await world.job(old.id)).seeding
    await world.until(lambda: set(world.engine.torrents) == {new.id})
    await world.until(lambda: not [x.job for x in world.events if x.job.id == old.id][-1].seeding)


async def test_a_retry_takes_the_torrent_from_one_that_seeds(world: World) -> None:
    first = await world.downloading("torrent", FILM)
    await world.service.cancel(first.id)
    await world.until_status(first.id, State.CANCELLED)
    second = await world.downloading("torrent", FILM)
    world.engine.finish(second.id)
    await world.until_status(second.id, State.COMPLETED)
    await world.service.retry(first.id)
    await world.until(lambda: set(world.engine.torrents) == {first.id})
    assert not (await world.job(second.id)).seeding


@pytest.mark.parametrize("seconds", [0.0, DISK_FULL_SECONDS])
async def test_what_a_full_disk_keeps_from_being_written_is_not_lost(world: World, seconds: float) -> None:
    job = await world.downloading("torrent", FILM)
    await world.db.run(lambda db: db.execute("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(world.folder / "htdl.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as good as a full disk: nothing can be written
    world.engine.fill_disk(job.id)
    await world.until(lambda: not world.engine.torrents)
    assert world.book.living[job.id].status is State.DOWNLOADING
    other.close()
    world.wake(seconds)  # it is queued, or begins again at once
    removed = f"removed {job.id}".encode()
    if seconds:
        await world.until_held(job.id)
        assert world.engine.torrents[job.id].resume == removed
    else:
        await world.until(lambda: world.book.living[job.id].status is State.PENDING)
    resume = await world.resume(job.id)
    assert resume is not None
    assert resume.blob == removed
