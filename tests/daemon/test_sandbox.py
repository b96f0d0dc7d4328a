"""The daemon under the restrictions of the machine's unit: a download and its conversion."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from htdl.cli import unit_files
from htdl.cli.unit_files import Wanted
from htdl.jobs import State
from tests import sandbox
from tests.clips import clip
from tests.daemon.downloads import in_state
from tests.daemons import Daemon
from tests.probing import probed
from tests.processes import status
from tests.swarm import Swarm
from tests.tools import require
from tests.waiting import until


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[Daemon]:
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("only root can take from a process what the unit takes from it")
    require("systemd-analyze")
    if not ctypes.util.find_library("seccomp"):
        pytest.skip("libseccomp is not installed")
    unit = tmp_path / "htdl.service"
    files = unit_files.system(Wanted(command=("htdl",)), Path("/"))
    unit.write_text(next(x.text for x in files if x.path.name == unit.name))
    daemon = Daemon(tmp_path / "home", {"conversion": {"enabled": True}})
    daemon.socket.parent.mkdir(mode=0o700)
    # each is a mount of its own, as StateDirectory=, CacheDirectory= and ReadWritePaths= are: no file can be
    # renamed from one to another
    names = ("state", "downloads", "videos", "subtitles", "temp", "config")
    folders = [daemon.socket.parent, *(daemon.home / x for x in names)]
    for folder in folders:
        folder.mkdir(mode=0o700, exist_ok=True)
    writable = ",".join(map(str, folders))
    log = daemon.logfile.open("ab")
    daemon.process = subprocess.Popen(
        [
            sys.executable,
            sandbox.__file__,
            str(unit),
            writable,
            sys.executable,
            "-m",
            "htdl",
            "daemon",
            "run",
        ],
        env={**daemon.env, "TMPDIR": str(daemon.home / "temp")},  # for PrivateTmp=
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    log.close()
    try:
        until(daemon.answers, 60, daemon.log)
        yield daemon
    finally:
        daemon.end()


def test_a_film_is_downloaded_and_converted(confined: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    """One whose picture and sound must be made anew, with subtitles: ffmpeg does all it ever does."""
    film = clip(tmp_path, "avi", seconds=3, size="322x182")
    subtitles = b"1\n00:00:00,000 --> 00:00:02,000\nHello.\n"
    torrent = swarm.seed({"film/film.avi": film.read_bytes(), "film/film.en.srt": subtitles})
    job = in_state(confined, confined.client.add(torrent.magnet).id, State.COMPLETED, 60)
    found = probed(Path(job.file_path or ""))
    assert {x.codec for x in found.streams} >= {"h264", "aac"}
    assert job.subtitles
    assert status(confined.pid, "CapEff") == "0" * 16
    assert status(confined.pid, "NoNewPrivs") == "1"
    assert status(confined.pid, "Seccomp") == "2"
    assert confined.client.health().checks["engine"] == "ok"
    assert confined.stop() == 0
    assert "not permitted" not in confined.log()
    assert "Traceback" not in confined.log()
