"""The daemon's two doors under attack: a real daemon, real sockets, and memory that stays where it was.

The attackers of the control socket are programs of this user; those of the video port are any program of this
machine and, through a browser, any page of the web.
"""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from htdl import wire
from tests.daemons import Daemon
from tests.processes import cpu_seconds, open_files, rss_bytes
from tests.torrents import mutated
from tests.waiting import until

Connect = Callable[[], socket.socket]

MALFORMED = 10_000
AT_ONCE = 500
IN_FLIGHT = 50
HASTE_SECONDS = 0.001  # for an answer; while it is waited for, the daemon gets to the others
FLAT_BYTES = 12 << 20  # by which memory may grow; a leak of one request of 2 KiB would be 20 MiB
SOME_FILES = 5  # that the daemon opens in its own time
ANSWER_SECONDS = 2.0  # that the daemon works at most until a question beside the attack is answered

JOB = "3f2a91bc-0000-4000-8000-000000000000"
REQUESTS = [
    b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/jobs?status=failed&limit=3 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b'POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"source":"abcd"}',
    b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    f"PATCH /api/v1/jobs/{JOB} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
    f"GET /stream/{JOB}/{'x' * 22}/0/film.mkv HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9,20-\r\n\r\n".encode(),
    f'GET /watch/{JOB}/{"x" * 22}/status?file=0 HTTP/1.1\r\nHost: x\r\nIf-Range: "a"\r\n\r\n'.encode(),
    b'GET /static/watch.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: "a"\r\n\r\n',
]


@contextmanager
def attacked(folder: Path) -> Iterator[Daemon]:
    daemon = Daemon(folder, {"torrent": {"allow_lan": False}})
    daemon.start()
    until(lambda: "jobs loaded" in daemon.log())
    try:
        yield daemon
    finally:
        daemon.end()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with attacked(tmp_path_factory.mktemp("attacked")) as daemon:
        yield daemon


@pytest.fixture(params=["socket", "video"])
def flooded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Daemon, Connect]]:
    """One of its own, and either door of it: for some seconds after a flood it has room for fewer, since who
    began to send a body may still be waited for.
    """
    with attacked(tmp_path / "flooded") as daemon:
        yield daemon, door(daemon, request.param)


def door(daemon: Daemon, name: str) -> Connect:
    found = until(lambda: re.search(r"serving videos at=http://127\.0\.0\.1:(\d+)", daemon.log()))
    family, address = {
        "socket": (socket.AF_UNIX, str(daemon.socket)),
        "video": (socket.AF_INET, ("127.0.0.1", int(found[1]))),
    }[name]

    def connected() -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.connect(address)  # waits where the queue is full
        sock.settimeout(10)
        return sock

    return connected


@contextmanager
def asking(daemon: Daemon) -> Iterator[None]:
    """A client that goes on asking meanwhile: each answer comes, and in time.

    That is counted in what the daemon works until then: a busy machine lets all wait longer.  One answer may
    be late, where the client itself stood still; an attack that keeps others waiting does so each time.
    """
    took: list[float] = []
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            begun = cpu_seconds(daemon.pid)
            daemon.client.health()
            took.append(cpu_seconds(daemon.pid) - begun)
            stopping.wait(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
        so_far = len(took)
        until(lambda: len(took) >= so_far + 3)  # those that began under the attack
    finally:
        stopping.set()
        thread.join()
    assert sorted(took)[-2] < ANSWER_SECONDS


def throw_many(connect: Connect, count: int, seed: int) -> Counter[bytes]:
    """So many mutated requests, a connection each; how often each status line came back.

    Many wait for an end that does not come, so some are under way at once, and the oldest is hung up on.
    """
    random, heard = Random(seed), Counter[bytes]()
    under_way: deque[socket.socket] = deque()
    for number in range(count + IN_FLIGHT):
        if number < count:
            under_way.append(connect())
            with suppress(ConnectionError):
                under_way[-1].sendall(mutated(random.choice(REQUESTS), random))
        if number >= IN_FLIGHT:
            with under_way.popleft() as oldest, suppress(ConnectionError, TimeoutError):
                oldest.settimeout(HASTE_SECONDS)
                heard[oldest.recv(4096).split(b"\r\n")[0]] += 1
    return heard


def test_ten_thousand_malformed_requests_leave_no_trace(flooded: tuple[Daemon, Connect]) -> None:
    daemon, connect = flooded
    throw_many(connect, 500, 0)  # what is loaded once is loaded now
    before, files = rss_bytes(daemon.pid), open_files(daemon.pid)
    with asking(daemon):
        heard = throw_many(connect, MALFORMED, 1)
    until(lambda: open_files(daemon.pid) <= files + SOME_FILES)
    assert rss_bytes(daemon.pid) - before < FLAT_BYTES
    assert sum(heard[x] for x in heard if b" 400 " in x) > MALFORMED / 5, heard
    assert not any(b" 500 " in x for x in heard), heard
    assert "Traceback" not in daemon.log()
    assert daemon.client.jobs() == []


SLOW = {
    "nothing": b"",
    "half a header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: ",
    "half a body": b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{",
    "a chunk without end": b"POST /api/v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n{",
    "answers that nobody reads": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
    "events that nobody reads": b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", SLOW)
def test_500_clients_that_dawdle_keep_nobody_out(daemon: Daemon, name: str) -> None:
    connect = door(daemon, "socket")
    before, files = rss_bytes(daemon.pid), open_files(daemon.pid)
    with ExitStack() as stack, asking(daemon):
        crowd = [stack.enter_context(connect()) for _ in range(AT_ONCE)]
        for sock in crowd:
            with suppress(ConnectionError):
                sock.sendall(SLOW[name])
        until(lambda: open_files(daemon.pid) > files)
        grown = rss_bytes(daemon.pid) - before
    assert grown < 4 * FLAT_BYTES  # about 90 KiB a connection
    until(lambda: open_files(daemon.pid) <= files + SOME_FILES)
    until(lambda: daemon.client.health().ok)


def test_large_bodies_take_their_turn(daemon: Daemon) -> None:
    """Each is allowed; all at once they would fill the memory."""
    connect = door(daemon, "socket")
    size = wire.MAX_REQUEST_BYTES
    head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n{{".encode()
    before, files = rss_bytes(daemon.pid), open_files(daemon.pid)
    with ExitStack() as stack, asking(daemon):
        for _ in range(20):
            sock = stack.enter_context(connect())
            sock.settimeout(0.02)
            with suppress(ConnectionError, TimeoutError):
                sock.sendall(head + b" " * (12 << 20))
        grown = rss_bytes(daemon.pid) - before
    assert grown < 100 << 20  # 20 of them are 240 MiB
    until(lambda: open_files(daemon.pid) <= files + SOME_FILES)


def test_a_crowd_at_the_video_port_does_not_reach_the_control_socket(daemon: Daemon) -> None:
    connect = door(daemon, "video")
    before, files = rss_bytes(daemon.pid), open_files(daemon.pid)
    with ExitStack() as stack, asking(daemon):
        for _ in range(AT_ONCE):
            sock = stack.enter_context(connect())
            with suppress(ConnectionError):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        until(lambda: open_files(daemon.pid) > files)
        assert open_files(daemon.pid) - files < AT_ONCE  # the rest was turned away
        grown = rss_bytes(daemon.pid) - before
    assert grown < 4 * FLAT_BYTES
    until(lambda: open_files(daemon.pid) <= files + SOME_FILES)
