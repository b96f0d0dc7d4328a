"""Hooks: programs that a real daemon runs when something happens to a job."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from htdl.jobs import State
from tests.daemon.downloads import completed, database, in_state, once
from tests.daemons import Daemon
from tests.processes import exists, lives
from tests.swarm import Swarm
from tests.waiting import until

Make = Callable[..., Daemon]

# Writes down what it was told, whole or not at all.
TELLS = """
import json, os, sys, uuid
told = {"argv": sys.argv[2:], "cwd": os.getcwd(), "stdin": sys.stdin.read(), "env": dict(os.environ)}
path = os.path.join(sys.argv[1], uuid.uuid4().hex)
with open(path, "w") as file:
    json.dump(told, file)
os.rename(path, path + ".json")
print("told of", told["env"]["HTDL_EVENT"], flush=True)
"""


class Told:
    """What the hooks of a daemon wrote down."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._script = folder / "tells.py"
        self._script.write_text(TELLS)

    def hook(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self._script), str(self._folder), *arguments]

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(x.read_text()) for x in self._folder.glob("*.json")]

    def of(self, event: str, job_id: str) -> list[dict[str, Any]]:
        """What was told of this, at least once."""

        def found() -> list[dict[str, Any]]:
            env = {"HTDL_EVENT": event, "HTDL_JOB_ID": job_id}
            return [x for x in self.all() if env.items() <= x["env"].items()]

        return until(found, what=f"{event} of {job_id}")


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "told")


def script(path: Path, text: str) -> list[str]:
    path.write_text(text)
    return [sys.executable, str(path)]


def pid_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text().strip()))


@pytest.fixture
def everything(make_daemon: Make, told: Told) -> Daemon:
    hook = told.hook("a word; $(touch /nowhere)", "")
    hooks = {f"on_{x}": hook for x in ("added", "ready", "completed", "failed")}
    daemon = make_daemon("hooked", start=False, hooks=hooks)
    daemon.env |= {"HTDL_LOG_LEVEL": "info", "SOME_TOKEN": "secret", "LANG": "C.UTF-8"}
    daemon.start()
    return daemon


def test_each_moment_is_told_once_with_what_is_known_of_the_job(
    everything: Daemon, told: Told, swarm: Swarm
) -> None:
    daemon = everything
    torrent = swarm.seed({"a film.mkv": 300_000}, name="a film.mkv")
    job = daemon.client.add(torrent.magnet, video_id="video-7")
    completed(daemon, torrent, job.id)
    (added,), (ready,), (done,) = (told.of(x, job.id) for x in ("added", "ready", "completed"))
    until(lambda: daemon.log().count("hook ended") == 3)
    assert len(told.all()) == 3

    assert added["argv"] == ["a word; $(touch /nowhere)", ""]
    assert (added["cwd"], added["stdin"]) == ("/", "")
    assert added["env"]["HTDL_JOB_NAME"] == torrent.info_hash, "a magnet tells no more"
    assert added["env"]["HTDL_JOB_STATUS"] == "PENDING"
    assert ready["env"]["HTDL_FILE_PATH"] == str(daemon.downloads / "video-7" / "a film.mkv")
    told_last = {
        "HTDL_JOB_NAME": "a film.mkv",
        "HTDL_JOB_STATUS": "COMPLETED",
        "HTDL_VIDEO_ID": "video-7",
        "HTDL_INFO_HASH": torrent.info_hash,
        "HTDL_FOLDER": str(daemon.downloads / "video-7"),
        "HTDL_BYTES": "300000",
        "HTDL_ERROR": "",
        "HTDL_ERROR_CODE": "",
    }
    assert told_last.items() <= done["env"].items()
    assert Path(done["env"]["HTDL_FILE_PATH"]).read_bytes() == torrent.content("a film.mkv")

    of_the_daemon = {
        "HTDL_SOCKET",
        "HTDL_CONFIG",
        "HTDL_STATE_DIR",
        "HTDL_LOG_LEVEL",
        "SOME_TOKEN",
        "PYTHONPATH",
    }
    assert not of_the_daemon & done["env"].keys()
    assert done["env"]["LANG"] == "C.UTF-8"
    assert f"hook says job={job.id[:8]} event=completed: told of completed" in daemon.log()


