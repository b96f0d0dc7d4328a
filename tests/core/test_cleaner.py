"""Real files, a real database: what goes from the disk, and what the rows say then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from htdl.core import cleaner
from htdl.core.admission import free_bytes
from htdl.core.cleaner import Cleaner
from htdl.jobs import CachedVideo, Conversion, ConversionState, Job, JobFile, State, Subtitle, Wanted
from htdl.store import cache, conversions, subtitles
from htdl.store import jobs as rows
from tests.core.examples import NOW, job_file, new_job
from tests.core.world import World, open_world

TODAY = datetime(2024, 5, 31, 12, tzinfo=UTC)
OLD = "2024-04-01T10:00:00.000+00:00"  # 60 days before
NEW = "2024-05-31T10:00:00.000+00:00"
SIZE = 1 << 20


class Cache:
    """A world with videos in its cache; `open` are the paths that somebody watches."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open: set[str] = set()
        self.lacking: int | None = None  # so many bytes more are wanted than are free
        self.cleaner = self.new_cleaner(self.open.__contains__)

    def new_cleaner(self, in_use: Callable[[str], bool], settle_seconds: float = 0.0) -> Cleaner:
        world = self.world
        return Cleaner(
            world.db,
            world.book,
            lambda: world.config,
            in_use,
            self.needs,
            lambda: TODAY,
            settle_seconds,
        )

    async def needs(self) -> list[int]:
        return [] if self.lacking is None else [free_bytes(self.base) + self.lacking]

    @property
    def base(self) -> Path:
        return self.world.config.storage.base_path

    async def keep(self, number: int = 1, watched: str = OLD, count: int = 1, **changes: object) -> Job:
        """A complete job of so many films, each converted, with a subtitle."""
        job = self.job(number, **changes)
        files = [job_file(x, f"Film/film{x}.mkv", SIZE) for x in range(count)]
        files.append(job_file(count, "Film/about.nfo", 10))
        await self.world.db.run(rows.insert, job, files)
        for file in files:
            write(Path(job.save_path) / file.path, file.size)
        for file in files[:count]:
            await self._convert(job, file, watched)
        return job

    def job(self, number: int, **changes: object) -> Job:
        save_path = self.world.config.torrent.download_path / f"video-{number}"
        values: dict[str, object] = {
            "status": State.COMPLETED,
            "save_path": str(save_path),
            "file_path": str(self.base / f"video-{number}" / "film0.mp4"),
            "metadata_at": NOW,
        }
        return new_job(number, **(values | changes))

    async def _convert(self, job: Job, file: JobFile, watched: str) -> None:
        output = str(self.base / job.video_id / f"film{file.index}.mp4")
        write(Path(output), SIZE)
        done = Conversion(file_index=file.index, status=ConversionState.DONE, output=output)
        await self.world.db.run(conversions.put, job.id, done)
        video = CachedVideo(
            path=output, job_id=job.id, video_id=job.video_id, bytes=SIZE, last_access=watched
        )
        await self.world.db.run(cache.put, video)
        folder = self.world.config.storage.subtitle_path / job.video_id
        subtitle = Subtitle(
            file_index=file.index, path=str(folder / f"{file.index}.en.vtt"), origin="track 2"
        )
        write(Path(subtitle.path), 10)
        await self.world.db.run(subtitles.replace_all, job.id, file.index, [subtitle])

    async def sweep(self, **limits: object) -> list[str]:
        """The names of what went."""
        self.world.configure(cache={"ttl_days": 30} | limits)
        return [Path(x.video.path).name for x in await self.cleaner.sweep()]

    async def cached(self) -> list[str]:
        return [Path(x.path).name for x in await self.world.db.read(cache.of)]

    async def file_path(self, job: Job) -> str | None:
        row = await self.world.row(job.id)
        assert row
        return row.file_path


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Cache]:
    async with open_world(tmp_path) as world:
        yield Cache(world)


