import dataclasses
import sqlite3
from dataclasses import replace

import pytest

from htdl.jobs import Blocked, Job, JobFile, JobQuery, Narrow, Sort, State, Wanted, Wish
from htdl.store import jobs

FULL = Job(
    id="0b0e6d0a-3c55-4f0e-9c43-6a3f5f2f8f10",
    video_id="v",
    torrent_id="t",
    status=State.FAILED,
    progress=99,
    download_speed=1 << 40,
    eta_seconds=7,
    file_path="/srv/ü '%_.mkv",
    error_message="it\nbroke",
    created_at="c",
    updated_at="u",
    completed_at="d",
    source="magnet:?xt=…",
    info_hash="a" * 40,
    info_hash_v2="b" * 64,
    name="name",
    wish=Wish.CANCEL,
    priority=-3,
    position=9,
    detail="detail",
    blocked_by=Blocked.DISK_FULL,
    total_bytes=1 << 62,
    done_bytes=3,
    upload_speed=4,
    uploaded_bytes=5,
    peers=6,
    error_code="io_error",
    attempts=2,
    save_path="/srv",
    selection=('*"é.mkv', "3"),
    max_download_speed=10,
    max_upload_speed=11,
    seeding=True,
    delete_data=True,
    pinned=True,
    metadata_at="m",
    wanted=Wanted(format="webm", codec="av1", audio=("deu", "eng"), output="/films", keep=True),
)


async def put(db, *some):
    await db.run(lambda raw: [jobs.insert(raw, x) for x in some])


def positions(found):
    return [x.position for x in found]


async def test_every_field_comes_back_with_its_type(db, new_job):
    assert all(getattr(FULL, x.name) != x.default for x in dataclasses.fields(Job))
    for job in (FULL, new_job(1)):
        await put(db, job)
        found = await db.run(jobs.fetch, job.id)
        assert found == job
        for field in dataclasses.fields(Job):
            assert type(getattr(found, field.name)) is type(getattr(job, field.name)), field.name
    assert await db.run(jobs.fetch, "nobody") is None


async def test_an_update_writes_whole_rows_of_jobs_that_are_there(db, new_job):
    await put(db, FULL, new_job(1), new_job(2))
    after = [replace(new_job(1), status=State.DOWNLOADING, seeding=True), replace(FULL, selection=())]
    await db.run(jobs.update, [*after, new_job(3)])
    found = await db.run(jobs.find, "", limit=10)
    assert sorted(found, key=str) == sorted([*after, new_job(2)], key=str)


async def test_an_id_can_be_there_only_once(db, new_job):
    await put(db, new_job(1))
    with pytest.raises(sqlite3.IntegrityError):
        await put(db, new_job(1))


async def test_a_prefix_finds_ids_and_nothing_in_it_is_special(db, new_job):
    names = ["a%b", "a_b", "axb", "ab", "b"]
    await put(db, *(new_job(n, id=name) for n, name in enumerate(names)))

    async def found(prefix, limit=10):
        return [x.id for x in await db.run(jobs.find, prefix, limit=limit)]

    assert await found("a") == ["a%b", "a_b", "ab", "axb"]
    assert await found("a", limit=2) == ["a%b", "a_b"]
    assert await found("a%") == ["a%b"]
    assert await found("a_") == ["a_b"]
    assert await found("ab") == ["ab"]
    assert len(await found("")) == 5
    for nothing in ("c", "A", "%", "\0", "é", "\udc80", "a'; --"):
        assert await found(nothing) == []


