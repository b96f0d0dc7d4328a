from __future__ import annotations

import json
import subprocess
import sys

from htdl.jobs import State
from tests.daemon.downloads import SLOW, flowing, in_state
from tests.daemons import Daemon
from tests.processes import sockets
from tests.swarm import Swarm
from tests.waiting import until


def waiting(daemon: Daemon, *args: str) -> subprocess.Popen[str]:
    """`htdl wait` at work."""
    return subprocess.Popen(
        [sys.executable, "-m", "htdl", "wait", *args],
        env=daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_returns_when_the_download_is_complete(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 500_000}).magnet)
    told = daemon.htdl("wait", job.id, "--json", "--timeout", "20")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["status"] == "COMPLETED"


def test_it_returns_when_it_can_be_watched_long_before_it_is_whole(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 4_000_000}, rate=SLOW).magnet)
    assert daemon.htdl("wait", job.id, "--for", "ready", "--timeout", "20").returncode == 0
    now = daemon.client.job(job.id)
    assert now.status is State.DOWNLOADING
    assert now.files[0].progress >= 10


def test_it_gives_up_when_the_time_is_over(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    assert daemon.htdl("wait", job.id, "--timeout", "0.3").returncode == 7


def test_it_says_that_the_download_failed(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 100_000}).magnet, files=["*.avi"])
    in_state(daemon, job.id, State.FAILED)
    told = daemon.htdl("wait", job.id)
    assert told.returncode == 1
    assert "*.avi" in told.stderr


def test_it_ends_when_the_download_is_cancelled(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    with waiting(daemon, job.id) as process:
        try:
            daemon.client.cancel(job.id)
            assert process.wait(10) == 1
        finally:
            process.kill()


def test_a_restart_of_the_daemon_does_not_disturb_it(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 2_000_000}, rate=SLOW).magnet)
    with waiting(daemon, job.id) as process:
        try:
            until(lambda: sockets(process.pid))  # it follows
            flowing(daemon, job.id)
            daemon.restart()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_what_nobody_knows_cannot_be_waited_for(daemon: Daemon) -> None:
    assert daemon.htdl("wait", "ffffffff").returncode == 4


def test_a_video_application_is_told_of_progress(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000}, rate=SLOW)
    seen: list[tuple[str, int, int, int]] = []
    job_id = daemon.client.start_download("film-1", None, torrent.magnet, lambda *told: seen.append(told))
    until(lambda: seen and seen[-1][1] == 100)
    assert {told[0] for told in seen} == {job_id}
    assert [told[1] for told in seen] == sorted(told[1] for told in seen)
    assert daemon.client.is_ready_for_streaming(job_id)
    assert daemon.client.get_file_path(job_id) == str(daemon.downloads / "film-1" / "video.mkv")
