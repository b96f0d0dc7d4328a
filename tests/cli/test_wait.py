"""What `htdl wait` says while it waits, against a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.daemon.downloads import once
from tests.daemons import Daemon

DEAD = "a" * 40  # nobody has it


@contextmanager
def waiting(daemon: Daemon, *args: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "htdl", "wait", *args]
    with subprocess.Popen(command, env=daemon.env, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def test_it_says_once_that_a_job_is_paused(daemon: Daemon) -> None:
    job = daemon.client.add(DEAD, paused=True)
    told = daemon.htdl("wait", job.id, "--for", "ready", "--timeout", "2")
    assert told.returncode == 7
    said, late, hint = told.stderr.splitlines()
    assert said.endswith(f": paused; let it go on with: htdl resume {job.id[:8]}")
    assert late.endswith("cannot be watched yet: paused")
    assert "htdl watch" in hint
    error, _ = map(json.loads, daemon.htdl("wait", job.id, "--timeout", "1", "--json").stderr.splitlines())
    assert "htdl resume" in error["warning"]["message"]


def test_it_says_a_change_again(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    daemon.client.add("b" * 40)
    job = daemon.client.add(DEAD)
    once(daemon, job.id, lambda job: job.blocked_by == "queue")
    with waiting(daemon, job.id) as process:
        assert "queued, other downloads go first" in line(process)
        daemon.client.pause(job.id)
        assert "paused; let it go on" in line(process)
        daemon.client.resume(job.id)
        assert "queued, other downloads go first" in line(process)
        daemon.client.cancel(job.id)
        assert process.wait(10) == 1


def test_it_says_that_the_daemon_is_gone(daemon: Daemon) -> None:
    job = daemon.client.add(DEAD, paused=True)
    with waiting(daemon, job.id) as process:
        assert "paused" in line(process)
        daemon.kill()
        assert "the daemon is gone" in line(process)
        daemon.start()
        assert "paused" in line(process)
