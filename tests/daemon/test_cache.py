"""What is kept, and for how long: the real daemon over its real database and disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from htdl.jobs import State
from htdl.wire import JobInfo
from tests.clips import clip
from tests.daemon.downloads import in_state
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

Fetch = Callable[..., JobInfo]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Daemon]:
    """Gives nothing back to the swarm: what still seeds is not cleaned."""
    daemon = Daemon(tmp_path / "home", {"conversion": {"enabled": True}, "torrent": {"seed_ratio": 0}})
    daemon.start()
    yield daemon
    daemon.end()


@pytest.fixture
def fetch(keeper: Daemon, swarm: Swarm, clips: Path) -> Fetch:
    """fetch(seconds) downloads a film of that length, and returns its job once it is converted."""

    def fetch(seconds: int) -> JobInfo:
        torrent = swarm.seed({"film.mkv": clip(clips, "mkv", seconds=seconds).read_bytes()})
        return in_state(keeper, keeper.client.add(torrent.magnet).id, State.COMPLETED, 60)

    return fetch


def limit(keeper: Daemon, size: int) -> None:
    keeper.configure(
        {"conversion": {"enabled": True}, "torrent": {"seed_ratio": 0}, "cache": {"max_size": str(size)}}
    )
    keeper.client.reload()


def source(job: JobInfo) -> Path:
    return Path(job.save_path) / job.files[0].path


def result(job: JobInfo) -> Path:
    return Path(job.file_path or "")


def test_where_space_is_short_sources_go_first_and_can_be_watched_still(keeper: Daemon, fetch: Fetch) -> None:
    job = fetch(6)
    limit(keeper, result(job).stat().st_size + 1000)
    until(lambda: not source(job).exists(), what=keeper.log)
    assert result(job).is_file()
    url = keeper.client.stream(job.id).url
    assert url
    assert urlopen(url).read() == result(job).read_bytes()
    until(lambda: str(source(job)) in keeper.log())


def test_what_was_watched_longest_ago_goes_but_what_is_pinned_stays(keeper: Daemon, fetch: Fetch) -> None:
    pinned, old, new = fetch(4), fetch(5), fetch(6)
    assert keeper.htdl("pin", pinned.id).returncode == 0
    limit(keeper, result(new).stat().st_size + 1000)
    until(lambda: not result(old).exists(), what=keeper.log)
    assert result(pinned).is_file()
    assert source(pinned).is_file()
    until(lambda: keeper.client.job(old.id).file_path is None)  # the file goes first
    again = in_state(keeper, keeper.client.retry(old.id).id, State.COMPLETED, 60)
    assert again.id == old.id


def test_where_the_disk_is_short_sources_make_room(keeper: Daemon, fetch: Fetch) -> None:
    job = fetch(6)
    keeper.configure({"storage": {"min_free": "1000TiB"}, "torrent": {"seed_ratio": 0}})
    keeper.client.reload()
    until(lambda: not source(job).exists(), what=keeper.log)
    until(lambda: "the disk is short of room: source of what is converted" in keeper.log())
    assert result(job).is_file()


def test_stats_tell_what_is_kept(keeper: Daemon, fetch: Fetch) -> None:
    assert "0 videos" in keeper.htdl("stats").stdout
    pinned, other = fetch(4), fetch(5)
    assert keeper.client.pin(pinned.id).pinned
    until(lambda: keeper.client.stats().cache_videos == 2)
    stats = keeper.client.stats()
    sizes = [x(job).stat().st_size for job in (pinned, other) for x in (source, result)]
    assert (stats.cache_videos, stats.cache_max_bytes, stats.cache_removable_bytes) == (2, 0, 0)
    assert stats.cache_bytes == pytest.approx(sum(sizes), abs=1)
    assert stats.cache_pinned_bytes == pytest.approx(sum(sizes[:2]), abs=1)
    [line] = [x for x in keeper.htdl("stats").stdout.splitlines() if x.startswith("kept ")]
    assert "2 videos" in line
    assert "without a limit" in line
    assert "pinned" in line
    assert "to be removed" not in line


def test_without_a_pin_it_goes_like_any_other(keeper: Daemon, fetch: Fetch) -> None:
    job = fetch(4)
    assert keeper.client.pin(job.id).pinned
    limit(keeper, 1)
    assert not keeper.client.unpin(job.id).pinned
    until(lambda: not result(job).exists(), what=keeper.log)
