from __future__ import annotations

from pathlib import Path

import pytest

from htdl.errors import Refused
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def test_cancel_keeps_the_data(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 8_000_000}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    path = flowing(daemon, job.id).file_path
    swarm.limit(1)
    assert daemon.htdl("cancel", job.id).returncode == 0
    cancelled = in_state(daemon, job.id, State.CANCELLED)
    assert (cancelled.download_speed, cancelled.completed_at) == (0, None)
    assert path
    assert Path(path).exists()


def test_cancel_with_delete_removes_the_data_and_the_folder(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a/one.mkv": 6_000_000, "a/b/two.mkv": 2_000_000}, name="deep", rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    swarm.limit(1)
    until((daemon.downloads / job.id / "deep").exists)
    assert daemon.htdl("cancel", job.id, "--delete").returncode == 0
    cancelled = daemon.client.job(job.id)
    assert cancelled.status is State.CANCELLED, "done when it says so"
    assert not (daemon.downloads / job.id).exists()
    assert daemon.downloads.exists()
    assert (cancelled.file_path, cancelled.done_bytes) == (None, 0)


def test_the_data_of_a_download_that_has_ended_are_deleted_too(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert daemon.htdl("cancel", job.id, "--delete").returncode == 0
    gone = once(daemon, job.id, lambda job: job.file_path is None)
    assert (gone.status, gone.seeding) == (State.COMPLETED, False)
    assert not (daemon.downloads / job.id).exists()


def test_files_of_others_in_the_folder_stay(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    mine = Path(job.save_path) / "notes.txt"
    mine.write_text("mine")
    daemon.client.cancel(job.id, delete=True)
    once(daemon, job.id, lambda job: job.file_path is None)
    assert mine.read_text() == "mine"
    assert not (mine.parent / "video.mkv").exists()


def test_a_download_that_seeds_stops_seeding(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert job.seeding
    daemon.client.cancel(job.id)
    ended = once(daemon, job.id, lambda job: not job.seeding)
    assert ended.status is State.COMPLETED
    with pytest.raises(Refused, match="already"):
        daemon.client.cancel(job.id)


def test_what_waits_in_the_queue_is_cancelled(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40, paused=True)
    daemon.client.cancel(job.id)
    in_state(daemon, job.id, State.CANCELLED)
    told = daemon.htdl("cancel", job.id)
    assert told.returncode == 9
    assert "htdl remove" in told.stderr


def test_a_cancelled_torrent_is_at_once_free_for_a_new_job(daemon: Daemon) -> None:
    old = daemon.client.add("a" * 40)
    daemon.client.cancel(old.id)
    assert daemon.client.add("a" * 40).id != old.id


def test_all_that_live_are_cancelled(daemon: Daemon) -> None:
    jobs = [daemon.client.add(letter * 40) for letter in "abc"]
    assert daemon.htdl("cancel", "--all", "--yes").returncode == 0
    for job in jobs:
        in_state(daemon, job.id, State.CANCELLED)
