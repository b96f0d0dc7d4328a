from dataclasses import replace

import pytest

from htdl.jobs import CachedVideo, JobFile
from htdl.store import cache, jobs


@pytest.fixture
async def video(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    return CachedVideo(path="/v/ü.mp4", job_id=job.id, video_id="v", bytes=1 << 40, last_access="2024-05-02")


async def put(db, *videos):
    for video in videos:
        await db.run(cache.put, video)


async def test_videos_come_back_the_least_recently_watched_first(db, video):
    older = replace(video, path="/v/b.mp4", last_access="2024-05-01")
    await put(db, video, older)
    assert await db.read(cache.of) == [older, video]


async def test_a_video_takes_the_place_of_what_was_at_its_path(db, video):
    new = replace(video, bytes=5, last_access="2024-05-03")
    await put(db, video, new)
    assert await db.read(cache.of) == [new]


async def test_a_video_of_a_removed_job_is_kept_without_it(db, video):
    await put(db, replace(video, job_id="gone"))
    assert await db.read(cache.of) == [replace(video, job_id=None)]


async def test_the_time_of_the_last_access_only_moves_on(db, video):
    await put(db, video)
    for now in ("2024-05-04", "2024-05-01"):
        await db.run(cache.touch, video.path, now)
    await db.run(cache.touch, "/v/other.mp4", "2024-05-09")
    assert await db.read(cache.of) == [replace(video, last_access="2024-05-04")]


async def test_all_videos_of_a_job_are_pinned_and_unpinned_together(db, video, new_job):
    await db.run(jobs.insert, new_job(2))
    other = replace(video, path="/v/other.mp4", job_id=new_job(2).id)
    await put(db, video, replace(video, path="/v/b.mp4"), other)
    assert await db.run(cache.pin, video.job_id, True) == 2
    assert {x.path: x.pinned for x in await db.read(cache.of)} == {
        video.path: True,
        "/v/b.mp4": True,
        other.path: False,
    }
    await db.run(cache.pin, video.job_id, False)
    assert not any(x.pinned for x in await db.read(cache.of))
    assert await db.run(cache.pin, "no such job", True) == 0


async def test_what_is_made_of_a_pinned_job_later_is_pinned_too(db, video):
    await put(db, video)
    await db.run(cache.pin, video.job_id, True)
    await put(db, video, replace(video, path="/v/b.mp4"))
    assert [x.pinned for x in await db.read(cache.of)] == [True, True]


async def test_what_is_made_of_a_job_that_was_pinned_meanwhile_is_pinned(db, video, new_job):
    await db.run(jobs.update, [replace(new_job(1), pinned=True)])
    await put(db, video, replace(video, path="/v/b.mp4", job_id="gone"))
    assert {x.path: x.pinned for x in await db.read(cache.of)} == {video.path: True, "/v/b.mp4": False}


async def test_a_video_is_forgotten(db, video):
    await put(db, video, replace(video, path="/v/b.mp4"))
    await db.run(cache.forget, video.path)
    assert [x.path for x in await db.read(cache.of)] == ["/v/b.mp4"]


async def test_the_files_of_pinned_jobs_are_told(db, video, new_job):
    file = JobFile(index=0, path="Film/ü.mkv", size=5)
    for number in (2, 3):
        await db.run(jobs.insert, new_job(number, save_path=f"/d/{number}", pinned=number == 3), [file])
    assert await db.read(cache.pinned_sources) == [("/d/3", "Film/ü.mkv")]
