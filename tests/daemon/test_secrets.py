"""What opens a door stays inside: passkeys, passwords and tokens, and the files that hold them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.daemons import Daemon
from tests.torrents import bencode
from tests.waiting import until

SECRETS = ("PASSKEY0123456789abcdef", "QUERYKEY0123456789abcdef", "hunter2", "alibaba")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("secrets"))
    mask = os.umask(0)  # so that every mode is the daemon's own choice
    try:
        daemon.start()
    finally:
        os.umask(mask)
    yield daemon
    daemon.end()


def answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@contextmanager
def private_site() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that knows everyone by their key: its address with all secrets, and who asked for what.

    As a tracker it refuses, as a site it gives a magnet that is announced to that tracker.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[str] = []
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    url = f"http://{SECRETS[3]}:{SECRETS[2]}@{host}/{SECRETS[0]}"

    magnet = f"magnet:?xt=urn:btih:{'d4' * 20}&tr={url}/announce%3Fk={SECRETS[1]}"

    def answer(line: str) -> bytes:
        if "/announce" in line:
            return answered(bencode({"failure reason": "this torrent is not registered"}))
        if "/a.torrent" in line:
            return f"HTTP/1.1 302 Found\r\nLocation: {magnet}\r\nContent-Length: 0\r\n\r\n".encode()
        return answered(b"<html>")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # who asked may have hung up
                connection.settimeout(30)
                asked.append(connection.recv(4096).split(b"\r\n")[0].decode())
                connection.sendall(answer(asked[-1]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield url, asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def told_by(daemon: Daemon, job_id: str) -> dict[str, str]:
    """All that the daemon and the command line say of a job, by where they say it."""
    event = next(iter(daemon.client.events()))
    said = {"events": json.dumps(event), "log": daemon.log(), "stats": daemon.htdl("stats").stdout}
    for args in (["show", job_id], ["show", job_id, "--json"], ["status"], ["status", "--json"]):
        answer = daemon.htdl(*args)
        said[" ".join(args)] = answer.stdout + answer.stderr
    said["ps"] = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return said


def assert_no_secret(said: dict[str, str]) -> None:
    found = [(place, secret) for place, text in said.items() for secret in SECRETS if secret in text]
    assert not found


def test_a_private_trackers_keys_are_told_nowhere(daemon: Daemon) -> None:
    with private_site() as (url, asked):
        source = f"{url}/a.torrent?k={SECRETS[1]}"
        job = daemon.client.add(source)
        announced = until(lambda: [line for line in asked if "/announce" in line])
        assert SECRETS[0] in announced[0], "which does get them"
        until(lambda: "not registered" in daemon.client.job(job.id).detail)
        said = told_by(daemon, job.id)
    assert "not registered" in said["show " + job.id]
    assert job.info_hash in said["events"]
    assert_no_secret(said)
    daemon.client.cancel(job.id, delete=True)


def test_a_magnets_keys_are_told_nowhere(daemon: Daemon) -> None:
    tracker = f"http://{SECRETS[3]}:{SECRETS[2]}@127.0.0.1:9/{SECRETS[0]}/announce%3Fk={SECRETS[1]}"
    job = daemon.client.add(
        f"magnet:?xt=urn:btih:{'c3' * 20}&dn=film&tr={tracker}&tr=udp://127.0.0.1:9/announce"
    )
    assert job.source.startswith(f"magnet:?xt=urn:btih:{'c3' * 20}&dn=film&tr=")
    assert job.source.endswith("&tr=udp%3A%2F%2F127.0.0.1%3A9%2Fannounce")
    assert_no_secret(told_by(daemon, job.id))
    daemon.client.cancel(job.id, delete=True)


@pytest.mark.parametrize("rest", ["login.php", "a:b@[", "x.torrent#"])
def test_a_source_that_fails_is_told_without_its_keys(daemon: Daemon, rest: str) -> None:
    with private_site() as (url, _):
        told = daemon.htdl("add", f"{url}/{rest}?k={SECRETS[1]}".replace(".torrent", ".php"))
    assert told.returncode == 5, told
    assert_no_secret({"told": told.stdout + told.stderr, "log": daemon.log()})


def test_a_bad_magnet_is_told_without_its_keys(daemon: Daemon) -> None:
    told = daemon.htdl("add", f"magnet:?tr=http://127.0.0.1/{SECRETS[0]}/announce&xt=urn:btih:zz")
    assert told.returncode == 5, told
    assert_no_secret({"told": told.stdout + told.stderr, "log": daemon.log()})


def test_what_holds_them_is_this_users_alone(daemon: Daemon) -> None:
    daemon.client.health()
    private = [daemon.state, *daemon.state.iterdir(), daemon.socket.parent, daemon.socket]
    assert {"htdl.db", "htdl.db-wal", "htdl.lock"} <= {path.name for path in private}
    assert {path.name: oct(stat.S_IMODE(path.lstat().st_mode) & 0o077) for path in private} == dict.fromkeys(
        (path.name for path in private), "0o0"
    )


def test_a_state_folder_that_others_could_enter_is_closed(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "d")
    daemon.state.mkdir(mode=0o777, parents=True)
    daemon.state.chmod(0o777)
    daemon.start()
    try:
        assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o700
    finally:
        daemon.end()


def test_a_state_folder_of_everyones_is_refused(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "d")
    daemon.state.mkdir(parents=True)
    (daemon.state / "another").touch()
    daemon.state.chmod(0o777)
    told = daemon.htdl("daemon", "run")
    daemon.end()
    assert told.returncode == 9, told
    assert "chmod" in told.stderr
    assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o777
