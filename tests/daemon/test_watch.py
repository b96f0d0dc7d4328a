from __future__ import annotations

import json
import signal
import subprocess
import sys

from htdl.jobs import State
from tests.daemon.downloads import SLOW, flowing, in_state
from tests.daemons import Daemon
from tests.swarm import Swarm


def watching(daemon: Daemon, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "htdl", "watch", *args],
        env=daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_goes_on_through_a_crash_of_the_daemon_until_the_end(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 2_000_000}, rate=SLOW).magnet)
    with watching(daemon, job.id, "--json") as process:
        try:
            assert process.stdout
            first = process.stdout.readline()  # it follows
            flowing(daemon, job.id)
            daemon.restart()
            out = first + process.stdout.read()
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [x["event"] for x in events].count("state") == 2, "anew from the daemon that came after"
    assert events[-1]["event"] == "completed"
    assert events[-1]["job"]["id"] == job.id


def test_ctrl_c_stops_following_and_not_the_download(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 2_000_000}, rate=SLOW).magnet)
    with watching(daemon, job.id) as process:
        try:
            assert process.stdout
            assert process.stdout.readline(), "it follows"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "goes on" in err
    in_state(daemon, job.id, State.COMPLETED)


def test_a_download_that_fails_is_told_by_the_exit_status(daemon: Daemon, swarm: Swarm) -> None:
    told = daemon.htdl("add", swarm.seed({"video.mkv": 100_000}).magnet, "--file", "*.avi", "--watch")
    assert told.returncode == 1
    assert "*.avi" in told.stderr