async def test_the_list_has_running_then_waiting_then_the_newest_ended(db, new_job):
    await put(
        db,
        new_job(10, status=State.CANCELLED, updated_at="2024-01-03", priority=-9),
        new_job(9, status=State.COMPLETED, updated_at="2024-01-01", priority=9),
        new_job(8, status=State.FAILED, updated_at="2024-01-02"),
        new_job(7, status=State.PENDING, updated_at="2025-01-01"),
        new_job(6, status=State.PAUSED),
        new_job(5, status=State.PENDING, priority=1),
        new_job(4, status=State.DOWNLOADING, priority=-1),
        new_job(3, status=State.CONVERTING),
        new_job(2, status=State.DOWNLOADING),
        new_job(1, status=State.DOWNLOADING, priority=-1),
    )
    everything = [2, 3, 1, 4, 5, 6, 7, 10, 8, 9]
    assert positions(await db.run(jobs.listing, JobQuery())) == everything
    assert positions(await db.run(jobs.listing, JobQuery(limit=4))) == everything[:4]
    assert await db.run(jobs.listing, JobQuery(limit=0)) == []
    assert await db.run(jobs.count, JobQuery(limit=4)) == 10

    some = JobQuery(status=(State.FAILED, State.DOWNLOADING), limit=2)
    assert positions(await db.run(jobs.listing, some)) == [2, 1]
    assert await db.run(jobs.count, some) == 4

    named = JobQuery(ids=(new_job(8).id, new_job(3).id, "nobody"))
    assert positions(await db.run(jobs.listing, named)) == [3, 8]
    assert await db.run(jobs.count, replace(named, status=(State.FAILED,))) == 1


async def test_those_that_seed_live_on(db, new_job):
    states = dict(enumerate(State, start=1))
    await put(db, *(new_job(n, status=state) for n, state in states.items()))
    await put(db, new_job(90, status=State.COMPLETED, seeding=True))
    found = positions(await db.run(jobs.living))
    not_ended = {n for n, state in states.items() if state not in {"COMPLETED", "FAILED", "CANCELLED"}}
    assert set(found) == not_ended | {90}
    assert found[-1] == 90


async def test_a_torrent_is_known_by_either_hash_in_either_column(db, new_job):
    one, two = "1" * 40, "2" * 64
    await put(
        db,
        new_job(1, info_hash=one, info_hash_v2=two, created_at="2024-01-01"),  # a hybrid
        new_job(2, info_hash=two, created_at="2024-01-03"),  # its v2 magnet
        new_job(3, info_hash=one, created_at="2024-01-02"),  # its v1 magnet
        new_job(4, info_hash=one, created_at="2024-01-03"),  # as new as number 2, but added after it
        new_job(5, info_hash=""),  # not known yet
    )
    assert positions(await db.run(jobs.same_torrent, one, two)) == [4, 2, 3, 1]
    assert positions(await db.run(jobs.same_torrent, one, None)) == [4, 3, 1]
    assert positions(await db.run(jobs.same_torrent, two, None)) == [2, 1]
    assert await db.run(jobs.same_torrent, "3" * 40, "") == []
    assert await db.run(jobs.same_torrent, "", None) == []


async def test_a_video_is_its_living_job_else_its_newest(db, new_job):
    ended = [
        new_job(1, video_id="v", status=State.COMPLETED, created_at="2024-01-01"),
        new_job(2, video_id="v", status=State.FAILED, created_at="2024-01-03"),
        new_job(3, video_id="v", status=State.COMPLETED, created_at="2024-01-02"),
        new_job(4, video_id="w", created_at="2024-01-09"),
    ]
    await put(db, *ended)
    assert (await db.run(jobs.by_video, "v")).position == 2
    await put(db, new_job(5, video_id="v", status=State.PAUSED, created_at="2023-01-01"))
    assert (await db.run(jobs.by_video, "v")).position == 5
    assert await db.run(jobs.by_video, "nobody") is None


async def test_the_next_position_is_behind_all_others(db, new_job):
    assert await db.run(jobs.next_position) == 1
    await put(db, new_job(7), new_job(3, status=State.FAILED))
    assert await db.run(jobs.next_position) == 8


