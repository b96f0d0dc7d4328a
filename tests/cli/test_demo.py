from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from htdl.cli import demo
from tests.waiting import until


def environment(tmp_path: Path) -> dict[str, str]:
    """A new user's, whose temp folder is the test's: what the demo leaves behind is seen."""
    (tmp_path / "t").mkdir()
    return {
        **os.environ,
        "TMPDIR": str(tmp_path / "t"),
        "PYTHONPATH": os.pathsep.join(x for x in sys.path if x),
    }


def left(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "t").iterdir())


def test_it_downloads_verifies_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "htdl", "demo"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"verified, byte for byte: .*htdl demo\.avi", done.stdout)
    assert left(tmp_path) == []


def test_keep_leaves_the_video_and_its_daemon_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "htdl", "demo", "--keep"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (home,) = left(tmp_path)
    (video,) = home.glob("downloads/*/htdl demo.avi")
    assert video.stat().st_size > 50_000_000
    assert not (home / "run" / "htdl.sock").exists()
    assert "stopped pid=" in (home / "state" / "daemon.log").read_text()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ({"TERM": "xterm"}, "\x1b[36m\x1b[1m==> \x1b[0m"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "\x1b[1m==> \x1b[0m"),
        ({"TERM": "dumb"}, "==> "),
    ],
)
def test_it_is_as_colourful_as_asked(
    asked: dict[str, str], drawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    demo.step("begin")
    assert sys.stdout.getvalue() == f"{drawn}begin\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_still_leaves_nothing(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "htdl", "demo"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if b"%" in line:
            break
    os.killpg(process.pid, number)  # as a terminal does it: the seeder hears it too
    process.stdout.read()
    assert process.wait(20) != 0
    process.stdout.close()
    until(lambda: left(tmp_path) == [], what="the temp folder is empty")