def test_a_failure_is_told_with_its_reason_and_what_comes_later_with_the_new_program(
    everything: Daemon, told: Told
) -> None:
    daemon = everything
    blocked = daemon.downloads / "video-8"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("no folder")
    job = daemon.client.add("c" * 40, video_id="video-8")
    in_state(daemon, job.id, State.FAILED)
    (failed,) = told.of("failed", job.id)
    assert failed["env"]["HTDL_ERROR_CODE"] == "io_error"
    assert "video-8" in failed["env"]["HTDL_ERROR"]
    daemon.configure({"hooks": {"on_added": told.hook("new")}})
    until(lambda: daemon.client.config()["hooks.on_added"][-1] == "new")
    (added,) = told.of("added", daemon.client.add("d" * 40).id)
    assert added["argv"] == ["new"]


def test_a_hook_that_fails_or_shouts_harms_nobody(make_daemon: Make, swarm: Swarm) -> None:
    shouts = (
        "n=0; while [ $n -lt 300 ]; do n=$((n + 1)); printf 'line \\033[31m %05000d\\n' $n; done; "
        "echo 'it is broken' >&2; exit 3"
    )
    daemon = make_daemon(hooks={"on_added": ["/nowhere/program"], "on_ready": ["sh", "-c", shouts]})
    torrent = swarm.seed({"video.mkv": 100_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    until(lambda: "event=ready code=3" in daemon.log(), what=daemon.log)
    said = [x for x in daemon.log().splitlines() if f"job={job.id[:8]} event=" in x]
    assert any("event=added code=1" in x and "cannot be started" in x for x in said)
    assert any("event=ready code=3" in x and "it is broken" in x for x in said)
    assert sum("hook says job" in x and "event=ready" in x for x in said) == 20
    assert max(map(len, said)) < 1000
    assert "\033" not in daemon.log()
    assert daemon.client.job(job.id).status is State.COMPLETED


def test_a_hook_that_hangs_is_ended_with_all_that_it_has_started(make_daemon: Make, tmp_path: Path) -> None:
    """Written for sh(1), which is far into its script before a Python of a busy machine has begun."""
    pids = tmp_path / "pids"
    hangs = 'sleep 600 & echo $$ $! > "$0"; wait'
    daemon = make_daemon(hooks={"on_added": ["sh", "-c", hangs, str(pids)], "timeout_seconds": 2})
    job = daemon.client.add("a" * 40)
    until(lambda: "event=added code=-15" in daemon.log(), what=daemon.log)
    hook, child = map(int, pids.read_text().split())
    assert not exists(hook)
    until(lambda: not lives(child))
    assert "it took longer than 2 s" in daemon.log()
    in_state(daemon, job.id, State.DOWNLOADING)


def test_what_the_end_of_the_daemon_cut_off_runs_again_at_the_next_start(
    make_daemon: Make, told: Told, tmp_path: Path
) -> None:
    pid, gate = tmp_path / "pid", tmp_path / "gate"
    waits = f"""
import os, subprocess, sys, time
if not os.path.exists({str(gate)!r}):
    open({str(pid)!r} + ".new", "w").write(str(os.getpid()))
    os.rename({str(pid)!r} + ".new", {str(pid)!r})
    time.sleep(600)
subprocess.run({told.hook()!r}, check=True)
"""
    daemon = make_daemon(hooks={"on_added": script(tmp_path / "waits.py", waits)})
    job = daemon.client.add("a" * 40)

    killed = pid_in(pid)
    until(lambda: due(daemon) == f"added {job.id}")
    daemon.kill()
    until(lambda: not lives(killed))

    pid.unlink()
    daemon.start()
    stopped = pid_in(pid)
    assert daemon.stop() == 0
    until(lambda: not lives(stopped))

    gate.touch()
    daemon.start()
    assert len(told.of("added", job.id)) == 1
    once(daemon, job.id, lambda _: due(daemon) == "")
    daemon.restart()
    told.of("added", daemon.client.add("b" * 40).id)  # comes after what is done again
    assert "hook was not done" not in daemon.log().rpartition("starting version")[2]
    assert len(told.all()) == 2


def due(daemon: Daemon) -> str:
    """What the database says is still to run."""
    with database(daemon) as db:
        found = db.execute("SELECT value FROM session_state WHERE key = 'hooks_due'").fetchone()
    return found[0].decode() if found else "?"
