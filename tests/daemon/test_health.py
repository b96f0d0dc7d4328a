"""`/health` says how the daemon is, part by part, and what to do."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.daemons import Daemon
from tests.waiting import until

Make = Callable[..., Daemon]


def health(daemon: Daemon) -> tuple[int, dict[str, Any]]:
    status, _, body = daemon.get("/health")
    return status, json.loads(body)


def test_all_is_well_and_says_where_it_listens(daemon: Daemon) -> None:
    told = until(lambda: [told for status, told in [health(daemon)] if status == 200])[0]
    assert set(told["checks"].values()) == {"ok"}
    assert told["details"]["port"] == f"127.0.0.1:{daemon.port}"
    assert told["details"]["conversion"] == "off"
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30):
        pass  # it is true
    lines = daemon.htdl("daemon", "status").stdout.splitlines()
    assert f"  port: ok, 127.0.0.1:{daemon.port}" in lines
    assert "  database: ok" in lines


def test_what_is_wrong_is_named_with_what_to_do(make_daemon: Make, tmp_path: Path) -> None:
    """No ffmpeg, no room, and an address that this machine does not have: three faults, all told at once."""
    bare = tmp_path / "bin"
    bare.mkdir()
    daemon = make_daemon(
        start=False,
        torrent={"listen_interface": "192.0.2.1"},
        storage={"min_free": "1000TiB"},
        conversion={"enabled": True, "ffmpeg_path": "/nowhere/ffmpeg", "ffprobe_path": "/nowhere/ffprobe"},
    )
    daemon.env["PATH"] = str(bare)
    daemon.env["IMAGEIO_FFMPEG_EXE"] = "/nowhere/ffmpeg"  # the packaged one does not count either
    daemon.start()
    status, told = until(lambda: [x for x in [health(daemon)] if x[1]["checks"]["port"] != "ok"])[0]
    assert status == 503
    assert not told["ok"]
    checks = told["checks"]
    assert "free some space there" in checks["disk"]
    assert str(daemon.downloads) in checks["disk"]
    assert "no ffmpeg" in checks["conversion"]
    assert "conversion.enabled = false" in checks["conversion"]
    assert "torrent.listen_interface" in checks["port"]
    assert {checks["engine"], checks["database"], checks["queue"]} == {"ok"}
    shown = daemon.htdl("daemon", "status")
    assert shown.returncode == 0
    assert "no ffmpeg" in shown.stdout
