"""No verb gives a terminal what it would obey, whatever a name, a path or a message holds."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from htdl.cli import boundary, main
from tests.cli.poison import Poisoner
from tests.daemons import Daemon
from tests.torrents import make_info, make_torrent, with_files
from tests.waiting import until

# What we send ourselves, ECMA-48: colours, the cursor shown and hidden, moved up, lines cleared, in one go
OURS = re.compile(r"\x1b\[(?:\d{1,3}(?:;\d{1,3})*m|\?(?:25|2026)[hl]|\d*[AGKJ])|\r")

# by verb; "{failed}" stands for a job's id
COMMANDS = {
    "add": ["add {hash}", "add {hash} --json", "add {file}"],
    "convert": ["convert {waiting} --dry-run", "convert {nothing}"],
    "cancel": ["cancel {nothing}"],
    "pause": ["pause {waiting}"],
    "resume": ["resume {waiting}"],
    "retry": ["retry {nothing}"],
    "remove": ["remove {waiting}"],
    "priority": ["priority {waiting} 3"],
    "limit": ["limit", "limit {waiting} --down 100KB/s"],
    "pin": ["pin {waiting}"],
    "unpin": ["unpin {waiting}"],
    "status": ["status", "status --json"],
    "show": ["show {waiting}", "show {failed}", "show {failed} --json", "show {nothing}"],
    "watch": ["watch {failed}"],
    "wait": ["wait {failed}"],
    "stats": ["stats"],
    "events": ["events {nothing}"],
    "play": ["play {failed}"],
    "url": ["url {waiting}", "url {waiting} --page"],
    "daemon": ["daemon status", "daemon reload"],
    "service": ["service status"],
    "config": ["config show", "config check", "config path"],
    "doctor": ["doctor", "doctor --json"],
    "demo": ["demo --nosuch{evil}"],
    "completion": ["completion bash{evil}"],
}
DRAWN = [
    "status",
    "show {waiting}",
    "show {failed}",
    "doctor",
    "config show",
    "limit",
    "daemon status",
]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What stands for what in the commands, and the environment, beside a daemon that poisons."""
    home = tmp_path_factory.mktemp("poison")
    daemon = Daemon(home, {"torrent": {"max_active_downloads": 1}})
    daemon.start()
    link = daemon.downloads / "bad"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(home)
    failed = daemon.client.add(torrent=make_torrent(make_info(size=100_000)), video_id="bad")
    until(lambda: daemon.client.job(failed.id).has_ended)
    waiting = daemon.client.add(
        torrent=make_torrent(with_files([{"path": ["a", f"{n}.mkv"]} for n in range(3)]))
    )
    bad_file = home / "a\x1b[31m.torrent"
    bad_file.write_bytes(b"x")
    between = daemon.socket.parent / "p"
    with Poisoner(between, daemon.socket):
        yield {
            "failed": failed.id,
            "waiting": waiting.id,
            "nothing": "nothing\x1b[31m\u202e",
            "hash": "c3" * 20,
            "file": str(bad_file),
            "evil": "\x1b]0;p\x07\x1b[31m\x9b\u202e",
            "HTDL_SOCKET": str(between),
            "HOME": str(home),
            "HTDL_STATE_DIR": str(daemon.state),
            "HTDL_CONFIG": str(daemon.config),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(x for x in sys.path if x),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }
    daemon.end()


def spelled(command: str, words: dict[str, str]) -> list[str]:
    return [sys.executable, "-m", "htdl", *(part.format(**words) for part in command.split())]


def environment(words: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in words.items() if name.isupper()}


def obeyed(text: str) -> set[str]:
    """The characters that do something or hide something, beside our own drawing."""
    return {x for x in OURS.sub("", text) if x != "\n" and not x.isprintable()}


def test_every_verb_is_tried() -> None:
    assert set(COMMANDS) == {name for verbs in main.VERBS.values() for name in verbs}


@pytest.mark.parametrize("command", [command for group in COMMANDS.values() for command in group])
def test_what_is_piped_holds_text_alone(
    words: dict[str, str], command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(words).items():
        monkeypatch.setenv(name, value)
    boundary.run(main.command, spelled(command, words)[3:])
    said = "".join(capfd.readouterr())
    assert said
    assert obeyed(said) == set()
    assert "this is a bug" not in said, said


@pytest.mark.parametrize("command", DRAWN)
def test_what_is_drawn_holds_our_own_drawing_alone(words: dict[str, str], command: str) -> None:
    said = drawn(spelled(command, words), environment(words))
    assert "\\x1b" in said or "\\u202e" in said, "it does show what came"
    assert obeyed(said) == set()
    assert "\x1b[2J" not in said


def drawn(command: list[str], env: dict[str, str]) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        data = b""
        with suppress(OSError):  # EIO: it has ended
            while chunk := os.read(ours, 1 << 16):
                data += chunk
        process.wait(60)
    os.close(ours)
    return data.decode(errors="surrogateescape")


def test_events_hold_text_alone(words: dict[str, str]) -> None:
    command = spelled("events", words)
    with subprocess.Popen(command, env=environment(words), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        process.terminate()
    assert "\\u202e" in said
    assert obeyed(said) == set()
