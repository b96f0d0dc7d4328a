"""The command line itself: help, and what is wrong with a call.  No daemon is asked."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from htdl.cli.main import VERBS, command
from tests.daemons import Daemon

NAMES = [name for verbs in VERBS.values() for name in verbs]


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_has_help_with_examples(name: str) -> None:
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(command, [name, flag])
        assert result.exit_code == 0
        assert f"htdl {name}" in result.output.split("Examples:")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["add"],
        ["add", "x", "--max-down", "fast"],
        ["add", "x", "--max-down", "0"],
        ["add", "x", "--file", "1", "--all-files"],
        ["add", "x", "y", "--video-id", "v"],
        ["status", "--limit", "-1"],
        ["status", "--status", "SLEEPING"],
        ["wait", "a", "--timeout", "soon"],
        ["wait", "a", "--for", "ever"],
        ["pause"],
        ["pause", "a", "--all"],
        ["cancel"],
        ["remove"],
        ["nothing"],
        ["--nothing"],
    ],
)
def test_usage_errors_exit_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_a_mistyped_verb_names_the_nearest() -> None:
    assert "did you mean resume?" in CliRunner().invoke(command, ["resmue"]).output


def test_no_daemon_is_3_with_a_hint(offline: Daemon) -> None:
    for verb in (["status"], ["show", "a"], ["pause", "a"], ["stats"], ["watch"], ["events"], ["wait", "a"]):
        result = offline.htdl(*verb)
        assert (result.returncode, result.stdout) == (3, "")
        assert "htdl daemon start" in result.stderr
    assert offline.htdl("daemon", "status").returncode == 3
    assert offline.htdl("add", "a" * 40, "--no-start").returncode == 3
    assert not offline.state.exists()


def test_errors_are_json_when_asked(offline: Daemon) -> None:
    error = json.loads(offline.htdl("status", "--json").stderr)["error"]
    assert error["code"] == "no_daemon"
    assert error["message"]
    assert error["hint"]
    usage = json.loads(offline.htdl("status", "--json", "--nothing").stderr)["error"]
    assert "--nothing" in usage["message"]


def test_global_options_win_over_the_environment(offline: Daemon, tmp_path: Path) -> None:
    assert "elsewhere.sock" in offline.htdl("--socket", str(tmp_path / "elsewhere.sock"), "status").stderr
    assert offline.htdl("--config", "/etc/x.toml", "config", "path").stdout == "/etc/x.toml\n"


def test_an_id_never_becomes_a_path(offline: Daemon) -> None:
    for prefix in ("../stats", "a/cancel", "?x", "", "ä"):
        result = offline.htdl("show", prefix)
        assert result.returncode == 4, prefix


def test_config_check_names_every_fault(offline: Daemon) -> None:
    offline.config.write_text("[torrent]\nmax_connection = 3\n[log]\nlevel = 'loud'\n")
    result = offline.htdl("config", "check")
    assert result.returncode == 2
    assert "did you mean max_connections?" in result.stderr
    assert "log.level" in result.stderr


def test_config_shows_what_a_start_would_read(offline: Daemon) -> None:
    assert offline.htdl("config", "check").stdout == f"OK: {offline.config}\n"
    shown = json.loads(offline.htdl("config", "show", "--json").stdout)
    assert shown["torrent.download_path"] == str(offline.downloads)
    assert f'torrent.download_path = "{offline.downloads}"' in offline.htdl("config", "show").stdout


def test_config_edit_begins_with_every_key_as_a_comment(offline: Daemon) -> None:
    offline.config.unlink()
    result = offline.htdl("config", "edit", env={"EDITOR": "true", "VISUAL": "true"})
    assert result.returncode == 0, result.stderr
    text = offline.config.read_text()
    assert "[torrent]" in text
    assert "# max_active_downloads = 3" in text
    uncommented = text.replace("# ", "").split("\n", 1)[1]
    offline.config.write_text(uncommented)
    assert offline.htdl("config", "check").returncode == 0


def test_a_bug_is_kept_for_the_report_without_what_was_given(offline: Daemon) -> None:
    """A daemon that answers with nonsense stands for any bug."""
    offline.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(offline.socket))
        listener.listen()
        answering = threading.Thread(target=_answer, args=(listener, b"[1]"))
        answering.start()
        result = offline.htdl("--config", "/a/secret/place", "stats")
        answering.join(10)
    assert result.returncode == 1
    (log,) = offline.state.glob("bug-*.log")
    assert str(log) in result.stderr
    assert "Traceback" in log.read_text()
    assert "secret" not in log.read_text()
    assert "Traceback" not in result.stderr


def _answer(listener: socket.socket, body: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def test_a_reader_that_goes_away_is_no_error(daemon: Daemon) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "htdl", "stats"],
        env=daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(10) == 141
