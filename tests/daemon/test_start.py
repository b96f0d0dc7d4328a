"""One daemon a state folder, whatever the one before has left behind."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from htdl import paths
from htdl.daemon.lock import Lock
from htdl.errors import Refused
from htdl.jobs import Job, State, Wish
from htdl.store import jobs as rows
from htdl.store.db import Database
from tests.daemons import Daemon
from tests.waiting import until

Make = Callable[..., Daemon]
NOW = "2024-05-01T10:00:00.000+00:00"


def test_a_second_daemon_is_refused_and_told_who_runs(kept: Daemon) -> None:
    told = kept.htdl("daemon", "run")
    assert told.returncode == 9
    assert f"pid {kept.pid}" in told.stderr
    assert str(kept.socket) in told.stderr
    assert kept.answers(), "and it is not disturbed"


def test_a_second_daemon_on_another_socket_is_refused_too(kept: Daemon) -> None:
    other = {"HTDL_SOCKET": str(kept.socket.with_name("other"))}
    assert kept.htdl("daemon", "run", env=other).returncode == 9


def test_a_disk_without_room_for_a_line_keeps_nobody_from_starting_nor_lets_two_in(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path, socket = tmp_path / "state" / "htdl.lock", tmp_path / "s"
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as a full disk: no byte can be written
    try:
        with Lock(path, socket), pytest.raises(Refused, match="already running"), Lock(path, socket):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == ""


def test_the_socket_of_one_that_was_killed_is_replaced(kept: Daemon) -> None:
    kept.kill()
    assert kept.socket.exists()
    kept.start()
    until(lambda: kept.client.health().ok)


def test_the_socket_is_private(kept: Daemon) -> None:
    assert kept.socket.stat().st_mode & 0o777 == 0o600
    assert kept.socket.parent.stat().st_mode & 0o777 == 0o700
    assert kept.state.stat().st_mode & 0o777 == 0o700
    assert (kept.state / "htdl.db").stat().st_mode & 0o777 == 0o600


def test_a_faulty_configuration_stops_it_with_every_fault(make_daemon: Make) -> None:
    daemon = make_daemon(start=False, torrent={"max_conections": 1, "max_active_downloads": 0})
    told = daemon.htdl("daemon", "run")
    assert told.returncode == 2
    assert "torrent.max_conections" in told.stderr
    assert "torrent.max_active_downloads" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_state_folder_that_cannot_be_used_is_told(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)
    daemon.state.parent.mkdir(exist_ok=True)
    daemon.state.write_text("a file, not a folder")
    told = daemon.htdl("daemon", "run")
    assert told.returncode == 2
    assert str(daemon.state) in told.stderr


def test_it_answers_before_a_long_list_is_loaded(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)
    asyncio.run(fill(daemon, 10_000))
    daemon.start()
    assert len(daemon.client.jobs(limit=3)) == 3
    until(lambda: "jobs loaded living=10000" in daemon.log())
    assert daemon.log().index("answering socket") < daemon.log().index("jobs loaded")
    assert json.loads(daemon.htdl("stats", "--json").stdout)["by_status"]["PAUSED"] == 10_000
    assert daemon.client.add("a" * 40).position == 10_001
    assert daemon.stop() == 0


async def fill(daemon: Daemon, number: int) -> None:
    db = await Database.open(paths.database(daemon.state), now=NOW)
    jobs = [
        Job(
            id=f"{n:08x}-0000-4000-8000-000000000000",
            video_id=f"video-{n}",
            torrent_id=f"torrent-{n}",
            info_hash=f"{n:040x}",
            created_at=NOW,
            updated_at=NOW,
            status=State.PAUSED,
            wish=Wish.PAUSE,
            position=n,
        )
        for n in range(1, number + 1)
    ]
    await db.run(lambda raw: [rows.insert(raw, job) for job in jobs])
    await db.close()


def test_add_starts_a_daemon_when_none_answers(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)
    told = daemon.htdl("add", "a" * 40, "--quiet")
    try:
        assert told.returncode == 0, told.stderr
        assert daemon.client.job(told.stdout.strip()).info_hash == "a" * 40
    finally:
        assert daemon.htdl("daemon", "stop").returncode == 0
    assert daemon.htdl("status").returncode == 3
    assert daemon.htdl("add", "a" * 40, "--no-start").returncode == 3


def test_status_says_that_it_answers(kept: Daemon) -> None:
    def asked() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(kept.htdl("daemon", "status", "--json").stdout)
        return told

    told = until(lambda: (x := asked())["ok"] and x)
    assert told["pid"] == kept.pid
    assert set(told["checks"]) == {"disk", "engine", "database", "queue", "conversion", "port"}
