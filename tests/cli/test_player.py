"""The player, by real programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli import page, player
from htdl.errors import HtdlError
from tests.processes import status
from tests.waiting import until

URL = "http://127.0.0.1:8083/stream/j/t/0/film.mkv"


def program(folder: Path, name: str, text: str = "exit 0") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_usual_player_is_the_first_that_is_installed(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    assert player.usual(environ) == []
    program(tmp_path, "vlc")
    assert player.usual(environ) == ["vlc"]
    program(tmp_path, "mpv")
    assert player.usual(environ) == ["mpv"]


def test_a_player_may_have_options(tmp_path: Path) -> None:
    program(tmp_path, "play")
    assert player.named("play --fs 'a b'", {"PATH": str(tmp_path)}) == ["play", "--fs", "a b"]


@pytest.mark.parametrize("command", ["", "  ", "nosuch --fs", "a 'b", "; rm -rf /", "$(true)"])
def test_a_player_that_is_not_there_is_told_with_what_to_do(command: str) -> None:
    with pytest.raises(HtdlError) as caught:
        player.named(command, {"PATH": "/nonexistent"})
    assert (caught.value.code, caught.value.exit_code) == ("no_player", 1)
    for word in ("mpv", "vlc", "--player", "--page"):
        assert word in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("command", "begin", "options"),
    [
        ("mpv", 3723.0, ["--force-media-title=film", "--start=3723"]),
        ("/usr/bin/mpv", 0.0, ["--force-media-title=film"]),
        ("cvlc", 90.5, ["--meta-title=film", "--start-time=90.5"]),
        ("other", 90.0, []),
    ],
)
def test_each_player_is_told_in_its_own_words(command: str, begin: float, options: list[str]) -> None:
    assert player.call([command, "--fs"], URL, title="film", begin=begin) == [command, "--fs", *options, URL]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("mpv", ["--sub-file=http://h/a.srt", "--sub-file=http://h/b.vtt"]),
        ("/usr/bin/vlc", ["--input-slave=http://h/a.srt#http://h/b.vtt"]),
        ("other", []),
    ],
)
def test_a_player_is_handed_the_subtitles(command: str, options: list[str]) -> None:
    subtitles = ["http://h/a.srt", "http://h/b.vtt"]
    said = player.call([command], URL, title="", begin=0.0, subtitles=subtitles)
    assert said == [command, *options, URL]


def test_only_a_player_that_is_known_can_be_told_where_to_begin() -> None:
    assert player.can_begin(["other"], 0.0)
    assert player.can_begin(["mpv"], 5.0)
    assert not player.can_begin(["other"], 5.0)


@given(st.text())
def test_a_title_is_one_harmless_argument(title: str) -> None:
    said = player.call(["mpv"], URL, title=title, begin=0.0)
    assert said[-1] == URL
    assert len(said) <= 3
    assert all(x.isprintable() and len(x) < 250 for x in said)


def test_a_player_that_fails_is_told(tmp_path: Path) -> None:
    failing = program(tmp_path, "fail", "exit 3")
    with pytest.raises(HtdlError, match="ended with code 3") as caught:
        player.run([str(failing), URL], os.environ)
    assert caught.value.code == "player_failed"
    killed = program(tmp_path, "killed", "kill -9 $$")
    with pytest.raises(HtdlError, match="was ended by SIGKILL"):
        player.run([str(killed), URL], os.environ)


def test_a_player_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    broken = program(tmp_path, "broken")
    broken.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(HtdlError, match="cannot run"):
        player.run([str(broken), URL], os.environ)


def test_a_player_asks_no_proxy_for_what_is_on_this_machine(tmp_path: Path) -> None:
    said = tmp_path / "said"
    telling = program(tmp_path, "tell", 'printf %s "$http_proxy $no_proxy" > "$1"')
    environ = {**os.environ, "http_proxy": "http://proxy.example:3128", "no_proxy": "intranet.example"}
    assert player.run([str(telling), str(said)], environ) == 0
    assert said.read_text() == "http://proxy.example:3128 intranet.example,127.0.0.1"


def test_a_page_begins_where_it_is_told() -> None:
    assert page.address("http://h/watch/", 0.0) == "http://h/watch/"
    assert page.address("http://h/watch/", 3723.5) == "http://h/watch/#t=3723.5"
    assert page.address("http://h/watch/#file=3", 60.0) == "http://h/watch/#file=3&t=60"


WAITING = 'trap "exit 4" INT\ntrap "echo ended > $1; exit 0" TERM\necho $$ > $1\nwhile :; do sleep 0.05; done'
RUN = "import sys, os; from htdl.cli import player; sys.exit(player.run(sys.argv[1:], os.environ))"
CAUGHT = 1 << signal.SIGINT - 1 | 1 << signal.SIGTERM - 1  # as /proc/PID/status has them, proc(5)


def running(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process group of its own that runs a player, once the player plays."""
    said = folder / "said"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(program(folder, "waits", WAITING)), str(said)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: said.exists() and said.read_text())
    until(lambda: int(status(process.pid, "SigCgt"), 16) & CAUGHT == CAUGHT)  # and its command looks after it
    return process, said


def test_ctrl_c_is_the_player_s_affair(tmp_path: Path) -> None:
    process, _ = running(tmp_path)
    with process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(60) == 130


def test_the_player_ends_with_the_command(tmp_path: Path) -> None:
    process, said = running(tmp_path)
    with process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert said.read_text() == "ended\n"
