from __future__ import annotations

import json
import subprocess
import sys

from htdl.jobs import State
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm


def waiting(daemon: Daemon, *args: str) -> subprocess.Popen[str]:
    """`htdl wait` at work."""
    return subprocess.Popen(
        [sys.executable, "-m", "htdl", "wait", *args],
        env=daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_returns_when_the_download_is_complete(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 500_000}).magnet)
    told = kept.htdl("wait", job.id, "--json", "--timeout", "1m")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["status"] == "COMPLETED"


def test_it_returns_when_it_can_be_watched_long_before_it_is_whole(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 24_000_000}, rate=1_500_000).magnet)
    assert kept.htdl("wait", job.id, "--for", "ready", "--timeout", "1m").returncode == 0
    now = once(kept, job.id, lambda job: job.files[0].progress >= 10)  # which is looked at every other second
    assert now.status is State.DOWNLOADING
    kept.client.cancel(job.id, delete=True)


def test_it_gives_up_when_the_time_is_over(kept: Daemon) -> None:
    job = kept.client.add("a" * 40, paused=True)
    assert kept.htdl("wait", job.id, "--timeout", "0.3").returncode == 7


def test_it_says_that_the_download_failed(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 100_000}).magnet, files=["*.avi"])
    in_state(kept, job.id, State.FAILED)
    told = kept.htdl("wait", job.id)
    assert told.returncode == 1
    assert "*.avi" in told.stderr


def test_it_ends_when_the_download_is_cancelled(kept: Daemon) -> None:
    job = kept.client.add("b" * 40)
    with waiting(kept, job.id) as process:
        try:
            kept.client.cancel(job.id)
            assert process.wait(60) == 1
        finally:
            process.kill()


def test_a_restart_of_the_daemon_does_not_disturb_it(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 200_000}).magnet, paused=True)
    with waiting(kept, job.id) as process:
        try:
            assert process.stderr
            assert "paused" in process.stderr.readline(), "it follows"
            kept.restart()
            kept.client.resume(job.id)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_what_nobody_knows_cannot_be_waited_for(kept: Daemon) -> None:
    assert kept.htdl("wait", "ffffffff").returncode == 4