async def test_what_nobody_watches_goes_with_all_that_hangs_on_it(
    kept: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old, new = await kept.keep(1), await kept.keep(2, watched=NEW)
    assert sorted(await kept.sweep()) == ["0.en.vtt", "about.nfo", "film0.mkv", "film0.mp4"]
    assert not Path(old.save_path).exists()
    assert not (kept.base / old.video_id).exists()
    assert kept.base.is_dir()
    assert await kept.cached() == ["film0.mp4"]
    assert await kept.file_path(old) is None
    assert (await kept.world.db.read(subtitles.of, [old.id]))[old.id] == ()
    [conversion] = (await kept.world.db.read(conversions.of, [old.id]))[old.id]
    assert (conversion.status, conversion.output) == (ConversionState.DONE, None)
    path = new.file_path
    assert path
    assert await kept.file_path(new) == path
    assert Path(path).exists()
    assert f"kind=result job={old.id} bytes={SIZE} reason='not watched for 60 days'" in caplog.text
    assert await kept.sweep() == []


async def test_what_is_kept_and_would_go_is_told_before_it_goes(kept: Cache) -> None:
    await kept.keep(1)
    pinned = await kept.keep(2)
    await kept.world.db.run(cache.pin, pinned.id, True)
    told = await kept.cleaner.holding()
    assert (told.videos, told.removable_bytes > 2 * SIZE) == (2, True)
    assert 2 * SIZE <= told.pinned_bytes < told.bytes
    assert await kept.sweep()
    left = await kept.cleaner.holding()
    assert (left.videos, left.bytes, left.removable_bytes) == (1, told.bytes - told.removable_bytes, 0)


async def test_over_the_quota_the_source_of_a_converted_job_goes_first(kept: Cache) -> None:
    old, seeding = await kept.keep(1, watched=NEW), await kept.keep(2, seeding=True)
    await kept.world.book.load()
    assert await kept.sweep(ttl_days=0, max_size="3.5MiB") == ["film0.mkv"]
    assert await kept.file_path(old) == old.file_path
    assert (Path(seeding.save_path) / "Film/film0.mkv").exists()
    assert (Path(old.save_path) / "Film/about.nfo").exists(), "a side file stays with its job"


@pytest.fixture
def _quiet_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One to which nobody else writes meanwhile."""
    found = os.statvfs("/")
    monkeypatch.setattr(os, "statvfs", lambda path: found)


@pytest.mark.usefixtures("_quiet_disk")
async def test_where_the_disk_is_short_only_sources_of_what_is_converted_go(
    kept: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    jobs = [await kept.keep(1, watched=NEW), await kept.keep(2, watched=OLD)]
    plain = await kept.keep(3, watched=OLD, info_hash="3" * 40)
    Path(str(plain.file_path)).unlink()  # its source is all there is of it
    pinned = await kept.keep(4)
    await kept.world.db.run(cache.pin, pinned.id, True)
    kept.lacking = SIZE // 2
    kept.world.configure(cache={"ttl_days": 0})
    assert (await kept.cleaner.holding()).removable_bytes == SIZE
    assert await kept.sweep(ttl_days=0) == ["film0.mkv"]
    assert [(Path(x.save_path) / "Film/film0.mkv").exists() for x in jobs] == [True, False]
    assert "reason='the disk is short of room: source of what is converted'" in caplog.text
    kept.lacking = 64 * SIZE
    assert await kept.sweep(ttl_days=0) == [], "in vain"
    kept.lacking = None
    kept.world.configure(cache={"ttl_days": 0}, storage={"min_free": "1000TiB"})
    assert [x.video.path for x in await kept.cleaner.sweep()] == [
        str(Path(jobs[0].save_path) / "Film/film0.mkv")
    ]
    assert [Path(str(x.file_path)).exists() for x in (*jobs, pinned)] == [True] * 3
    assert (Path(plain.save_path) / "Film/film0.mkv").exists()
    assert (Path(pinned.save_path) / "Film/film0.mkv").exists()


@pytest.mark.usefixtures("_quiet_disk")
async def test_a_disk_that_becomes_short_is_noticed(kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner, "ROOM_SECONDS", 0.05)
    await kept.world.book.load()
    source = Path((await kept.keep(1, watched=NEW)).save_path) / "Film/film0.mkv"
    async with running(kept.cleaner):
        await asyncio.sleep(0.2)  # nothing to wait for: nothing is to happen
        assert source.exists()
        kept.lacking = SIZE // 2
        await kept.world.until(lambda: not source.exists())


async def test_a_source_that_is_to_be_kept_stays_as_long_as_its_result(kept: Cache) -> None:
    first, second = await kept.keep(1, wanted=Wanted(keep=True)), await kept.keep(2, watched=NEW)
    sources = [Path(x.save_path) / "Film/film0.mkv" for x in (first, second)]
    await kept.sweep(ttl_days=0, max_size="3.5MiB")
    assert [x.exists() for x in sources] == [True, False]
    Path(str(first.file_path)).unlink()
    await kept.sweep(ttl_days=0, max_size="1.5MiB")
    assert not sources[0].exists()


async def test_a_job_whose_source_goes_names_its_result(kept: Cache) -> None:
    job = kept.job(1)
    source = str(Path(job.save_path) / "Film/film0.mkv")
    job = await kept.keep(1, watched=NEW, file_path=source)
    assert await kept.sweep(max_size="1.5MiB") == ["film0.mkv"]
    assert await kept.file_path(job) == str(kept.base / "video-1" / "film0.mp4")


async def test_what_seeds_stays_and_goes_in_its_turn(kept: Cache) -> None:
    job = await kept.keep(1, seeding=True)
    await kept.world.book.load()
    assert await kept.sweep() == ["film0.mp4"]
    source = Path(job.save_path) / "Film/film0.mkv"
    assert await kept.file_path(job) == str(source)
    assert await kept.cached() == ["film0.mkv"]
    assert (kept.world.config.storage.subtitle_path / job.video_id / "0.en.vtt").exists()
    await kept.world.book.change(job.id, seeding=False)
    assert sorted(await kept.sweep()) == ["0.en.vtt", "about.nfo", "film0.mkv"]
    assert await kept.file_path(job) is None
    assert await kept.cached() == []


async def test_what_is_pinned_watched_or_being_made_stays(kept: Cache) -> None:
    pinned, open_one, made = await kept.keep(1), await kept.keep(2), await kept.keep(3)
    await kept.world.db.run(cache.pin, pinned.id, True)
    kept.open |= {str(open_one.file_path), str(Path(open_one.save_path) / "Film/film0.mkv")}
    again = Conversion(file_index=0, status=ConversionState.RUNNING, output=made.file_path)
    await kept.world.db.run(conversions.put, made.id, again)
    assert await kept.sweep(max_size=1) == []
    kept.open.clear()
    assert "film0.mp4" in await kept.sweep()


async def test_each_video_of_a_series_goes_in_its_own_time(kept: Cache) -> None:
    job = await kept.keep(1, count=2)
    await kept.world.db.run(cache.touch, str(kept.base / "video-1" / "film1.mp4"), NEW)
    assert sorted(await kept.sweep()) == ["0.en.vtt", "film0.mkv", "film0.mp4"]
    assert await kept.file_path(job) == str(kept.base / "video-1" / "film1.mp4")


async def test_what_is_linked_takes_its_room_once(kept: Cache) -> None:
    job = await kept.keep(1)
    result, source = Path(str(job.file_path)), Path(job.save_path) / "Film/film0.mkv"
    source.unlink()
    os.link(result, source)
    assert await kept.sweep(ttl_days=0, max_size="1.5MiB") == []
    assert {"film0.mp4", "film0.mkv"} <= set(await kept.sweep(ttl_days=0, max_size="0.5MiB"))


async def test_a_file_outside_the_folders_of_the_cache_is_never_touched(kept: Cache, tmp_path: Path) -> None:
    own = write(tmp_path / "films" / "mine.mkv", SIZE)
    job = await kept.keep(1, info_hash="", save_path=str(own.parent))
    lost = [
        str(write(tmp_path / "elsewhere" / "v" / "a.mp4", SIZE)),
        str(kept.base / ".." / "films" / "mine.mkv"),
        str(kept.base / "v" / ".." / ".." / "films" / "mine.mkv"),
        str(write(kept.base / "flat.mp4", SIZE)),
    ]
    for path in lost:
        video = CachedVideo(path=path, job_id=job.id, video_id="v", bytes=1, last_access=OLD)
        await kept.world.db.run(cache.put, video)
    assert await kept.sweep() == ["film0.mp4", "0.en.vtt"]
    assert own.exists()
    assert (own.parent / "Film/film0.mkv").exists(), "what a conversion read where its owner keeps it"
    assert Path(lost[0]).exists()


async def test_a_source_outside_the_download_folder_is_never_touched(kept: Cache, tmp_path: Path) -> None:
    await kept.keep(1, save_path=str(tmp_path / "films"))
    assert await kept.sweep() == ["film0.mp4", "0.en.vtt"]
    assert (tmp_path / "films" / "Film/film0.mkv").exists()


async def test_what_a_job_without_a_torrent_has_read_is_never_touched(kept: Cache) -> None:
    job = await kept.keep(1, info_hash="")
    assert await kept.sweep() == ["film0.mp4", "0.en.vtt"]
    assert (Path(job.save_path) / "Film/film0.mkv").exists()


async def test_the_source_of_a_result_that_was_lost_is_not_spare(kept: Cache) -> None:
    lost = await kept.keep(1, watched=NEW)
    await kept.keep(2, watched="2024-05-30T10:00:00.000+00:00", info_hash="")
    Path(str(lost.file_path)).unlink()
    assert "film0.mp4" in await kept.sweep(ttl_days=0, max_size="1.5MiB")
    assert (Path(lost.save_path) / "Film/film0.mkv").exists()


async def test_of_a_series_only_what_was_converted_is_spare(kept: Cache) -> None:
    season = await kept.keep(1, watched=NEW)
    files = [job_file(x, f"Film/film{x}.mkv", SIZE) for x in range(3)]
    await kept.world.db.run(rows.put_files, season.id, files)
    for file in files[1:]:
        write(Path(season.save_path) / file.path, SIZE)
    await kept.keep(2, watched="2024-05-30T10:00:00.000+00:00", info_hash="")
    went = await kept.sweep(ttl_days=0, max_size="3.5MiB")
    assert went[:2] == ["film0.mkv", "film0.mp4"]
    assert [(Path(season.save_path) / x.path).exists() for x in files] == [False, True, True]


async def two_of_one_torrent(kept: Cache, number: int, **changes: object) -> tuple[Job, Job, Path]:
    """Two jobs that share a folder, the one with this number changed so; and their source."""
    folder = kept.job(1).save_path
    jobs = [
        await kept.keep(x, save_path=folder, info_hash="1" * 40, **(changes if x == number else {}))
        for x in (1, 2)
    ]
    return jobs[number - 1], jobs[2 - number], Path(folder) / "Film/film0.mkv"


@pytest.mark.parametrize("number", [1, 2])
async def test_what_two_jobs_share_stays_while_one_is_pinned(kept: Cache, number: int) -> None:
    job, other, source = await two_of_one_torrent(kept, number)
    await kept.world.db.run(cache.pin, job.id, True)
    await kept.sweep(max_size=1)
    assert source.exists()
    assert not Path(str(other.file_path)).exists()


@pytest.mark.parametrize("number", [1, 2])
async def test_what_two_jobs_share_stays_while_one_keeps_its_source(kept: Cache, number: int) -> None:
    _, _, source = await two_of_one_torrent(kept, number, wanted=Wanted(keep=True))
    await kept.sweep(ttl_days=0, max_size="2.5MiB")
    assert source.exists()


@pytest.mark.parametrize("number", [1, 2])
async def test_what_two_jobs_share_was_watched_when_either_was(kept: Cache, number: int) -> None:
    job, other, source = await two_of_one_torrent(kept, number, watched=NEW)
    await kept.sweep()
    assert [Path(str(x.file_path)).exists() for x in (job, other)] == [True, False]
    assert source.exists()


@pytest.mark.parametrize("number", [1, 2])
async def test_what_two_jobs_share_stays_while_one_reads_it(kept: Cache, number: int) -> None:
    job, _, source = await two_of_one_torrent(kept, number)
    again = Conversion(file_index=0, status=ConversionState.RUNNING, output=job.file_path)
    await kept.world.db.run(conversions.put, job.id, again)
    await kept.sweep()
    assert source.exists()


@pytest.mark.parametrize("number", [1, 2])
async def test_what_two_jobs_share_is_spare_when_both_are_converted(kept: Cache, number: int) -> None:
    job, other, source = await two_of_one_torrent(kept, number)
    Path(str(job.file_path)).unlink()
    await kept.world.db.run(cache.touch, job.file_path, NEW)
    await kept.sweep(ttl_days=0, max_size="1.5MiB")
    assert source.exists()
    assert not Path(str(other.file_path)).exists()


async def test_a_pinned_job_of_which_nothing_was_made_protects_what_it_shares(kept: Cache) -> None:
    first = await kept.keep(1)
    pinned = kept.job(2, save_path=first.save_path, info_hash=first.info_hash, pinned=True)
    await kept.world.db.run(rows.insert, pinned, [job_file(0, "Film/film0.mkv", SIZE)])
    assert await kept.sweep(max_size=1) == ["film0.mp4"]


async def test_a_source_that_is_watched_itself_keeps_its_own_time(kept: Cache) -> None:
    job = await kept.keep(1, seeding=True)
    await kept.world.book.load()
    source = str(Path(job.save_path) / "Film/film0.mkv")
    video = CachedVideo(path=source, job_id=job.id, video_id="v", bytes=SIZE, last_access=NEW)
    await kept.world.db.run(cache.put, video)
    assert await kept.sweep() == ["film0.mp4"]
    assert await kept.world.db.read(cache.of) == [video]


async def test_what_somebody_begins_to_watch_meanwhile_stays_with_what_belongs_to_it(kept: Cache) -> None:
    await kept.keep(1)
    asked: set[str] = set()

    def begins_now(path: str) -> bool:
        return path in asked or asked.add(path) is not None

    kept.cleaner = kept.new_cleaner(begins_now)
    assert await kept.sweep() == []


async def test_what_is_no_longer_wanted_of_a_torrent_goes_with_the_rest(kept: Cache) -> None:
    job = await kept.keep(1)
    files = [job_file(0, "Film/film0.mkv", SIZE), job_file(1, "Film/extra.mkv", SIZE, wanted=False)]
    files += [job_file(2, "Film/about.nfo", 10), job_file(3, "Film/never.mkv", SIZE, wanted=False)]
    await kept.world.db.run(rows.put_files, job.id, files)
    write(Path(job.save_path) / "Film/extra.mkv", SIZE)
    assert sorted(await kept.sweep()) == ["0.en.vtt", "about.nfo", "extra.mkv", "film0.mkv", "film0.mp4"]


async def test_no_link_is_followed(kept: Cache, tmp_path: Path) -> None:
    await kept.keep(1)
    folder = kept.base / "video-1"
    folder.rename(tmp_path / "precious")
    folder.symlink_to(tmp_path / "precious")
    source = kept.world.config.torrent.download_path / "video-1" / "Film"
    source.rename(tmp_path / "films")
    source.symlink_to(tmp_path / "films")
    assert await kept.sweep() == []
    assert (tmp_path / "precious" / "film0.mp4").exists()
    assert (tmp_path / "films" / "film0.mkv").exists()


async def test_what_cannot_be_removed_does_not_stop_the_rest(
    kept: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.keep(1)
    await kept.keep(2, watched="2024-05-01T10:00:00.000+00:00")
    for root in (kept.base, kept.world.config.torrent.download_path):
        (root / "video-1").rename(tmp_path / f"{root.name}-moved")
        (root / "video-1").symlink_to(tmp_path / f"{root.name}-moved")
    went = await kept.sweep(ttl_days=0, max_size="2.5MiB")
    assert sorted(went) == ["0.en.vtt", "about.nfo", "film0.mkv", "film0.mp4"]
    assert "not removed path=" in caplog.text
    assert await kept.cached() == ["film0.mp4"]


async def test_a_video_of_a_forgotten_job_is_cleaned_away_too(kept: Cache) -> None:
    job = await kept.keep(1)
    await kept.world.db.run(rows.delete, job.id)
    assert await kept.sweep() == ["film0.mp4"]
    assert await kept.cached() == []
    assert (Path(job.save_path) / "Film/film0.mkv").exists(), "its data stay where they were left"


async def test_a_file_that_is_gone_already_is_forgotten_when_its_time_comes(kept: Cache) -> None:
    job = await kept.keep(1)
    Path(str(job.file_path)).unlink()
    assert "film0.mp4" in await kept.sweep()
    assert await kept.cached() == []


async def test_a_time_that_is_none_is_never_long_ago(kept: Cache) -> None:
    await kept.keep(1, watched="yesterday")
    await kept.keep(2, watched="2024-04-01 10:00:00")
    assert "film0.mp4" in await kept.sweep()
    assert [x.last_access for x in await kept.world.db.read(cache.of)] == ["yesterday"]


async def test_it_sweeps_at_once_and_when_told_to_look(kept: Cache) -> None:
    await kept.world.book.load()
    first, second = await kept.keep(1), kept.job(2)
    async with running(kept.cleaner):
        await kept.world.until(lambda: not Path(str(first.file_path)).exists())
        await kept.keep(2)
        kept.cleaner.look()
        await kept.world.until(lambda: not Path(str(second.file_path)).exists())


async def test_for_many_videos_that_come_together_it_sweeps_once(kept: Cache) -> None:
    await kept.world.book.load()
    stays, goes = str((await kept.keep(1, watched=NEW)).file_path), Path(str(kept.job(2).file_path))
    asked: list[str] = []

    def is_asked(path: str) -> bool:
        asked.append(path)
        return False

    kept.cleaner = kept.new_cleaner(is_asked, settle_seconds=1.0)
    async with running(kept.cleaner):
        await kept.world.until(lambda: stays in asked)
        kept.cleaner.look()
        began = time.monotonic()
        await kept.keep(2)
        kept.cleaner.look()
        came_together = time.monotonic() - began < 1.0  # as they do, but on a machine that stands still
        await kept.world.until(lambda: str(goes) in asked and not goes.exists())
    assert asked.count(stays) == (2 if came_together else 3)


@pytest.mark.parametrize("error", [OSError("no such device"), RuntimeError("a bug")])
async def test_a_sweep_that_fails_is_logged_and_the_next_goes_on(
    kept: Cache, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    await kept.world.book.load()
    job = await kept.keep(1)
    errors = [error]

    def fails_once(_: str) -> bool:
        if errors:
            raise errors.pop()
        return False

    kept.cleaner = kept.new_cleaner(fails_once)
    async with running(kept.cleaner):
        await kept.world.until(lambda: "cleaning failed" in caplog.text)
        assert str(error) in caplog.text
        kept.cleaner.look()
        await kept.world.until(lambda: not Path(str(job.file_path)).exists())


@contextlib.asynccontextmanager
async def running(cleaner: Cleaner) -> AsyncIterator[None]:
    task = asyncio.create_task(cleaner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
