"""What systemd and the daemon tell each other, with a socket in systemd's place."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from htdl.answers import Health
from htdl.daemon import reports
from htdl.daemon.reports import Reports
from htdl.daemon.systemd import Notifier, watchdog_seconds
from htdl.errors import HtdlError
from htdl.jobs import Job, State
from tests.daemons import Daemon
from tests.tools import require
from tests.waiting import until

RUN = [sys.executable, "-m", "htdl", "daemon", "run"]
# What systemd does between fork and exec: descriptor 3 is the socket, and this process is the one meant.
ACTIVATED = [
    sys.executable,
    "-c",
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.environ['LISTEN_PID'] = os.environ['WATCHDOG_PID'] = str(os.getpid())\n"
    "os.execv(sys.argv[2], sys.argv[2:])",
]


class Supervisor:
    """Listens for a daemon, starts it, and hears what it tells."""

    def __init__(self, home: Path) -> None:
        self.daemon = Daemon(home)
        self.heard: list[str] = []
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(home / "notify"))
        self.hearing = threading.Thread(target=self._hear)  # as systemd does: what is not taken is lost
        self.hearing.start()
        self.daemon.socket.parent.mkdir(mode=0o700)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.daemon.socket))
        self.daemon.socket.chmod(0o600)
        self.listener.listen()

    def launch(self, passed: socket.socket, **environ: str) -> subprocess.Popen[bytes]:
        log = self.daemon.logfile.open("ab")
        self.daemon.process = subprocess.Popen(
            [*ACTIVATED, str(passed.fileno()), *RUN],
            env={
                **self.daemon.env,
                "NOTIFY_SOCKET": str(self.daemon.home / "notify"),
                "LISTEN_FDS": "1",
                "LISTEN_FDNAMES": "htdl.socket",
                "WATCHDOG_USEC": "2000000",
                **environ,
            },
            pass_fds=[passed.fileno()],
            stdout=log,
            stderr=log,
        )
        log.close()
        return self.daemon.process

    def told(self, words: str) -> str:
        """The first message that holds these words, once it has come; it is told once."""
        return until(lambda: self._next(words), what=lambda: f"{words}; heard {self.heard}")

    def _hear(self) -> None:
        while heard := self.ear.recv(4096):
            self.heard.append(heard.decode())

    def _next(self, words: str) -> str:
        found = next((x for x in self.heard if words in x), "")
        if found:
            self.heard.remove(found)
        return found

    def end(self) -> None:
        self.daemon.end()
        self.ear.shutdown(socket.SHUT_RDWR)
        self.hearing.join()
        self.ear.close()
        self.listener.close()


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path_factory.mktemp("systemd"))
    yield supervisor
    supervisor.end()


def test_the_life_of_a_service(supervisor: Supervisor) -> None:
    """One daemon from its start, by a client that was there first, to its end."""
    daemon = supervisor.daemon
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
        first.settimeout(30)
        first.connect(str(daemon.socket))
        first.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        process = supervisor.launch(supervisor.listener)
        supervisor.told("READY=1")
        assert first.recv(12).startswith(b"HTTP/1.1 ")
    supervisor.told("STATUS=idle")
    supervisor.told("WATCHDOG=1")
    supervisor.told("WATCHDOG=1")
    assert daemon.client.health().pid == process.pid

    assert daemon.client.reload()["changed"] == []
    moment = supervisor.told("RELOADING=1").splitlines()[1]
    assert moment.startswith("MONOTONIC_USEC=")
    assert moment.removeprefix("MONOTONIC_USEC=").isdigit()
    supervisor.told("READY=1")

    assert daemon.htdl("daemon", "run").returncode == 9, "a second one is refused, and not disturbing"
    stopped = daemon.htdl("daemon", "stop")
    supervisor.told("STOPPING=1")
    assert process.wait(30) == 0
    assert "systemctl --user stop htdl.socket" in stopped.stdout
    assert daemon.socket.is_socket(), "it is not the daemon's to remove"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as next_one:
        next_one.connect(str(daemon.socket))


def test_a_socket_of_another_kind_is_refused(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        assert supervisor.launch(tcp).wait(30) == 2
    assert "systemd passed a socket of another kind (AF_INET, SOCK_STREAM)" in supervisor.daemon.log()


def test_a_socket_that_everybody_may_name_is_refused(supervisor: Supervisor) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as abstract:
        abstract.bind(f"\0htdl-test-{os.getpid()}")
        abstract.listen()
        assert supervisor.launch(abstract).wait(30) == 2
    assert "systemd passed a socket without a path" in supervisor.daemon.log()


def test_two_sockets_are_refused(supervisor: Supervisor) -> None:
    assert supervisor.launch(supervisor.listener, LISTEN_FDS="2", LISTEN_FDNAMES="a:b").wait(30) == 2
    assert "systemd passed 2 sockets (a:b)" in supervisor.daemon.log()


def test_a_socket_for_everybody_is_refused(supervisor: Supervisor) -> None:
    supervisor.daemon.socket.chmod(0o666)
    assert supervisor.launch(supervisor.listener).wait(30) == 2
    assert "everybody may use the socket" in supervisor.daemon.log()


def test_a_socket_whose_file_has_gone_is_refused(supervisor: Supervisor) -> None:
    supervisor.daemon.socket.unlink()
    assert supervisor.launch(supervisor.listener).wait(30) == 2
    assert "is not there any more" in supervisor.daemon.log()


def test_with_systemds_own_activation(tmp_path: Path) -> None:
    activate = require("systemd-socket-activate")
    daemon = Daemon(tmp_path / "home")
    daemon.socket.parent.mkdir(mode=0o700)
    old = os.umask(0o077)  # it gives the socket no mode of its own
    log = daemon.logfile.open("wb")
    command = [activate, f"--listen={daemon.socket}", "--fdname=htdl.socket", *RUN]
    passed = [f"--setenv={name}={value}" for name, value in daemon.env.items()]
    command[1:1] = passed
    daemon.process = subprocess.Popen(command, env=daemon.env, stdout=log, stderr=log)
    log.close()
    os.umask(old)
    try:
        until(daemon.answers, what=daemon.log)  # its socket is there before anything listens on it
        assert daemon.client.health().pid == daemon.process.pid, "who connects first starts it"
        assert daemon.stop() == 0
        assert daemon.socket.exists()
    finally:
        daemon.end()


# the words


def notifier(folder: Path) -> tuple[Notifier, socket.socket]:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(folder / "n"))
    ear.setblocking(False)
    return Notifier({"NOTIFY_SOCKET": str(folder / "n")}), ear


def test_a_status_is_told_once_and_on_one_line(tmp_path: Path) -> None:
    told, ear = notifier(tmp_path)
    with ear:
        for words in ("one", "one", "two\nREADY=1", "x" * 1000):
            told.status(words)
        assert [ear.recv(2000).decode() for _ in range(3)] == [
            "STATUS=one",
            "STATUS=two READY=1",
            f"STATUS={'x' * 500}",
        ]
        with pytest.raises(BlockingIOError):
            ear.recv(100)


async def test_a_status_follows_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "STATUS_SECONDS", 0.001)
    told, ear = notifier(tmp_path)
    jobs: list[Job] = []
    telling = asyncio.create_task(Reports(told, None, lambda: jobs).tell_status())  # type: ignore[arg-type]
    with ear:
        for words in ("idle", "1 paused"):
            assert await asyncio.get_running_loop().sock_recv(ear, 100) == f"STATUS={words}".encode()
            jobs.append(job(status=State.PAUSED))
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


def job(**fields: Any) -> Job:
    return Job(id="1", video_id="", torrent_id="", created_at="", updated_at="", **fields)


def test_what_systemd_waits_for_is_told_also_when_it_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("htdl.daemon.systemd.PATIENCE_SECONDS", 60.0)  # not all that a test is busy with
    told, ear = notifier(tmp_path)
    with ear:
        for _ in range(5000):  # more than fit: sysctl net.unix.max_dgram_qlen
            told.alive()
        telling = threading.Thread(target=told.ready)
        telling.start()
        ear.setblocking(True)
        ear.settimeout(30)
        while (heard := ear.recv(100)) == b"WATCHDOG=1":
            pass
        telling.join()
    assert heard == b"READY=1"


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0htdl-test-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@htdl-test-{os.getpid()}"}).ready()
        assert ear.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    told = Notifier({"NOTIFY_SOCKET": address})
    told.ready()
    assert told.is_heard == (address == "/nowhere/at/all")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_how_often_the_watchdog_is_fed(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ, 7) == seconds


@pytest.mark.parametrize(
    ("checks", "is_fed"),
    [
        ({"engine": "ok", "database": "ok", "disk": "full"}, True),
        ({"engine": "libtorrent does not answer", "database": "ok"}, False),
        ({"engine": "ok", "database": "disk image is malformed"}, False),
        ({"engine": "ok"}, False),
        (None, False),
    ],
)
async def test_the_watchdog_is_fed_only_while_the_vital_parts_answer(
    tmp_path: Path, checks: dict[str, str] | None, is_fed: bool
) -> None:
    told, ear = notifier(tmp_path)
    asked = asyncio.Event()

    async def health() -> Health:
        asked.set()
        if checks is None:
            raise HtdlError("the database has gone")
        return Health(ok=False, version="", pid=0, checks=checks)

    feeding = asyncio.create_task(Reports(told, health, list).feed_watchdog({"WATCHDOG_USEC": "9000000"}))
    await asked.wait()
    await asyncio.sleep(0)  # it says so, or not, before it sleeps
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    with ear:
        if is_fed:
            assert ear.recv(100) == b"WATCHDOG=1"
        else:
            with pytest.raises(BlockingIOError):
                ear.recv(100)


async def test_a_stop_that_lasts_asks_for_more_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdl.daemon.systemd.STOP_SECONDS", 0.001)
    told, ear = notifier(tmp_path)
    stopping = asyncio.Event()
    stopping.set()
    await told.tell_stop(stopping)
    with ear:
        assert ear.recv(100) == b"STOPPING=1\nSTATUS=stopping"
        assert ear.recv(100) == b"EXTEND_TIMEOUT_USEC=10000000"


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([], "idle"),
        ([{"status": State.PAUSED}], "1 paused"),
        (
            [{"status": State.DOWNLOADING, "download_speed": 2_000_000}, {"status": State.PENDING}],
            "1 downloading, 1 waiting; 2.0 MB/s down, 0.0 MB/s up",
        ),
        (
            [{"status": State.COMPLETED, "seeding": True, "upload_speed": 150_000}] * 2,
            "2 seeding; 0.0 MB/s down, 0.3 MB/s up",
        ),
        ([{"status": State.CONVERTING}], "1 converting"),
    ],
)
def test_what_the_jobs_do_in_words(jobs: list[dict[str, Any]], words: str) -> None:
    assert reports.words([job(**fields) for fields in jobs]) == words
