from __future__ import annotations

from pathlib import Path

import pytest

from htdl.errors import Refused
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, in_state
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

SIZE = 8_000_000  # more than comes before it is released


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def test_nothing_flows_while_paused_and_it_goes_on_where_it_was(
    daemon: Daemon, swarm: Swarm, tmp_path: Path
) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id, 400_000)
    assert daemon.htdl("pause", job.id[:8]).returncode == 0
    paused = in_state(daemon, job.id, State.PAUSED)
    assert (paused.download_speed, paused.peers, paused.eta_seconds) == (0, 0, -1)
    until(lambda: not swarm.peers())  # what was on its way is counted
    sent = swarm.sent()

    with Swarm(tmp_path / "other") as other:  # meanwhile another one arrives
        quick = other.seed({"video.mkv": 600_000}, rate=600_000)
        completed(daemon, quick, daemon.client.add(quick.magnet).id)
    assert (swarm.sent(), swarm.peers()) == (sent, 0)
    assert daemon.client.job(job.id).done_bytes == paused.done_bytes

    assert daemon.htdl("resume", job.id).returncode == 0
    swarm.limit(0)
    completed(daemon, torrent, job.id)
    assert swarm.sent() < SIZE + 300_000, "what was here is not fetched again"


def test_the_answer_comes_once_it_is_so(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    assert daemon.client.pause(job.id).status is State.PAUSED
    assert daemon.client.pause(job.id).status is State.PAUSED
    assert daemon.client.resume(job.id).status in {State.PENDING, State.DOWNLOADING}
    assert daemon.client.resume(job.id).status in {State.PENDING, State.DOWNLOADING}


def test_a_pause_outlasts_a_crash(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    daemon.client.pause(job.id)
    daemon.restart()
    in_state(daemon, job.id, State.PAUSED)
    daemon.client.resume(job.id)
    swarm.limit(0)
    completed(daemon, torrent, job.id)


def test_pausing_and_resuming_twice_does_no_harm(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    daemon.client.pause(job.id)
    daemon.client.pause(job.id)
    in_state(daemon, job.id, State.PAUSED)
    daemon.client.resume(job.id)
    daemon.client.resume(job.id)
    in_state(daemon, job.id, State.DOWNLOADING)


def test_what_has_ended_cannot_be_paused(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    with pytest.raises(Refused, match="COMPLETED"):
        daemon.client.pause(job.id)
    told = daemon.htdl("resume", job.id)
    assert told.returncode == 9
    assert "retry" in told.stderr
