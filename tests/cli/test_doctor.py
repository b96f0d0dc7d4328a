"""`htdl doctor` on a terminal, in a pipe, and where no daemon runs."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest

import htdl
from htdl.answers import Finding, Level
from htdl.cli import findings
from htdl.jobs import Blocked
from tests.daemons import Daemon


def by_name(daemon: Daemon) -> tuple[int, dict[str, dict[str, str]]]:
    done = daemon.htdl("doctor", "--json")
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)}


def test_without_a_daemon_it_looks_at_what_can_be_seen(offline: Daemon) -> None:
    done = offline.htdl("doctor")
    assert done.returncode == 3
    assert "warn daemon        no daemon answers" in done.stdout
    assert "→ start one with: htdl daemon start" in done.stdout
    for name in ("config", "folders", "space", "database", "clock", "open files"):
        assert f"ok   {name.ljust(12)} " in done.stdout, name
    assert not offline.state.exists()


def test_a_faulty_configuration_is_told_line_by_line(offline: Daemon) -> None:
    offline.config.write_text("[torrent]\nmax_connection = 3\n[log]\nlevel = 'loud'\n")
    code, found = by_name(offline)
    assert (code, found["config"]["level"]) == (1, "fail")
    assert "did you mean max_connections?" in found["config"]["words"]
    assert "log.level" in found["config"]["words"]
    assert "folders" not in found


def test_a_player_that_is_not_installed_is_told(offline: Daemon) -> None:
    assert "player" not in by_name(offline)[1]
    offline.env["HTDL_STREAM_PLAYER"] = "no-such-player --fs"
    code, found = by_name(offline)
    assert (code, found["player"]["level"]) == (3, "warn")


def test_a_database_that_is_none_is_told_before_a_start_fails(offline: Daemon) -> None:
    offline.state.mkdir()
    (offline.state / "htdl.db").write_bytes(b"this is no database" * 100)
    code, found = by_name(offline)
    assert (code, found["database"]["level"]) == (1, "fail")
    assert offline.htdl("daemon", "start").returncode == 1
    assert "is damaged" in by_name(offline)[1]["last start"]["words"]
    assert (offline.state / "htdl.db").read_bytes() == b"this is no database" * 100


def test_a_path_that_is_too_long_for_a_socket_is_told(offline: Daemon) -> None:
    done = offline.htdl("--socket", f"/tmp/{'x' * 110}", "doctor")
    assert done.returncode == 1
    assert "too long for a socket" in done.stdout


class Older(BaseHTTPRequestHandler):
    """A daemon of another version, which knows no doctor."""

    def do_GET(self) -> None:
        is_health = self.path.endswith("/health")
        health = {"ok": True, "version": "0.0.9", "pid": 1, "checks": {}}
        body = json.dumps(health if is_health else {"error": {"code": "bad_request", "message": "what?"}})
        self.send_response(200 if is_health else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def address_string(self) -> str:
        return "a client"

    def log_message(self, *args: object) -> None:
        """Quiet."""


def test_a_daemon_of_another_version_is_told(offline: Daemon) -> None:
    offline.socket.parent.mkdir(parents=True)
    with socketserver.ThreadingUnixStreamServer(str(offline.socket), Older) as server:
        answering = threading.Thread(target=server.serve_forever, args=(0.05,))
        answering.start()
        code, found = by_name(offline)
        server.shutdown()
        answering.join()
    assert code == 1
    assert found["version"]["words"] == f"the daemon is 0.0.9, this command is {htdl.__version__}"
    assert "restart" in found["version"]["hint"]
    assert "what?" in found["daemon"]["words"]


def test_a_socket_for_everybody_is_told(daemon: Daemon) -> None:
    assert by_name(daemon)[1]["socket"]["level"] == "ok"
    daemon.socket.parent.chmod(0o755)
    assert by_name(daemon)[1]["socket"]["level"] == "ok"  # the socket itself lets nobody in
    daemon.socket.chmod(0o666)
    code, found = by_name(daemon)
    assert (code, found["socket"]["level"]) == (1, "fail")
    assert "chmod o=" in found["socket"]["hint"]


@pytest.mark.parametrize(("active", "level"), [("failed", "fail"), ("active", "ok")])
def test_a_service_that_has_failed_is_told(offline: Daemon, active: str, level: str) -> None:
    """systemd here is a script that says of both its instances what it would."""
    folder = offline.home / "bin"
    folder.mkdir()
    told = f"Id=htdl.service\nLoadState=loaded\nActiveState={active}\nUnitFileState=enabled\n"
    (folder / "systemctl").write_text(f"#!/bin/sh\nprintf '{told}'\n")
    (folder / "systemctl").chmod(0o755)
    offline.env["PATH"] = f"{folder}:{offline.env['PATH']}"
    code, found = by_name(offline)
    assert found["service"]["level"] == level
    assert code == (1 if active == "failed" else 3)


@pytest.mark.parametrize("level", list(Level))
def test_each_line_says_in_words_how_bad_it_is(level: Level) -> None:
    first, *rest = findings.lines(
        Finding("space", level, "one\x1b[31m two", "do this"), findings.Style(80, is_drawn=False)
    )
    assert first == f"{level.ljust(4)} space         one\\x1b[31m two"
    assert rest == ([] if level is Level.OK else [" " * 19 + "→ do this"])


def test_the_words_stand_below_each_other_whatever_the_name() -> None:
    for name in ("", "space", "database", *Blocked):
        (line,) = findings.lines(Finding(name, Level.OK, "words"), findings.Style(80, is_drawn=False))
        assert line.index(" words") == 18, name


def test_a_terminal_gets_a_mark_and_lines_that_fit() -> None:
    long = Finding("folders", Level.FAIL, "a folder " * 30, "a hint " * 30)
    drawn = findings.lines(long, findings.Style(80, is_drawn=True, is_coloured=True))
    assert "\x1b" not in findings.lines(long, findings.Style(80, is_drawn=True))[0]
    assert "✗" in drawn[0]
    assert len(drawn) > 4
    plain = [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in drawn]
    assert max(map(len, plain)) <= 80