async def test_files_are_kept_replaced_updated_and_removed(db, new_job):
    a, b = new_job(1).id, new_job(2).id
    file = JobFile(index=2, path="dir/ü.mkv", size=1 << 40, wanted=False, progress=12.5, output="/x.mp4")
    other = JobFile(index=0, path="a", size=0)
    await db.run(jobs.insert, new_job(1), [file, other])
    await db.run(jobs.insert, new_job(2))
    assert await db.run(jobs.files, [b, a]) == {a: (other, file), b: ()}

    whole = replace(file, progress=100.0, wanted=True, output=None)
    await db.run(jobs.update_files, [(a, whole), (a, replace(file, index=7)), ("nobody", file)])
    assert await db.run(jobs.files, [a, "nobody"]) == {a: (other, whole), "nobody": ()}

    await db.run(jobs.put_files, a, [file])
    assert await db.run(jobs.files, [a]) == {a: (file,)}
    await db.run(jobs.delete, a)
    assert await db.run(jobs.files, [a]) == {a: ()}
    assert await db.run(jobs.fetch, a) is None
    assert await db.run(jobs.files, []) == {}


async def test_totals_of_nothing_are_known(db):
    totals = await db.run(jobs.totals)
    assert totals.by_status == {str(state): 0 for state in State}
    assert (totals.success_rate, totals.average_seconds) == (None, None)
    assert (totals.downloaded_bytes, totals.uploaded_bytes) == (0, 0)


async def test_jobs_without_a_torrent_have_none_in_common(db, new_job):
    await put(db, new_job(1, info_hash=""), new_job(2, info_hash=""), new_job(3))
    assert await db.run(jobs.same_torrent, "", None) == []
    assert await db.run(jobs.same_torrent, new_job(3).info_hash, None) == [new_job(3)]


async def test_a_file_that_was_here_already_was_not_downloaded(db, new_job):
    await put(db, new_job(1, info_hash="", done_bytes=900), new_job(2, done_bytes=6))
    assert (await db.run(jobs.totals)).downloaded_bytes == 6


async def test_totals_count_all_rows(db, new_job):
    start = "2024-01-01T00:00:00+00:00"
    await put(
        db,
        new_job(1, status=State.COMPLETED, created_at=start, completed_at="2024-01-01T00:01:00.500000+00:00"),
        new_job(2, status=State.COMPLETED, created_at=start, completed_at="2024-01-01T00:00:30Z"),
        new_job(3, status=State.FAILED, created_at=start, completed_at="2024-01-09T00:00:00Z", done_bytes=5),
        new_job(4, status=State.CANCELLED, uploaded_bytes=7),
        new_job(5, status=State.DOWNLOADING, done_bytes=6, uploaded_bytes=1),
    )
    totals = await db.run(jobs.totals)
    assert totals.by_status["COMPLETED"] == 2
    assert totals.by_status["PENDING"] == 0
    assert totals.success_rate == 50.0
    assert totals.average_seconds == 45.25
    assert (totals.downloaded_bytes, totals.uploaded_bytes) == (11, 8)


async def test_ended_jobs_of_a_removed_folder_have_no_path(db, new_job):
    at = {"file_path": "/srv/v/a.mkv", "save_path": "/srv/v"}
    await put(
        db,
        new_job(1, status=State.COMPLETED, **at),
        new_job(2, status=State.DOWNLOADING, **at),
        new_job(3, status=State.COMPLETED, file_path="/srv/w/a.mkv", save_path="/srv/w"),
        new_job(4, status=State.COMPLETED, info_hash="", **at),  # its result lies elsewhere
    )
    await db.run(jobs.forget_paths, "/srv/v")
    found = await db.run(jobs.find, "", limit=10)
    assert [x.file_path for x in found] == [None, "/srv/v/a.mkv", "/srv/w/a.mkv", "/srv/v/a.mkv"]


