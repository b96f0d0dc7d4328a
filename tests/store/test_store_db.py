import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from htdl.errors import DiskFull, HtdlError
from htdl.store import jobs, resume
from htdl.store.db import Database

NOW = "2024-05-01T10:00:00+00:00"


def pragma(db, name):
    return db.execute(f"PRAGMA {name}").fetchone()[0]


async def fails_to_open(path: Path) -> HtdlError:
    with pytest.raises(HtdlError) as caught:
        await Database.open(path, now=NOW)
    error = caught.value
    assert error.code == "bad_database"
    assert str(path) in error.message
    assert error.hint
    return error


async def test_the_file_and_its_folder_belong_to_this_user_alone(db, tmp_path):
    folder = tmp_path / "state"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await db.run(resume.put_session, "dht", b"x")
    modes = {x.name: stat.S_IMODE(x.stat().st_mode) for x in folder.iterdir()}
    assert modes == dict.fromkeys(("htdl.db", "htdl.db-wal", "htdl.db-shm"), 0o600)


async def test_it_is_durable_and_keeps_its_references(db):
    assert await db.run(pragma, "journal_mode") == "wal"
    assert await db.run(pragma, "synchronous") == 2  # FULL
    assert await db.run(pragma, "foreign_keys") == 1
    assert await db.run(pragma, "busy_timeout") == 5000


async def test_all_work_is_done_in_one_other_thread(db):
    seen = {await db.run(lambda _: threading.get_ident()) for _ in range(3)}
    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def test_a_run_is_exactly_one_transaction(db, new_job):
    statements = []

    def work(raw):
        assert raw.conn.in_transaction
        jobs.insert(raw, new_job(1), resume=resume.Resume(b"x", NOW, None))
        raw["session_state"].insert({"key": "a", "value": b"b"})  # sqlite-utils has transactions of its own
        assert raw.conn.in_transaction

    await db.run(lambda raw: raw.conn.set_trace_callback(statements.append))
    statements.clear()
    await db.run(work)
    ends = [x for x in statements if x.split()[0] in {"BEGIN", "COMMIT", "ROLLBACK"} and "SAVEPOINT" not in x]
    assert ends == ["BEGIN IMMEDIATE", "COMMIT"]


async def test_an_error_rolls_the_whole_run_back(db, new_job):
    def work(raw):
        jobs.insert(raw, new_job(1))
        raise KeyError("anything")

    with pytest.raises(KeyError):
        await db.run(work)
    assert await db.run(jobs.living) == []


async def test_an_error_of_the_commit_itself_rolls_back(db, new_job):
    def work(raw):
        jobs.insert(raw, new_job(1))
        raw.execute("PRAGMA defer_foreign_keys = ON")
        raw.execute("INSERT INTO resume_data VALUES ('nobody', x'', '', NULL)")

    with pytest.raises(sqlite3.IntegrityError):
        await db.run(work)
    assert await db.run(jobs.living) == []
    await db.run(jobs.insert, new_job(1))  # and the connection is of use again


async def test_a_bug_in_sql_stays_a_bug(db):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await db.run(lambda raw: raw.execute("SELECT * FROM no_table"))


async def test_a_cancelled_caller_leaves_whole_transactions(db, new_job):
    started, go_on = threading.Event(), threading.Event()

    def work(raw):
        jobs.insert(raw, new_job(1))
        started.set()
        go_on.wait(30)
        jobs.insert(raw, new_job(2))

    task = asyncio.ensure_future(db.run(work))
    await asyncio.get_running_loop().run_in_executor(None, started.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert len(await db.run(jobs.living)) == 2


async def test_close_finishes_what_was_asked_for_and_may_be_called_again(tmp_path, new_job):
    path = tmp_path / "htdl.db"
    db = await Database.open(path, now=NOW)
    tasks = [asyncio.ensure_future(db.run(jobs.insert, new_job(n))) for n in range(20)]
    await asyncio.sleep(0)  # the tasks hand over their work
    await db.close()
    await db.close()
    await asyncio.gather(*tasks)
    again = await Database.open(path, now=NOW)
    assert len(await again.run(jobs.living)) == 20
    await again.close()
    assert [x.name for x in tmp_path.iterdir()] == ["htdl.db"]


async def test_a_full_disk_says_so_and_keeps_what_was_there(db, new_job):
    await db.run(jobs.insert, new_job(1))
    await db.run(lambda raw: raw.execute(f"PRAGMA max_page_count = {pragma(raw, 'page_count')}"))

    def work(raw):
        jobs.insert(raw, new_job(2))
        resume.put_session(raw, "big", bytes(1 << 20))

    with pytest.raises(DiskFull) as caught:
        await db.run(work)
    assert caught.value.hint
    assert [x.position for x in await db.run(jobs.living)] == [1]


async def test_a_database_held_by_another_program_is_named(db, tmp_path):
    await db.run(lambda raw: raw.execute("PRAGMA busy_timeout = 0"))
    with closing(sqlite3.connect(tmp_path / "state" / "htdl.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HtdlError) as caught:
            await db.run(jobs.living)
    assert caught.value.code == "database_busy"
    assert await db.run(jobs.living) == []


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\0" + bytes(5000)])
async def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "htdl.db"
    path.write_bytes(content)
    await fails_to_open(path)
    assert path.read_bytes() == content
    assert [x.name for x in tmp_path.iterdir()] == ["htdl.db"]


async def test_a_damaged_page_is_found_when_it_is_opened(tmp_path, new_job):
    path = tmp_path / "htdl.db"
    db = await Database.open(path, now=NOW)
    await db.run(lambda raw: [jobs.insert(raw, new_job(n)) for n in range(2000)])
    root, size = await db.run(
        lambda raw: (
            raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'download_jobs'").fetchone()[0],
            pragma(raw, "page_size"),
        )
    )
    await db.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)
    assert "damaged" in (await fails_to_open(path)).message
    assert path.read_bytes() == content


async def test_a_database_of_a_newer_htdl_is_left_as_it_is(tmp_path):
    path = tmp_path / "htdl.db"
    await (await Database.open(path, now=NOW)).close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO schema_migrations VALUES (99, 'later', '')")
    content = path.read_bytes()
    assert "newer" in (await fails_to_open(path)).message
    assert path.read_bytes() == content


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed in /proc")
async def test_a_refused_file_is_closed_at_once(tmp_path):
    path = tmp_path / "htdl.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE bookmarks (url)")
    error = await fails_to_open(path)  # held: it must not be the garbage collection that closes it
    is_open = [x for x in Path("/proc/self/fd").iterdir() if os.path.realpath(x) == os.path.realpath(path)]
    assert error
    assert not is_open


async def test_a_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "htdl.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE bookmarks (url)")
    content = path.read_bytes()
    assert "another program" in (await fails_to_open(path)).message
    assert path.read_bytes() == content


