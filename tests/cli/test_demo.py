from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from htdl.cli import demo
from tests.waiting import until


@pytest.fixture
def temp() -> Iterator[Path]:
    """Of the test alone, and of a short name: a socket comes to lie in it."""
    with tempfile.TemporaryDirectory(prefix="htdl-") as folder:
        yield Path(folder)


def environment(temp: Path) -> dict[str, str]:
    """A new user's, whose temp folder is the test's: what the demo leaves behind is seen."""
    return {
        **os.environ,
        "TMPDIR": str(temp),
        "PYTHONPATH": os.pathsep.join(x for x in sys.path if x),
    }


def left(temp: Path) -> list[Path]:
    return sorted(temp.iterdir())


def test_it_downloads_verifies_and_leaves_nothing(temp: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "htdl", "demo"],
        env=environment(temp),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"verified, byte for byte: .*htdl demo\.avi", done.stdout)
    assert left(temp) == []


def test_keep_leaves_the_video_and_its_daemon_ends(temp: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "htdl", "demo", "--keep"],
        env=environment(temp),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (home,) = left(temp)
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
def test_interrupted_it_still_leaves_nothing(temp: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "htdl", "demo"],
        env=environment(temp),
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
    assert process.wait(60) != 0
    process.stdout.close()
    until(lambda: left(temp) == [], what="the temp folder is empty")
