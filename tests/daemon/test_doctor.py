"""What the running daemon finds out about itself."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.answers import Finding, Level
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until


@pytest.fixture(scope="module")
def kept(kept: Daemon) -> Daemon:
    until(lambda: kept.client.health().ok)  # it answers before its engine does
    return kept


def named(daemon: Daemon, name: str) -> list[Finding]:
    return [one for one in daemon.client.doctor() if one.name == name]


def test_a_daemon_that_is_well_finds_nothing_wrong(kept: Daemon) -> None:
    found = kept.client.doctor()
    assert {one.level for one in found} == {Level.OK}, found
    assert {"folders", "database", "port", "inbound", "dht", "trackers", "videos", "downloads"} <= {
        one.name for one in found
    }
    assert str(kept.port) in next(one.words for one in found if one.name == "port")


def test_a_file_that_went_away_is_told(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"video.mkv": 100_000}).magnet)
    path = kept.client.wait(job.id).file_path
    assert path
    assert not named(kept, "files")
    Path(path).unlink()
    (one,) = named(kept, "files")
    assert job.id[:8] in one.words


def test_a_folder_that_became_a_file_is_wrong(kept: Daemon) -> None:
    temp = kept.home / "temp"
    shutil.rmtree(temp, ignore_errors=True)
    temp.write_text("in the way")
    done = kept.htdl("doctor", "--json")
    temp.unlink()
    assert done.returncode == 1
    (one,) = [x for x in json.loads(done.stdout) if x["level"] == "fail"]
    assert (one["name"], str(temp) in one["words"]) == ("folders", True)
    assert "storage.temp_path" in one["hint"]


def test_ports_that_are_taken_are_told(make_daemon: Callable[..., Daemon]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ours = {"port_range_start": port, "port_range_end": port}
        daemon = make_daemon(torrent=ours, stream={"port": port})
        until(lambda: daemon.client.health().ok)  # it listens on another port
        (peers,), (videos,) = named(daemon, "port"), named(daemon, "videos")
    assert (peers.level, videos.level) == (Level.WARN, Level.WARN)
    assert f"port {port} is not free" in peers.words
    assert f"{port} is taken by" in videos.words
