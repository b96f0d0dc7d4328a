"""When the subtitles of a job are made, where, and when they go: real files, and no torrent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from htdl.core import beside
from htdl.core.beside import Stage
from htdl.core.subtitling import AT_ONCE
from htdl.events import Kind
from htdl.jobs import Job, JobFile, State, Subtitle
from htdl.store import jobs as job_rows
from htdl.store import subtitles
from htdl.store.resume import Resume
from tests.core.examples import NOW, job_file, new_job
from tests.core.world import BOOT, World, open_world

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"
FRAMES = b"{24}{48}Hello\n"
FILM = (job_file(0, "film.mkv"), job_file(1, "film.en.srt"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        await world.book.load()
        yield world
        await world.service.subtitling.stop()


async def whole(world: World, *files: JobFile, number: int = 1, video_id: str = "v") -> Job:
    """A job of which all is here; its videos are of no known kind, and its other files are subtitles."""
    home = world.folder / "downloads" / str(number)
    for file in files:
        target = home / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes({".srt": SRT, ".sub": FRAMES}.get(target.suffix, b"\x01rubbish"))
    job = new_job(
        number,
        status=State.CONVERTING,
        metadata_at=NOW,
        video_id=video_id,
        save_path=str(home),
        file_path=str(home / files[0].path),
    )
    await world.db.run(job_rows.insert, job, files, Resume(b"earlier", NOW, BOOT))
    await world.book.load()
    return job


def made(world: World) -> list[str]:
    root = world.config.storage.subtitle_path
    return sorted(str(x.relative_to(root)) for x in root.rglob("*") if x.is_file())


async def rows(world: World, job: Job) -> tuple[Subtitle, ...]:
    return (await world.db.read(subtitles.of, [job.id]))[job.id]


async def settle(world: World, *jobs: Job) -> None:
    """Until nothing more of these is to come."""
    deadline = time.monotonic() + 30
    while True:
        await world.service.subtitling.turn()
        some = [row for job in jobs for row in await rows(world, job)]
        if all(row.origin for row in some):
            return
        assert time.monotonic() < deadline, some


async def test_what_came_with_a_video_is_made_and_told(world: World) -> None:
    job = await whole(world, *FILM)
    await world.service.subtitling.turn()
    (mark,) = (await world.db.run(subtitles.of, [job.id]))[job.id]  # in its turn: before what is made comes
    assert not mark.origin, "a crash finds what is still to come"
    await settle(world, job)
    (row,) = await rows(world, job)
    assert (row.file_index, row.language, row.origin, row.note) == (0, "en", "film.en.srt", "")
    assert made(world) == ["v/en.vtt"]
    assert await world.service.subtitling.kept(job) == (row,)
    await world.until(lambda: world.told(job.id) == [Kind.CHANGED])


async def test_two_jobs_of_one_video_have_folders_of_their_own(world: World) -> None:
    jobs = [await whole(world, *FILM, number=number) for number in (1, 2)]
    await settle(world, *jobs)
    assert made(world) == ["v (2)/en.vtt", "v/en.vtt"]
    await world.service.delete_payload(jobs[0])
    assert made(world) == ["v (2)/en.vtt"]


async def test_the_files_of_a_few_videos_are_read_at_a_time(world: World) -> None:
    episodes = [job_file(2 * x, f"e{x}.mkv") for x in range(AT_ONCE + 2)]
    job = await whole(world, *episodes, *(job_file(2 * x + 1, f"e{x}.en.srt") for x in range(AT_ONCE + 2)))
    others = len(asyncio.all_tasks())
    await world.service.subtitling.turn()
    await world.until(lambda: len(asyncio.all_tasks()) <= others)
    assert len(made(world)) == AT_ONCE
    await settle(world, job)
    assert len(made(world)) == len(episodes)


async def test_what_is_just_being_made_goes_with_its_job(world: World) -> None:
    job = await whole(world, *FILM)
    await world.service.subtitling.turn()
    world.book.changed.clear()
    await world.service.subtitling.delete(job)
    async with asyncio.timeout(30):
        await world.book.changed.wait()  # it was made, and found its job gone
    assert made(world) == []
    assert await rows(world, job) == ()


async def test_another_selection_has_other_folders(world: World) -> None:
    series = (job_file(0, "e1.mkv"), job_file(1, "e1.en.srt"), job_file(2, "e2.mkv", wanted=False))
    job = await whole(world, *series)
    await settle(world, job)
    assert made(world) == ["v/en.vtt"]
    await world.book.change(job.id, files=[job_file(x.index, x.path) for x in series])
    await settle(world, job)
    assert made(world) == ["v/e1/en.vtt"]
    assert [x.path.rpartition("/v/")[2] for x in await rows(world, job)] == ["e1/en.vtt"]


async def test_what_seeds_is_left_alone(world: World) -> None:
    for number in range(1, 4):
        job = await whole(world, *FILM, number=number)
        await world.book.change(job.id, status=State.COMPLETED, seeding=True)
    await world.service.subtitling.turn()
    assert made(world) == []
    assert await world.db.read(subtitles.every) == {}


# what lies beside a video


def test_each_of_several_videos_has_a_folder() -> None:
    paths = [
        "a/One.mkv",
        "b/one.mkv",
        "c/. .mkv",
        "d/\x1b[2J.tracks.mkv",
        f"e/{'é' * 200}.mkv",
        "f/.hidden.mkv",
    ]
    files = [job_file(index, path) for index, path in enumerate(paths)]
    names = [x.folder.name for x in beside.plan(files, Path("/d"), Path("/s/v"))]
    assert names == ["One", "one (2)", "video", "[2J.tracks", "é" * 100, "hidden"]
    assert [x.folder for x in beside.plan(files[:1], Path("/d"), Path("/s/v"))] == [Path("/s/v")]


def test_what_the_rows_say_is_done_is_done(tmp_path: Path) -> None:
    files = [job_file(0, "f.mkv"), job_file(1, "f.en.srt"), job_file(2, "f.de.srt")]
    (one,) = beside.plan(files, Path("/d"), tmp_path)
    english, track, lost = (
        Subtitle(file_index=0, path=str(tmp_path / "en.vtt"), origin="f.en.srt"),
        Subtitle(file_index=0, path=str(tmp_path / "fre.vtt"), origin="track 2 (subrip)"),
        Subtitle(file_index=0, path="0/track 3 (pgs)", origin="track 3 (pgs)", note="pictures"),
    )
    for row in (english, track):
        Path(row.path).write_bytes(b"WEBVTT\n")
    found = beside.known(one, [english, track, lost])
    assert (found.stage, found.tracks, found.files) == (Stage.ALL, (track, lost), {1: english})
    assert not found.is_complete, "a file that is chosen since is missing"
    assert beside.known(one, [english, track, beside.mark(0)]).stage is Stage.NOTHING
    assert beside.known(one, []).stage is Stage.NOTHING
    Path(english.path).unlink()
    found = beside.known(one, [english, track, lost])
    assert (found.stage, found.files) == (Stage.ALL, {}), "its tracks are not read again"
    Path(track.path).unlink()
    found = beside.known(one, [english, track, lost])
    assert (found.stage, found.tracks) == (Stage.NOTHING, (lost,))


def test_a_file_that_counts_frames_is_read_again_when_their_rate_is_known() -> None:
    (one,) = beside.plan(
        [job_file(0, "f.mkv"), job_file(1, "f.sub"), job_file(2, "f.srt")], Path("/d"), Path("/s")
    )
    read = {index: Subtitle(file_index=0, path=f"/s/{index}.vtt", origin="x") for index in (1, 2)}
    video = beside.Video(one, Stage.NOTHING, (), read)
    assert beside.without_guesses(video, None) == read
    assert beside.without_guesses(video, 25.0) == {2: read[2]}
    video.frame_rate = 25.0
    assert beside.without_guesses(video, 25.0) == read
