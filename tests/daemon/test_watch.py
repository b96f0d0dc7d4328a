from __future__ import annotations

import json
import signal
import subprocess
import sys

from htdl.jobs import State
from tests.daemon.downloads import in_state
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


def test_it_goes_on_through_a_crash_of_the_daemon_until_the_end(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 200_000}).magnet, paused=True)
    at_each_state = iter([kept.restart, lambda: kept.client.resume(job.id)])
    events = []
    with watching(kept, job.id, "--json") as process:
        try:
            assert process.stdout
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1]["event"] == "state":
                    next(at_each_state)()
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert not list(at_each_state), "anew from the daemon that came after"
    assert events[-1]["event"] == "completed"
    assert events[-1]["job"]["id"] == job.id


def test_ctrl_c_stops_following_and_not_the_download(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 300_000}).magnet, paused=True)
    with watching(kept, job.id) as process:
        try:
            assert process.stdout
            assert process.stdout.readline(), "it follows"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "goes on" in err
    kept.client.resume(job.id)
    in_state(kept, job.id, State.COMPLETED)


def test_a_download_that_fails_is_told_by_the_exit_status(kept: Daemon, swarm: Swarm) -> None:
    told = kept.htdl("add", swarm.seed({"video.mkv": 100_000}).magnet, "--file", "*.avi", "--watch")
    assert told.returncode == 1
    assert "*.avi" in told.stderr