ACTIVE = """
-- Check active downloads
SELECT id, video_id, status, progress, download_speed, eta_seconds
FROM download_jobs
WHERE status = 'DOWNLOADING'
ORDER BY created_at DESC;
"""
SUCCESS_RATE = """
-- Check download success rate
SELECT status, COUNT(*) as count
FROM download_jobs
GROUP BY status;
"""
FAILED = """
-- Find failed downloads
SELECT id, video_id, error_message, created_at
FROM download_jobs
WHERE status = 'FAILED'
ORDER BY created_at DESC
LIMIT 10;
"""


async def test_the_queries_of_the_original_service_run_as_written(db, new_job):
    def rows(raw, sql):
        return [dict(x) for x in raw.query(sql)]

    await put(
        db,
        new_job(1, status=State.DOWNLOADING, progress=5, download_speed=9, created_at="2024-01-01"),
        new_job(2, status=State.DOWNLOADING, created_at="2024-01-02"),
        *(
            new_job(n, status=State.FAILED, error_message=f"e{n}", created_at=f"2024-01-{n:02}")
            for n in range(3, 15)
        ),
    )
    active = await db.run(rows, ACTIVE)
    assert [x["video_id"] for x in active] == ["video-2", "video-1"]
    assert active[1] == {
        "id": new_job(1).id,
        "video_id": "video-1",
        "status": "DOWNLOADING",
        "progress": 5,
        "download_speed": 9,
        "eta_seconds": -1,
    }
    rate = await db.run(rows, SUCCESS_RATE)
    assert sorted((x["status"], x["count"]) for x in rate) == [("DOWNLOADING", 2), ("FAILED", 12)]
    failed = await db.run(rows, FAILED)
    assert [x["error_message"] for x in failed] == [f"e{n}" for n in range(14, 4, -1)]


async def test_a_list_is_narrowed_by_the_words_that_people_see(db, new_job):
    await put(
        db,
        new_job(1, status=State.DOWNLOADING),
        new_job(2, status=State.DOWNLOADING, wish=Wish.PAUSE),
        new_job(3, status=State.CONVERTING, wish=Wish.CANCEL),
        new_job(4, status=State.PENDING, wish=Wish.CANCEL),
        new_job(5, status=State.PAUSED, wish=Wish.PAUSE),
        new_job(6, status=State.COMPLETED, seeding=True, file_path="/there"),
        new_job(7, status=State.COMPLETED, file_path=None),
        new_job(8, status=State.CANCELLED, wish=Wish.CANCEL),
    )

    async def listed(watchable=(), **query):
        asked = JobQuery(**query)
        found = await db.run(jobs.listing, asked, watchable)
        assert await db.run(jobs.count, asked, watchable) == len(found)
        return sorted(positions(found))

    assert await listed(status=(Narrow.ACTIVE,)) == [1, 2, 3, 6]
    assert await listed(status=(Narrow.SEEDING,)) == [6]
    assert await listed(status=(Narrow.PAUSING,)) == [2]
    assert await listed(status=(Narrow.CANCELLING,)) == [3, 4]
    assert await listed(status=(Narrow.SEEDING, State.PAUSED)) == [5, 6]
    assert await listed(ready=True) == [6]
    assert await listed([new_job(2).id], ready=True) == [2, 6]
    assert await listed([new_job(2).id], ready=True, status=(State.DOWNLOADING,)) == [2]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("film", ["Film ÄÖ.mkv", "a film [1080p].mkv"]),
        ("äö", ["Film ÄÖ.mkv"]),
        ("film*", ["Film ÄÖ.mkv"]),
        ("*.MKV", ["Film ÄÖ.mkv", "a film [1080p].mkv"]),
        ("s0[12]e??", ["S01E02", "s02e11"]),
        ("100%", ["100%"]),
        ("'; --", []),
        ("[", []),
        ("\0", []),
    ],
)
async def test_a_list_is_narrowed_by_name(db, new_job, wanted, names):
    every = ["Film ÄÖ.mkv", "a film [1080p].mkv", "S01E02", "s02e11", "100%", "100x"]
    await put(db, *(new_job(n, name=x) for n, x in enumerate(every)))
    found = await db.run(jobs.listing, JobQuery(name=wanted))
    assert sorted(x.name for x in found) == sorted(names)
    assert await db.read(jobs.count, JobQuery(name=wanted)) == len(names), "on the other connection too"


