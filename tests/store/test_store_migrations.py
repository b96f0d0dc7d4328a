import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils

from htdl.jobs import Blocked, Job, JobQuery, State
from htdl.store import jobs, migrations, resume
from htdl.store.db import Database

NOW = "2024-06-01T00:00:00+00:00"
OLD = sorted((Path(__file__).parent / "old").glob("schema-*.sql"))


def schema(db):
    return sorted(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall(), key=str)


async def restore(dump: Path, path: Path) -> Database:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(dump.read_text(encoding="utf-8"))
    return await Database.open(path, now=NOW)


def test_there_are_old_databases():
    assert [x.stem for x in OLD] == [f"schema-{n}" for n in range(1, len(migrations.MIGRATIONS))]


@pytest.mark.parametrize("dump", OLD, ids=lambda x: x.stem)
async def test_an_old_database_opens_with_all_that_was_in_it(dump, tmp_path):
    db = await restore(dump, tmp_path / "htdl.db")
    running, ended = await db.run(jobs.listing, JobQuery())
    assert (running.status, running.progress, running.name) == (State.DOWNLOADING, 42, "It's a film")
    assert running.blocked_by is Blocked.NO_PEERS
    assert running.selection == ("*.mkv", "2")
    assert running.has_metadata
    assert (ended.status, ended.seeding) == (State.COMPLETED, True)
    files = await db.run(jobs.files, [running.id])
    assert [(x.path, x.progress, x.wanted) for x in files[running.id]] == [("film/film.mkv", 42.0, True)]
    kept = await db.run(resume.get, running.id)
    assert kept == resume.Resume(b"d\x00\xffe", "2024-05-01T10:01:00+00:00", "boot-1")
    assert await db.run(resume.get_session, "dht") == b"\x00\x01"
    await db.close()


@pytest.mark.parametrize("dump", OLD, ids=lambda x: x.stem)
async def test_an_old_database_becomes_the_same_as_a_new_one(dump, db, tmp_path):
    old = await restore(dump, tmp_path / "old.db")
    assert await old.run(schema) == await db.run(schema)
    await old.close()


async def test_each_step_is_taken_once_and_noted_with_its_time(tmp_path):
    path = tmp_path / "htdl.db"
    await (await Database.open(path, now=NOW)).close()
    db = await Database.open(path, now="later")
    rows = await db.run(lambda raw: raw.execute("SELECT * FROM schema_migrations ORDER BY number").fetchall())
    assert rows == [(n, x.name, NOW) for n, x in enumerate(migrations.MIGRATIONS, start=1)]
    await db.close()


async def test_the_columns_are_the_fields_of_a_job_in_their_order(db):
    columns = await db.run(lambda raw: [x.name for x in raw["download_jobs"].columns])
    assert columns == [x.name for x in dataclasses.fields(Job)]


def test_a_step_that_fails_leaves_nothing_of_itself(monkeypatch):
    broken = migrations.Migration("broken", "CREATE TABLE half (a); CREATE TABLE half (a);")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        db = sqlite_utils.Database(raw)
        with pytest.raises(sqlite3.OperationalError):
            migrations.migrate(db, NOW)
        assert migrations.applied(db) == len(migrations.MIGRATIONS) - 1
        assert not db["half"].exists()


async def test_a_column_of_a_later_minor_version_does_no_harm(db, new_job):
    await db.run(lambda raw: raw.execute("ALTER TABLE download_jobs ADD COLUMN colour TEXT DEFAULT 'red'"))
    await db.run(jobs.insert, new_job(1))
    assert await db.run(jobs.fetch, new_job(1).id) == new_job(1)


async def test_what_hangs_on_a_job_goes_with_it(db, new_job):
    job = new_job(1)

    def fill(raw):
        jobs.insert(raw, job)
        at = {"created_at": NOW, "updated_at": NOW}
        raw["conversions"].insert({"job_id": job.id, "file_index": 0, "status": "DONE"} | at)
        raw["subtitles"].insert({"job_id": job.id, "file_index": 0, "path": "/a.vtt", "origin": "sidecar"})
        raw["cached_videos"].insert(
            {"path": "/a.mp4", "job_id": job.id, "video_id": "v", "bytes": 1, "last_access": NOW}
        )
        jobs.delete(raw, job.id)
        return [raw[x].count for x in ("conversions", "subtitles")], list(raw["cached_videos"].rows)

    counts, cached = await db.run(fill)
    assert counts == [0, 0]
    # the video is still on the disk, and still to be cleaned away one day
    assert [(x["path"], x["job_id"], x["pinned"]) for x in cached] == [("/a.mp4", None, 0)]
