from __future__ import annotations

from pathlib import Path

import pytest

from htdl.errors import NoSuchJob, Refused
from tests.daemon.downloads import SLOW, completed, flowing
from tests.daemons import Daemon
from tests.swarm import Swarm


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


@pytest.mark.parametrize("delete", [False, True])
def test_a_removed_job_is_forgotten_and_its_data_stay_unless_deleted(
    daemon: Daemon, swarm: Swarm, delete: bool
) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    told = daemon.htdl("remove", job.id, *(["--delete"] if delete else []))
    assert told.returncode == 0, told.stderr
    with pytest.raises(NoSuchJob):
        daemon.client.job(job.id)
    assert job.file_path
    assert Path(job.file_path).exists() is not delete
    assert Path(job.save_path).exists() is not delete


def test_what_lives_must_be_cancelled_first(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    with pytest.raises(Refused) as caught:
        daemon.client.remove(job.id)
    assert "htdl cancel" in (caught.value.hint or "")


def test_a_removed_torrent_can_be_added_again(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    old = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    daemon.client.remove(old.id)
    completed(daemon, torrent, daemon.client.add(torrent.magnet).id)


def test_cancel_and_remove_one_after_the_other(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 8_000_000}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    daemon.client.cancel(job.id)
    daemon.client.remove(job.id, delete=True)
    with pytest.raises(NoSuchJob):
        daemon.client.job(job.id)
    assert not (daemon.downloads / job.id).exists()


def test_what_nobody_knows_cannot_be_removed(daemon: Daemon) -> None:
    assert daemon.htdl("remove", "ffffffff").returncode == 4


def test_data_that_a_newer_job_has_too_are_not_removed_with_the_older(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    old = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    new = completed(daemon, torrent, daemon.client.add(torrent.magnet, video_id="another").id)
    assert new.id != old.id
    assert new.file_path == old.file_path
    for job in (old, new):
        with pytest.raises(Refused, match="are those of"):
            daemon.client.cancel(job.id, delete=True)
    with pytest.raises(Refused, match="are those of"):
        daemon.client.remove(old.id, delete=True)
    daemon.client.remove(old.id)
    completed(daemon, torrent, new.id)
    daemon.client.cancel(new.id, delete=True)
    assert not Path(str(new.file_path)).exists()


def test_a_job_whose_data_went_takes_none_of_its_successor_with_it(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    old = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    daemon.client.cancel(old.id, delete=True)
    new = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    with pytest.raises(Refused, match="are those of"):
        daemon.client.remove(old.id, delete=True)
    completed(daemon, torrent, new.id)
