"""What `htdl wait` says while it waits, against a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from htdl.jobs import State
from tests.clips import clip
from tests.daemon.converting import program
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm

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


def test_it_says_once_that_a_job_is_paused(emptied: Daemon) -> None:
    daemon = emptied
    job = daemon.client.add(DEAD, paused=True)
    in_state(daemon, job.id, State.PAUSED)
    told = daemon.htdl("wait", job.id, "--for", "ready", "--timeout", "1.2")  # three looks
    assert told.returncode == 7
    said, late, hint = told.stderr.splitlines()
    assert said.endswith(f": paused; let it go on with: htdl resume {job.id[:8]}")
    assert late.endswith("cannot be watched yet: paused")
    assert "htdl watch" in hint
    error, _ = map(json.loads, daemon.htdl("wait", job.id, "--timeout", "0.2", "--json").stderr.splitlines())
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
        assert process.wait(60) == 1


def test_it_says_that_the_daemon_is_gone(emptied: Daemon) -> None:
    daemon = emptied
    job = daemon.client.add(DEAD, paused=True)
    with waiting(daemon, job.id) as process:
        assert "paused" in line(process)
        daemon.kill()
        assert "the daemon is gone" in line(process)
        daemon.start()
        assert "paused" in line(process)


def test_it_tells_a_failed_conversion_from_a_failed_download(
    make_daemon: Callable[..., Daemon], swarm: Swarm
) -> None:
    daemon = make_daemon(conversion={"enabled": True})
    job = daemon.client.add(swarm.seed({"noise.mkv": 100_000}, name="noise.mkv").magnet)
    failed = daemon.htdl("wait", job.id, "--json", "--timeout", "50")
    assert failed.returncode == 8
    error = json.loads(failed.stderr.splitlines()[-1])["error"]
    assert error["code"] == "bad_media"
    assert error["message"].startswith(f"the conversion of job {job.id[:8]} (noise.mkv) failed: ")
    whole = daemon.htdl("wait", job.id, "--for", "downloaded")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.rstrip().endswith("noise.mkv")
    assert daemon.htdl("watch", job.id).returncode == 8
    daemon.client.remove(job.id)


def test_downloaded_is_before_completed(
    make_daemon: Callable[..., Daemon], swarm: Swarm, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    held = program(tmp_path, "held", f'until [ -e {go} ]; do sleep 0.05; done; exec "$real" "$@"')
    daemon = make_daemon(conversion={"enabled": True, "mode": "after-download", "ffmpeg_path": str(held)})
    film = clip(tmp_path, "avi", seconds=2).read_bytes()
    job = daemon.client.add(swarm.seed({"film.avi": film}, name="film.avi").magnet)
    whole = daemon.htdl("wait", job.id, "--for", "downloaded", "--json", "--timeout", "50")
    assert json.loads(whole.stdout)["status"] == "CONVERTING"
    go.touch()
    ended = daemon.htdl("wait", job.id, "--timeout", "50")
    assert ended.stdout.rstrip().endswith("film.mp4")


def test_it_says_that_a_video_is_not_converted_for_want_of_ffmpeg(
    make_daemon: Callable[..., Daemon], swarm: Swarm
) -> None:
    daemon = make_daemon(start=False, conversion={"enabled": True})
    daemon.env |= {"PATH": str(daemon.home), "IMAGEIO_FFMPEG_EXE": "/nowhere/ffmpeg"}
    daemon.start()
    job = daemon.client.add(swarm.seed({"film.mkv": 100_000}, name="film.mkv").magnet)
    told = daemon.htdl("wait", job.id, "--timeout", "50")
    assert told.returncode == 0
    assert told.stderr == (
        f"htdl: job {job.id[:8]} (film.mkv) is not converted: no ffmpeg serves; pip install 'htdl[ffmpeg]'\n"
    )
    assert "no ffmpeg that serves was found" in daemon.htdl("show", job.id).stdout
