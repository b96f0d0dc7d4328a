"""The command line itself: help, and what is wrong with a call.  No daemon is asked."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from htdl.cli import boundary
from htdl.cli.main import VERBS, command
from tests.daemons import Daemon

NAMES = [name for verbs in VERBS.values() for name in verbs]


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_has_help_with_examples(name: str) -> None:
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(command, [name, flag])
        assert result.exit_code == 0
        assert f"htdl {name}" in result.output.split("Examples:")[1]


def test_choices_are_listed_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(command, ["completion"]) == 2
    assert capsys.readouterr().err.endswith("Choose from:\n    bash,\n    zsh,\n    fish\n")


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """All of them with the words that call them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found
        yield " ".join([*names, name]), found
        if isinstance(found, click.Group):
            yield from commands(found, *names, name)


EXAMPLES = [
    (name, call)
    for name, found in commands(command)
    for call in re.findall(r"\bhtdl\b[^|&)\n]*", (found.epilog or "").split("Examples:")[1])
]


@pytest.mark.parametrize(("name", "call"), EXAMPLES)
def test_every_example_is_a_call_that_exists(name: str, call: str) -> None:
    """It is parsed down to the last option, and not run."""
    assert f"htdl {name}" in command_help(name)
    current: click.Command = command
    parent, words = None, shlex.split(call.strip().strip('"'))
    while True:
        with current.make_context(words[0], words[1:], parent=parent) as context:
            if not isinstance(current, click.Group):
                break
            _, found, words = current.resolve_command(context, [*context._protected_args, *context.args])
            assert found
            current, parent, words = found, context, [found.name or "", *words]


def command_help(name: str) -> str:
    return CliRunner().invoke(command, [*name.split(), "--help"]).output.split("Examples:")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["add"],
        ["add", "x", "--max-down", "fast"],
        ["add", "x", "--max-down", "0"],
        ["add", "x", "--file", "1", "--all-files"],
        ["add", "x", "y", "--video-id", "v"],
        ["convert"],
        ["convert", "x", "--to", "avi"],
        ["convert", "x", "--codec", "hevc"],
        ["convert", "x", "--file", "1"],
        ["status", "--limit", "-1"],
        ["status", "--limit", "0"],
        ["status", "--status", "SLEEPING"],
        ["wait", "a", "--timeout", "soon"],
        ["wait", "a", "--for", "ever"],
        ["play"],
        ["play", "a", "--from", "1:60"],
        ["play", "a", "--page", "--player", "mpv"],
        ["play", "a", "--player", ""],
        ["play", "a", "--player", "  "],
        ["url", "a", "--page", "--m3u"],
        ["url", "a", "--json", "--page"],
        ["url", "a", "--json", "--m3u"],
        ["url", "a", "--m3u", "--file", "1"],
        ["url"],
        ["pause"],
        ["pause", "a", "--all"],
        ["cancel"],
        ["cancel", "--all"],
        ["cancel", "--all", "--json"],
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
    for verb in (
        ["status"],
        ["show", "a"],
        ["pause", "a"],
        ["stats"],
        ["watch"],
        ["events"],
        ["wait", "a"],
        ["play", "a", "--no-start"],
        ["url", "a"],
    ):
        result = offline.htdl(*verb)
        assert (result.returncode, result.stdout) == (3, "")
        assert "htdl daemon start" in result.stderr
    assert offline.htdl("daemon", "status").returncode == 3
    for verb in ("add", "play", "convert"):
        assert offline.htdl(verb, "a" * 40, "--no-start").returncode == 3
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
    for prefix in ("../stats", "a/cancel", "?x", "", ".", "..", "ä"):
        result = offline.htdl("show", prefix)
        assert result.returncode == 4, prefix


def test_cancel_all_never_asks_where_nobody_answers() -> None:
    for more in ([], ["--json"]):
        assert "--yes" in CliRunner().invoke(command, ["cancel", "--all", *more]).output


def test_stop_has_nothing_to_stop(offline: Daemon) -> None:
    result = offline.htdl("daemon", "stop")
    assert (result.returncode, result.stderr) == (3, "htdl: no daemon runs\n")


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


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("no-such-editor", "cannot run the editor 'no-such-editor'"),
        ("false", "the editor 'false' ended with code 1"),
        ("vi 'unclosed", "No closing quotation"),
    ],
)
def test_an_editor_that_fails_is_told(offline: Daemon, editor: str, told: str) -> None:
    result = offline.htdl("config", "edit", env={"VISUAL": editor})
    assert result.returncode == 1
    assert told in result.stderr


def test_an_editor_may_have_options(offline: Daemon) -> None:
    editor = f'{sys.executable} -c \'import sys; open(sys.argv[1], "a").write("# edited")\''
    assert offline.htdl("config", "edit", env={"EDITOR": editor}).returncode == 0
    assert offline.config.read_text().endswith("# edited")


def test_a_bug_is_kept_for_the_report_without_what_was_given(offline: Daemon) -> None:
    """A daemon that answers with nonsense stands for any bug."""
    offline.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(offline.socket))
        listener.listen()
        answering = threading.Thread(target=_answer, args=(listener, b"[1]"))
        answering.start()
        result = offline.htdl("--config", "/a/secret/place", "stats")
        answering.join(60)
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


def test_no_room_for_the_output_is_no_bug(kept: Daemon) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "htdl", "stats"],
            env=kept.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert told.returncode == 6
    assert told.stderr.startswith("htdl: what is printed cannot be written")


def test_a_reader_that_goes_away_is_no_error(kept: Daemon) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "htdl", "stats"],
        env=kept.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 141
