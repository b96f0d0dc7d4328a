from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from htdl.client import Client
from htdl.errors import NoDaemon, TimedOut
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.tracker import Tracker
from tests.waiting import until

Make = Callable[..., Daemon]
MOST_SECONDS = 5.0


def test_sigterm_ends_it_and_trackers_are_told(daemon: Daemon, swarm: Swarm) -> None:
    with Tracker() as tracker:
        torrent = swarm.seed({"video.mkv": 3_000_000}, rate=SLOW, trackers=(tracker.url,))
        job = daemon.client.add(torrent.magnet)
        flowing(daemon, job.id)
        until(lambda: "started" in tracker.events())
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < MOST_SECONDS
        assert "stopped" in tracker.events()
    assert not daemon.socket.exists()


def test_a_tracker_that_does_not_answer_does_not_hold_it_up(daemon: Daemon, swarm: Swarm) -> None:
    with Tracker(hangs_on=("stopped",)) as tracker:
        torrent = swarm.seed({"video.mkv": 3_000_000}, rate=SLOW, trackers=(tracker.url,))
        flowing(daemon, daemon.client.add(torrent.magnet).id)
        until(lambda: "started" in tracker.events())
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < MOST_SECONDS


def test_a_disk_that_hangs_does_not_hold_it_up(daemon: Daemon) -> None:
    daemon.config.unlink()
    os.mkfifo(daemon.config)  # who reads it waits for a writer
    with pytest.raises(TimedOut):
        Client(daemon.socket, timeout=0.5).reload()
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < MOST_SECONDS


def test_what_was_downloading_goes_on_at_the_next_start(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_500_000}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    before = flowing(daemon, job.id)
    assert daemon.stop() == 0
    daemon.start()
    after = daemon.client.job(job.id)
    assert after.status is State.DOWNLOADING
    assert after.done_bytes >= before.done_bytes
    completed(daemon, torrent, job.id)
    assert swarm.sent() < 1_500_000 * 1.2


def test_a_pause_is_made_so_before_it_ends_or_at_the_next_start(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    daemon.client.pause(job.id)
    assert daemon.stop() == 0
    daemon.start()
    once(daemon, job.id, lambda job: job.status is State.PAUSED)


def test_the_command_waits_until_it_is_gone(daemon: Daemon) -> None:
    told = daemon.htdl("daemon", "stop")
    assert (told.returncode, told.stdout) == (0, "stopped the daemon\n")
    assert daemon.process
    assert daemon.process.wait(5) == 0
    assert daemon.htdl("daemon", "stop").returncode == 3


def test_who_asks_after_its_end_is_told_that_none_answers(daemon: Daemon) -> None:
    daemon.stop()
    with pytest.raises(NoDaemon) as caught:
        daemon.client.jobs()
    assert "daemon start" in (caught.value.hint or "")