async def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    await fails_to_open(tmp_path / "file" / "htdl.db")
    (tmp_path / "folder").mkdir()
    await fails_to_open(tmp_path / "folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        await fails_to_open(tmp_path / "htdl.db")
    finally:
        tmp_path.chmod(0o700)


async def test_failing_to_open_leaves_no_thread_behind(tmp_path):
    (tmp_path / "htdl.db").write_bytes(b"this is no database" * 500)
    await fails_to_open(tmp_path / "htdl.db")
    workers = [x for x in threading.enumerate() if x.name.startswith("htdl-store")]
    for worker in workers:
        await asyncio.get_running_loop().run_in_executor(None, worker.join, 30)
        assert not worker.is_alive()


# Each transaction writes its number to two jobs, a file and the resume data, then says so on stdout.
WRITER = """
import asyncio, pathlib, sys
from htdl.jobs import Job, JobFile
from htdl.store import jobs, resume
from htdl.store.db import Database

def job(n, name):
    return Job(id=name, video_id="v", torrent_id="t", done_bytes=n)

def step(db, n):
    jobs.update(db, [job(n, "one")])
    jobs.update_files(db, [("one", JobFile(index=0, path="a", size=n))])
    resume.put(db, "one", resume.Resume(bytes(20_000), str(n), None))
    jobs.update(db, [job(n, "two")])
    jobs.insert(db, job(n, f"row {n}"))

async def main():
    db = await Database.open(pathlib.Path(sys.argv[1]), now="")
    await db.run(jobs.insert, job(0, "one"), [JobFile(index=0, path="a", size=0)])
    await db.run(jobs.insert, job(0, "two"))
    n = 0
    while True:
        n += 1
        await db.run(step, n)
        print(n, flush=True)

asyncio.run(main())
"""


def write_and_be_killed(path: Path, wanted: int) -> int:
    """The last number that the child said it had committed; at least `wanted`."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as child:
        said = 0
        while said < wanted:
            said = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        said = max([said, *map(int, child.stdout.read().split(b"\n")[:-1])])
    assert child.returncode == -signal.SIGKILL
    return said


@pytest.mark.parametrize("wanted", [1, 7, 40])
async def test_a_killed_process_leaves_whole_transactions_only(tmp_path, wanted):
    path = tmp_path / "htdl.db"
    said = write_and_be_killed(path, wanted)

    db = await Database.open(path, now=NOW)
    one = await db.run(jobs.fetch, "one")
    two = await db.run(jobs.fetch, "two")
    files = await db.run(jobs.files, ["one"])
    kept = await db.run(resume.get, "one")
    rows = await db.run(jobs.find, "row ", limit=10_000)
    assert await db.run(pragma, "integrity_check") == "ok"
    await db.close()

    assert one.done_bytes >= said
    numbers = {one.done_bytes, two.done_bytes, files["one"][0].size, int(kept.saved_at), len(rows)}
    assert numbers == {one.done_bytes}


async def test_a_read_sees_what_was_committed_before_it_and_waits_for_no_commit(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "htdl.db", now=NOW)
    await db.run(resume.put_session, "dht", b"1")
    busy, done = threading.Event(), threading.Event()

    def slow(raw):
        resume.put_session(raw, "dht", b"2")
        busy.set()
        assert done.wait(30)

    writing = asyncio.create_task(db.run(slow))
    await asyncio.to_thread(busy.wait, 30)
    assert await db.read(resume.get_session, "dht") == b"1"
    done.set()
    await writing
    assert await db.read(resume.get_session, "dht") == b"2"
    await db.close()


async def test_a_read_cannot_write(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "htdl.db", now=NOW)
    with pytest.raises(HtdlError, match="readonly"):
        await db.read(resume.put_session, "dht", b"1")
    await db.close()
