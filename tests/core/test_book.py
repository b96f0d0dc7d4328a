"""One change is one transaction, then memory, then one event."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlite_utils

from htdl.core.book import Book
from htdl.errors import DiskFull, HtdlError, NoSuchJob
from htdl.events import Kind
from htdl.jobs import Blocked, Job, JobQuery, Sort, State
from htdl.store import jobs as rows
from htdl.store.resume import Resume
from tests.core.examples import NOW, job_file, new_job, running
from tests.core.world import World, open_world

EARLIER = Resume(b"earlier", NOW, "this-boot")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture
async def book(world: World) -> Book:
    return world.book


async def loaded(world: World, *jobs: Job) -> Book:
    await world.put(*jobs)
    await world.book.load()
    return world.book


async def settled(world: World) -> list[Kind]:
    """What was told, once the listener has heard it."""
    await world.until(lambda: len(world.events) == world.bus.seq)
    return world.told()


def commits(world: World) -> int:
    """How many transactions the write-ahead log holds (sqlite.org/fileformat2.html#walformat)."""
    log = (world.folder / "htdl.db-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page_size)
    return sum(log[x + 8 : x + 16] == log[16:24] and log[x + 4 : x + 8] != bytes(4) for x in frames)


# loading


async def test_only_those_that_live_seed_or_lose_their_data_are_in_memory(world: World) -> None:
    jobs = [
        new_job(1),
        new_job(2, status=State.COMPLETED),
        new_job(3, status=State.COMPLETED, seeding=True),
        new_job(4, status=State.FAILED, delete_data=True),
        new_job(5, status=State.PAUSED),
    ]
    book = await loaded(world, *jobs)
    assert set(book.living) == {jobs[0].id, jobs[2].id, jobs[3].id, jobs[4].id}
    assert book.loaded.is_set()
    assert book.changed.is_set(), "there is something to decide about"


# questions


async def test_a_job_is_found_by_any_unique_prefix_living_or_ended(world: World) -> None:
    living, ended = new_job(0x10), new_job(0x20, status=State.FAILED)
    book = await loaded(world, living, ended)
    assert await book.find("0000001") == living
    assert await book.find(living.id) == living
    assert await book.find("0000002") == ended


@pytest.mark.parametrize("prefix", ["", "f", "00000001x", "\udcff"])
async def test_what_names_no_job(world: World, prefix: str) -> None:
    book = await loaded(world, new_job())
    with pytest.raises(NoSuchJob) as caught:
        await book.find(prefix)
    assert caught.value.code == "no_such_job"


async def test_what_names_several_jobs(world: World) -> None:
    book = await loaded(world, new_job(1), new_job(2))
    with pytest.raises(NoSuchJob) as caught:
        await book.find("000")
    assert caught.value.code == "ambiguous_id"
    assert (
        caught.value.hint == f"give the id of one: 00000001 ({new_job(1).name}), 00000002 ({new_job(2).name})"
    )


async def test_of_many_that_are_meant_only_some_are_told_by_as_much_of_their_ids_as_it_takes(
    world: World,
) -> None:
    book = await loaded(world, *(new_job(number, id=f"0000-0000-000{number}") for number in range(1, 8)))
    with pytest.raises(NoSuchJob) as caught:
        await book.find("0")
    assert "0000-0000-0001 (" in (caught.value.hint or "")
    assert (caught.value.hint or "").endswith(", and others")


async def test_a_job_is_found_by_its_video_s_id_where_no_id_begins_so(world: World) -> None:
    first = new_job(1, video_id="film-7")
    book = await loaded(world, first, new_job(2, video_id="00000001"), new_job(3, video_id="film-77"))
    book.note(first.id, progress=50)
    assert (await book.find("film-7")).progress == 50
    assert (await book.find("00000001")).id == first.id, "an id goes before a video's"
    for name in ("film-", "FILM-7", "film-777"):
        with pytest.raises(NoSuchJob) as caught:
            await book.find(name)
        assert caught.value.code == "no_such_job"


async def test_a_video_of_several_jobs_is_ambiguous(world: World) -> None:
    jobs = [new_job(number, video_id="film-7", status=State.FAILED) for number in (1, 2)]
    book = await loaded(world, *jobs)
    with pytest.raises(NoSuchJob, match="of video 'film-7'") as caught:
        await book.find("film-7")
    assert caught.value.code == "ambiguous_id"
    assert (await book.find(jobs[1].id)).id == jobs[1].id


async def test_a_whole_id_is_never_ambiguous(world: World) -> None:
    short, long = new_job(id="abc"), new_job(2, id="abcd", status=State.FAILED)
    book = await loaded(world, short, long)
    assert await book.find("abc") == short


async def test_a_video_is_found_with_its_newest_numbers(world: World) -> None:
    job = running(video_id="mine")
    book = await loaded(world, job)
    book.note(job.id, progress=50)
    assert (await book.by_video("mine")).progress == 50
    with pytest.raises(NoSuchJob):
        await book.by_video("other")


async def test_a_listing_has_the_newest_numbers_and_the_files(world: World) -> None:
    living, ended = running(1), new_job(2, status=State.FAILED)
    book = await loaded(world, living, ended)
    await world.db.run(rows.put_files, ended.id, [job_file()])
    book.note(living.id, progress=50)
    first, second = (book.living[living.id], ()), (ended, (job_file(),))
    assert await book.listing(JobQuery()) == ([first, second], 2)
    assert await book.listing(JobQuery(limit=1)) == ([first], 2)


async def test_a_listing_by_numbers_is_in_the_order_of_the_newest(world: World) -> None:
    """The database is some seconds behind."""
    slow, quick, idle = running(1, download_speed=1), running(2), running(3)
    book = await loaded(world, slow, quick, idle)
    by_speed = JobQuery(sort=Sort.SPEED)

    async def listed(query: JobQuery) -> list[str]:
        return [job.id for job, _ in (await book.listing(query))[0]]

    assert await listed(by_speed) == [slow.id, quick.id, idle.id]
    book.note(quick.id, download_speed=9, eta_seconds=7)
    assert await listed(by_speed) == [quick.id, slow.id, idle.id]
    book.note(idle.id, upload_speed=5, eta_seconds=3)
    assert await listed(by_speed) == [quick.id, idle.id, slow.id]
    assert await listed(replace(by_speed, reverse=True)) == [slow.id, idle.id, quick.id]
    assert await listed(JobQuery(sort=Sort.ETA)) == [idle.id, quick.id, slow.id]
    assert await listed(JobQuery(sort=Sort.ETA, reverse=True)) == [quick.id, idle.id, slow.id]


async def test_a_listing_asked_again_has_what_changed_meanwhile(world: World) -> None:
    first, second = running(1), running(2)
    ended = new_job(3, status=State.COMPLETED, save_path="/there", file_path="/there/film.mkv")
    book = await loaded(world, first, second, ended)

    async def listed() -> list[tuple[str, State, int, str | None]]:
        jobs, total = await book.listing(JobQuery())
        assert total == len(jobs)
        return [(job.id, job.status, job.progress, job.file_path) for job, _ in jobs]

    assert [job_id for job_id, *_ in await listed()] == [first.id, second.id, ended.id]
    book.note(first.id, progress=50)
    assert (await listed())[0][2] == 50
    await book.change(second.id, status=State.FAILED)
    assert (await listed())[1][:2] == (second.id, State.FAILED)
    await book.forget_paths("/there")
    assert (await listed())[2][3] is None
    await book.remove(second)
    assert [job_id for job_id, *_ in await listed()] == [first.id, ended.id]

    def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
        rows.insert(db, second)
        return second, True

    await book.add(insert)
    assert [job_id for job_id, *_ in await listed()] == [first.id, second.id, ended.id]


# changes


async def test_a_change_is_in_the_database_in_memory_and_told_once(world: World) -> None:
    job = new_job()
    book = await loaded(world, job)
    changed = await book.change(job.id, status=State.DOWNLOADING, detail="starting")
    assert await world.row(job.id) == changed == book.living[job.id]
    assert (changed.status, changed.detail) == (State.DOWNLOADING, "starting")
    assert changed.updated_at > job.updated_at
    assert await settled(world) == [Kind.CHANGED]
    assert world.events[0].job == changed


async def test_files_and_resume_data_go_with_the_change(world: World) -> None:
    job = new_job()
    book = await loaded(world, job)
    await book.change(job.id, files=[job_file()], resume=replace(EARLIER, blob=b"new"))
    assert book.files[job.id] == (job_file(),) == await world.file_rows(job.id)
    resume = await book.resume_of(job.id)
    assert resume is not None
    assert resume.blob == b"new"


async def test_a_change_that_fails_changes_nothing(world: World) -> None:
    job = new_job()
    book = await loaded(world, job)

    def fail(db: sqlite_utils.Database) -> None:
        raise DiskFull("no room")

    with pytest.raises(DiskFull):
        await book.change(job.id, status=State.DOWNLOADING, files=[job_file()], resume=EARLIER, also=fail)
    assert book.living[job.id] == job == await world.row(job.id)
    assert book.files[job.id] == () == await world.file_rows(job.id)
    assert await settled(world) == []
    await book.change(job.id, detail="and it goes on")


async def test_an_impossible_transition_is_loud_and_changes_nothing(world: World) -> None:
    job = new_job()
    book = await loaded(world, job)
    with pytest.raises(HtdlError, match="PENDING job cannot become COMPLETED"):
        await book.change(job.id, status=State.COMPLETED)
    assert await world.row(job.id) == job
    assert await settled(world) == []


async def test_a_job_that_has_ended_leaves_memory_and_a_retry_brings_it_back(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    await book.change(job.id, Kind.FAILED, status=State.FAILED)
    assert job.id not in book.living
    await book.change(job.id, status=State.PENDING)
    assert book.living[job.id].status is State.PENDING
    assert await settled(world) == [Kind.FAILED, Kind.CHANGED]


async def test_a_job_that_seeds_stays_in_memory_until_it_does_not(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    await book.change(job.id, Kind.COMPLETED, status=State.COMPLETED, seeding=True)
    assert job.id in book.living
    await book.change(job.id, seeding=False)
    assert job.id not in book.living


async def test_a_job_that_is_gone_cannot_be_changed(book: Book) -> None:
    await book.load()
    with pytest.raises(NoSuchJob):
        await book.change("none", detail="x")


async def test_numbers_that_come_during_a_change_are_kept(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    changing = asyncio.ensure_future(book.change(job.id, priority=7))
    await asyncio.sleep(0)  # one turn: the change is on its way
    book.note(job.id, done_bytes=99)
    await changing
    assert (book.living[job.id].priority, book.living[job.id].done_bytes) == (7, 99)
    await book.flush()
    assert await world.row(job.id) == book.living[job.id]


async def test_changes_of_one_job_at_the_same_time_are_both_kept(world: World) -> None:
    job = new_job()
    book = await loaded(world, job)
    await asyncio.gather(book.change(job.id, priority=7), book.change(job.id, detail="both"))
    row = await world.row(job.id)
    assert row is not None
    assert (row.priority, row.detail) == (7, "both")


# adding and removing


async def test_a_new_job_is_told_and_one_that_is_there_is_not(world: World) -> None:
    job = new_job()
    book = await loaded(world)

    def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
        rows.insert(db, job, [job_file()])
        return job, True

    assert await book.add(insert) == (job, True)
    assert book.files[job.id] == (job_file(),)
    assert await book.add(lambda db: (job, False)) == (job, False)
    assert await settled(world) == [Kind.ADDED]


async def test_a_new_job_is_never_seen_without_its_files(world: World) -> None:
    """Else what decides meanwhile takes it for one that has nothing to be done."""
    job = new_job()
    book = await loaded(world)

    def insert(db: sqlite_utils.Database) -> tuple[Job, bool]:
        rows.insert(db, job, [job_file()])
        return job, True

    adding = asyncio.create_task(book.add(insert))
    while job.id not in book.living:  # noqa: ASYNC110 - every turn of the loop is looked at
        await asyncio.sleep(0)
    assert book.files[job.id] == (job_file(),)
    await adding


async def test_a_removed_job_is_nowhere(world: World) -> None:
    job = new_job(status=State.FAILED)
    book = await loaded(world, job)
    await book.remove(job)
    assert await world.row(job.id) is None
    assert await book.resume_of(job.id) is None
    assert await settled(world) == [Kind.REMOVED]


# numbers


async def test_numbers_are_told_at_once_and_written_by_a_flush(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    book.note(job.id, done_bytes=10, download_speed=5)
    assert book.living[job.id].done_bytes == 10
    assert await world.row(job.id) == job
    await book.flush()
    assert await world.row(job.id) == book.living[job.id]
    assert await settled(world) == [Kind.PROGRESS]


async def test_the_same_numbers_are_no_news(world: World) -> None:
    job = running(done_bytes=10)
    book = await loaded(world, job)
    book.note(job.id, done_bytes=10)
    book.note("none", done_bytes=11)
    assert await settled(world) == []
    assert book.living[job.id] is not None
    assert book.living[job.id].updated_at == job.updated_at


async def test_why_nothing_moves_is_more_than_numbers(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    book.note(job.id, blocked_by=Blocked.NO_PEERS)
    book.note(job.id, detail="no peers")
    assert await settled(world) == [Kind.CHANGED, Kind.CHANGED]


async def test_a_flush_writes_all_jobs_files_and_resume_data_in_one_transaction(world: World) -> None:
    first, second = running(1), running(2)
    book = await loaded(world, first, second)
    await book.change(first.id, files=[job_file(0, "a"), job_file(1, "b")])
    book.note(first.id, progress=1)
    book.note(second.id, progress=2)
    book.note_files(first.id, [job_file(0, "a", progress=10.0), job_file(1, "b")])
    before = commits(world)
    await book.flush({second.id: replace(EARLIER, blob=b"new")})
    assert commits(world) - before == 1
    found = [await world.row(job.id) for job in (first, second)]
    assert [x and x.progress for x in found] == [1, 2]
    assert (await world.file_rows(first.id))[0].progress == 10.0
    resume = await book.resume_of(second.id)
    assert resume is not None
    assert resume.blob == b"new"


async def test_nothing_new_is_no_transaction(world: World) -> None:
    book = await loaded(world, running())
    before = commits(world)
    await book.flush()
    await book.flush({})
    assert commits(world) == before


async def test_numbers_of_a_flush_that_fails_are_written_by_the_next(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    book.note(job.id, done_bytes=10)
    book.note_files(job.id, [])
    pages = await world.db.run(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await world.db.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
    with pytest.raises(DiskFull):
        await book.flush({job.id: replace(EARLIER, blob=bytes(1 << 20))})
    assert await world.row(job.id) == job
    await book.flush()
    assert await world.row(job.id) == book.living[job.id]


async def test_numbers_of_a_job_removed_meanwhile_do_not_bring_it_back(world: World) -> None:
    job = running()
    book = await loaded(world, job)
    book.note(job.id, done_bytes=10)
    await book.remove(job)
    await book.flush()
    assert await world.row(job.id) is None


def test_the_clock_is_utc_to_the_millisecond(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
    book = Book(None, None, lambda: moment)  # type: ignore[arg-type] neither is asked
    assert book.now() == "2024-05-01T10:00:00.123+00:00"


async def test_numbers_outlast_a_flush_that_is_given_up(world: World) -> None:
    job = running(1)
    book = await loaded(world, job)
    busy, done = threading.Event(), threading.Event()

    def occupy(db: sqlite_utils.Database) -> None:
        busy.set()
        assert done.wait(60)

    occupied = asyncio.create_task(world.db.run(occupy))
    await asyncio.to_thread(busy.wait, 60)
    book.note(job.id, done_bytes=77)
    flushing = asyncio.create_task(book.flush())
    await asyncio.sleep(0)  # one turn for `flush`, one for what it shields
    await asyncio.sleep(0)
    flushing.cancel()
    done.set()
    await asyncio.gather(occupied, flushing, return_exceptions=True)
    await book.flush()
    row = await world.row(job.id)
    assert row
    assert row.done_bytes == 77
