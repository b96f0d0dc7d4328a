from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from htdl.client import Client
from htdl.errors import NoDaemon, TimedOut
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.tracker import Tracker
from tests.waiting import until

Make = Callable[..., Daemon]
MOST_SECONDS = 5.0
TIMES = 3  # a machine that stands still may make it late once; what holds the daemon up does so every time
LONG = 12_000_000  # bytes


def ends_in_time(daemon: Daemon) -> bool:
    began = time.monotonic()
    assert daemon.stop(timeout=60) == 0
    return time.monotonic() - began < MOST_SECONDS


def ends_in_time_beside(daemon: Daemon, torrent: Torrent, tracker: Tracker) -> bool:
    """It is started, and ended while it downloads and the tracker knows of it."""
    before = tracker.events().count("started")
    daemon.start()
    flowing(daemon, daemon.client.add(torrent.magnet).id)
    until(lambda: tracker.events().count("started") > before)
    return ends_in_time(daemon)


def test_sigterm_ends_it_and_trackers_are_told(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(start=False)
    with Tracker() as tracker:
        torrent = swarm.seed({"video.mkv": 2 * LONG}, rate=SLOW, trackers=(tracker.url,))
        assert any(ends_in_time_beside(daemon, torrent, tracker) for _ in range(TIMES))
        until(lambda: "stopped" in tracker.events())
    assert not daemon.socket.exists()


def test_a_tracker_that_does_not_answer_does_not_hold_it_up(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(start=False)
    with Tracker(hangs_on=("stopped",)) as tracker:
        torrent = swarm.seed({"video.mkv": 2 * LONG}, rate=SLOW, trackers=(tracker.url,))
        assert any(ends_in_time_beside(daemon, torrent, tracker) for _ in range(TIMES))


def test_a_disk_that_hangs_does_not_hold_it_up(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)

    def ends_in_time_beside_it() -> bool:
        daemon.config.unlink()
        daemon.configure({})
        daemon.start()
        daemon.config.unlink()
        os.mkfifo(daemon.config)  # who reads it waits for a writer
        with pytest.raises(TimedOut):
            Client(daemon.socket, timeout=0.5).reload()
        return ends_in_time(daemon)

    assert any(ends_in_time_beside_it() for _ in range(TIMES))


def test_what_was_downloading_goes_on_at_the_next_start(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": LONG}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    before = flowing(daemon, job.id)
    assert daemon.stop() == 0
    daemon.start()
    after = in_state(daemon, job.id, State.DOWNLOADING)
    assert after.done_bytes >= before.done_bytes
    swarm.limit(0)
    completed(daemon, torrent, job.id)
    assert swarm.sent() < LONG * 1.2


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
    assert daemon.process.wait(30) == 0
    assert daemon.htdl("daemon", "stop").returncode == 3


def test_who_asks_after_its_end_is_told_that_none_answers(daemon: Daemon) -> None:
    daemon.stop()
    with pytest.raises(NoDaemon) as caught:
        daemon.client.jobs()
    assert "daemon start" in (caught.value.hint or "")