async def test_a_pattern_of_many_stars_takes_no_time(db, new_job):
    await put(db, new_job(1, name="a" * 255))
    assert await db.run(jobs.listing, JobQuery(name="*a" * 90 + "b")) == []


async def test_a_list_is_in_the_order_that_is_asked_for(db, new_job):
    await put(
        db,
        new_job(1, name="b", total_bytes=10, done_bytes=9, eta_seconds=-1, created_at="3"),
        new_job(2, name="C", total_bytes=30, done_bytes=3, eta_seconds=5, download_speed=2, created_at="1"),
        new_job(3, name="a", progress=50, eta_seconds=1, upload_speed=9, created_at="2"),
        new_job(
            4, name="d", status=State.COMPLETED, eta_seconds=0, total_bytes=20, done_bytes=20, created_at="0"
        ),
    )

    async def listed(sort, **query):
        return positions(await db.run(jobs.listing, JobQuery(sort=sort, **query)))

    assert await listed(Sort.NAME) == [3, 1, 2, 4]
    assert await listed(Sort.PROGRESS) == [4, 1, 3, 2]
    assert await listed(Sort.SPEED) == [3, 2, 1, 4], "equal ones in the usual order"
    assert await listed(Sort.ETA) == [3, 2, 1, 4], "unknown last"
    assert await listed(Sort.ETA, reverse=True) == [2, 3, 1, 4], "unknown last"
    assert await listed(Sort.ADDED) == [1, 3, 2, 4]
    assert await listed(Sort.SIZE) == [2, 4, 1, 3]
    assert await listed(Sort.SIZE, reverse=True, limit=2) == [3, 1]


async def test_names_are_in_the_order_in_which_people_number_them(db, new_job):
    names = ["Äpfel", "zebra", "S01E10", "s01e9", "S01E2", "10", "9", "äpfel 2", ""]
    await put(db, *(new_job(n, name=x) for n, x in enumerate(names)))
    found = await db.run(jobs.listing, JobQuery(sort=Sort.NAME))
    assert [x.name for x in found] == ["", "9", "10", "S01E2", "s01e9", "S01E10", "zebra", "Äpfel", "äpfel 2"]


@pytest.mark.parametrize("status", [(), (State.CANCELLED,), (Narrow.SEEDING, State.PENDING)])
async def test_a_page_of_a_long_list_is_walked_not_sorted(db, status):
    """With ten thousand jobs that is 1 ms; to sort them takes 10."""
    query = JobQuery(status=status)

    def plan(raw):
        sql = f"EXPLAIN QUERY PLAN {jobs._SELECT}{jobs._where(raw, query)}{jobs._order(raw, query)} LIMIT 100"
        return [row[3] for row in raw.execute(sql, jobs._asked(query, ()))]

    steps = await db.run(plan)
    assert "SCAN download_jobs USING INDEX download_jobs_listing" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.fixture
async def many(db, new_job):
    states = list(State)
    some = [
        new_job(n, status=states[n % 7], priority=n % 5, updated_at=f"{n * 7919 % 10_000:05}")
        for n in range(10_000)
    ]
    await put(db, *some)
    return some


async def test_ten_thousand_jobs_are_found_whole(db, many):
    ids = [x.id for x in many]
    assert len(await db.run(jobs.listing, JobQuery(ids=tuple(ids)))) == 10_000
    await db.run(jobs.put_files, ids[-1], [JobFile(index=0, path="a", size=1)])
    files = await db.run(jobs.files, ids)
    assert list(files) == ids
    assert [len(x) for x in files.values()] == [0] * 9_999 + [1]
