"""What is whole is given to others, until the rules say enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.jobs import State
from tests.daemon.downloads import completed, once
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent, quiet_session
from tests.waiting import until

Make = Callable[..., Daemon]


@contextmanager
def leecher(torrent: Torrent, daemon: Daemon, folder: Path) -> Iterator[lt.torrent_handle]:
    """A peer that asks the daemon and nobody else."""
    session = quiet_session()
    params = lt.load_torrent_buffer(torrent.metainfo)
    params.save_path = str(folder)
    params.peers = [("127.0.0.1", daemon.port)]
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    folder.mkdir()
    yield session.add_torrent(params)


def test_what_is_whole_is_uploaded_to_others(kept: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000})
    job = completed(kept, torrent, kept.client.add(torrent.magnet).id)
    assert job.seeding
    with leecher(torrent, kept, tmp_path / "leech") as other:
        until(lambda: other.status().is_seeding)
    assert (tmp_path / "leech" / "video.mkv").read_bytes() == torrent.content("video.mkv")
    once(kept, job.id, lambda job: job.uploaded_bytes >= 1_000_000)
    until(lambda: kept.client.stats().uploaded_bytes >= 1_000_000)


def test_seeding_outlasts_a_restart(kept: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 500_000})
    job = completed(kept, torrent, kept.client.add(torrent.magnet).id)
    swarm.leave()
    kept.restart()
    assert kept.client.job(job.id).seeding
    with leecher(torrent, kept, tmp_path / "leech") as other:
        until(lambda: other.status().is_seeding)


def test_an_upload_limit_limits(kept: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 1_500_000})
    completed(kept, torrent, kept.client.add(torrent.magnet, max_upload_speed=500_000).id)
    with leecher(torrent, kept, tmp_path / "leech") as other:
        began = time.monotonic()
        until(lambda: other.status().is_seeding)
        assert time.monotonic() - began > 1.5, "1.5 MB at 0.5 MB/s take about 3 s"


def test_seeding_stops_at_the_ratio(make_daemon: Make, swarm: Swarm, tmp_path: Path) -> None:
    daemon = make_daemon(torrent={"seed_ratio": 1.0})
    torrent = swarm.seed({"video.mkv": 500_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    with leecher(torrent, daemon, tmp_path / "leech"):
        ended = once(daemon, job.id, lambda job: not job.seeding)
    assert ended.status is State.COMPLETED
    assert ended.uploaded_bytes >= 500_000


@pytest.mark.parametrize("rule", [{"seed_minutes": 0}, {"seed_ratio": 0}])
def test_without_seeding_it_ends_with_the_download(
    make_daemon: Make, swarm: Swarm, rule: dict[str, int]
) -> None:
    daemon = make_daemon(torrent=rule)
    torrent = swarm.seed({"video.mkv": 200_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert not job.seeding
    assert daemon.client.stats().seeding == 0
