import dataclasses
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from htdl.jobs import Conversion, ConversionState, State
from htdl.store import conversions, jobs, subtitles
from htdl.store.db import Database

FULL = Conversion(
    file_index=3,
    status=ConversionState.FAILED,
    progress=41.5,
    effort="transcode",
    reason="HEVC plays in few browsers",
    output="/videos/ü/film.mp4",
    error_code="conversion_failed",
    error_message="it\nbroke",
    attempts=2,
    created_at="c",
    updated_at="u",
    completed_at="d",
)


async def test_every_field_comes_back_but_those_of_the_running_child(db, new_job):
    kept = [x for x in dataclasses.fields(Conversion) if x.name not in {"speed", "eta_seconds"}]
    assert all(getattr(FULL, x.name) != x.default for x in kept)
    job = new_job(1)
    await db.run(jobs.insert, job)
    await db.run(conversions.put, job.id, replace(FULL, speed=2.0, eta_seconds=9))
    [found] = (await db.read(conversions.of, [job.id]))[job.id]
    assert found == FULL
    assert found.status is ConversionState.FAILED


async def test_a_conversion_takes_the_place_of_that_files_last(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    for one in (FULL, Conversion(file_index=0), replace(FULL, status=ConversionState.DONE, progress=100.0)):
        await db.run(conversions.put, job.id, one)
    found = (await db.read(conversions.of, [job.id]))[job.id]
    assert [(x.file_index, x.status) for x in found] == [(0, "WAITING"), (3, "DONE")]


async def test_a_removed_job_stays_removed(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    await db.run(jobs.delete, job.id)
    await db.run(conversions.put, job.id, FULL)
    assert await db.read(conversions.of, [job.id]) == {job.id: ()}


async def test_the_conversions_of_one_job_are_forgotten(db, new_job):
    for number in (1, 2):
        await db.run(jobs.insert, new_job(number))
        await db.run(conversions.put, new_job(number).id, FULL)
    await db.run(conversions.delete, new_job(1).id)
    found = await db.read(conversions.of, [new_job(1).id, new_job(2).id])
    assert found == {new_job(1).id: (), new_job(2).id: (FULL,)}


async def test_what_is_made_again_keeps_its_place(db, new_job):
    for number in (1, 2):
        await db.run(jobs.insert, new_job(number))
        await db.run(conversions.put, new_job(number).id, FULL)
    await db.run(conversions.renew, new_job(1).id, "now")
    found = await db.read(conversions.of, [new_job(1).id, new_job(2).id])
    again = Conversion(file_index=3, output=FULL.output, created_at=FULL.created_at, updated_at="now")
    assert found == {new_job(1).id: (again,), new_job(2).id: (FULL,)}


async def test_the_living_are_those_of_jobs_that_have_not_ended_or_seed(db, new_job):
    converting = new_job(1, status=State.CONVERTING)
    seeding = new_job(2, status=State.COMPLETED, seeding=True)
    for job in (converting, seeding, new_job(3, status=State.COMPLETED), new_job(4, status=State.FAILED)):
        await db.run(jobs.insert, job)
        await db.run(conversions.put, job.id, FULL)
    assert await db.read(conversions.living) == {converting.id: (FULL,), seeding.id: (FULL,)}


async def test_those_of_a_database_from_before_there_were_words_have_none(tmp_path):
    with closing(sqlite3.connect(tmp_path / "htdl.db")) as raw:
        raw.executescript((Path(__file__).parent / "old" / "schema-2.sql").read_text(encoding="utf-8"))
    db = await Database.open(tmp_path / "htdl.db", now="now")
    [job] = [x for x in await db.read(jobs.living) if x.seeding]
    [found] = (await db.read(conversions.of, [job.id]))[job.id]
    assert (found.output, found.effort, found.reason) == ("/videos/v-2/film.mp4", "", "")
    [subtitle] = (await db.read(subtitles.of, [job.id]))[job.id]
    assert (subtitle.origin, subtitle.note) == ("sidecar", "")
    await db.close()
