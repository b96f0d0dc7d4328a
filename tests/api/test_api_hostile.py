"""Requests that mean harm, or come from something that is not a client.  After each the daemon answers."""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from htdl import wire
from htdl.api.server import MAX_CONNECTIONS
from htdl.errors import NoDaemon
from tests.api.serving import HASTY, Serving, read_all
from tests.waiting import until

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\n"
CLOSE = b"Connection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def _still_answers(request: pytest.FixtureRequest) -> Iterator[None]:
    serving: Serving = request.getfixturevalue("hasty" if "hasty" in request.fixturenames else "served")
    yield
    until(lambda: is_well(serving), what="the daemon answers")


def is_well(serving: Serving) -> bool:
    """Not, where a client is slower than a hasty daemon waits."""
    with contextlib.suppress(NoDaemon):
        return serving.client.health().ok
    return False


def status_and_code(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"{wire.VERSION_HEADER}:".encode() in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def dribble_until_closed(sock: socket.socket, first: bytes, more: bytes) -> bytes:
    """What is heard meanwhile; a piece goes out every 50 ms, for as long as the server lets us."""
    sock.settimeout(0.05)
    heard: list[bytes] = []
    pieces = itertools.chain([first], itertools.repeat(more))

    def is_closed() -> bool:
        with contextlib.suppress(BrokenPipeError):
            sock.send(next(pieces))
        try:
            heard.append(sock.recv(1 << 16))
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        return not heard[-1]

    until(is_closed, what="the server closes")
    return b"".join(heard)


def test_a_header_that_comes_byte_by_byte_is_cut_off(hasty: Serving) -> None:
    begun = time.monotonic()
    with hasty.connect() as sock:
        dribble_until_closed(sock, GET + b"X: ", b"x")
    assert time.monotonic() - begun > HASTY * 0.8


def test_a_second_header_that_comes_byte_by_byte_is_cut_off(hasty: Serving) -> None:
    with hasty.connect() as sock:
        heard = dribble_until_closed(sock, GET + b"\r\n" + GET + b"X: ", b"x")
    assert heard.startswith(b"HTTP/1.1 200")
    assert heard.count(b"HTTP/1.1") == 1


def test_a_connection_that_says_nothing_is_closed(hasty: Serving) -> None:
    with hasty.connect() as sock:
        assert dribble_until_closed(sock, b"", b"") == b""


@pytest.mark.parametrize("frame", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_does_not_come_is_told_so_and_cut_off(hasty: Serving, frame: bytes) -> None:
    assert status_and_code(hasty.talk(POST + frame)) == (408, "too_slow")


def test_a_body_that_never_ends_is_cut_off(hasty: Serving) -> None:
    with hasty.connect() as sock:
        dribble_until_closed(sock, POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")


def test_a_body_that_is_declared_too_large_is_refused_unread(hasty: Serving) -> None:
    assert status_and_code(hasty.talk(POST + b"Content-Length: 99999999999\r\n\r\n")) == (413, "too_large")


def test_a_chunked_body_that_grows_too_large_is_refused(hasty: Serving) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

    def send() -> None:
        with contextlib.suppress(OSError):  # the server hangs up in the middle
            for _ in range(20):
                sock.sendall(chunk)

    with hasty.connect() as sock:
        sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        sender = threading.Thread(target=send)
        sender.start()
        answer = read_all(sock)
        sender.join()
    assert status_and_code(answer) == (413, "too_large")


def test_500_silent_connections_do_not_keep_others_out(served: Serving) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(served.connect()) for _ in range(500)]
        assert served.client.health().ok
        for sock in silent:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):  # each was there meanwhile
                sock.recv(1)


def test_500_silent_connections_are_closed_in_time(hasty: Serving) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(hasty.connect()) for _ in range(500)]
        assert [sock.recv(1) for sock in silent] == [b""] * 500


def test_more_connections_than_there_is_room_for_are_closed_at_once(served: Serving) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(served.connect())
        many = [stack.enter_context(served.connect()) for _ in range(MAX_CONNECTIONS + 49)]
        first.sendall(GET + b"\r\n")
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert [read_all(sock) for sock in many[MAX_CONNECTIONS - 1 :]] == [b""] * 50
        many[MAX_CONNECTIONS - 2].setblocking(False)
        with pytest.raises(BlockingIOError):  # those that came in time are still there
            many[MAX_CONNECTIONS - 2].recv(1)
        many[0].close()
        until(lambda: is_well(served), what="there is room again")


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /api/v1/../../etc/passwd HTTP/1.1",
        b"GET //api/v1/jobs HTTP/1.1",
        b"GET /api/v1/jobs/ HTTP/1.1",
        b"GET /api/v1/jobs/%2e%2e/%2e%2e HTTP/1.1",
        b"GET /api/v1/\xff\xfe HTTP/1.1",
        b"GET /%ff%00 HTTP/1.1",
        b"GET /%zz HTTP/1.1",
    ],
)
def test_a_tricky_path_leads_nowhere(served: Serving, request_line: bytes) -> None:
    status, code = status_and_code(served.talk(request_line + b"\r\nHost: x\r\n" + CLOSE))
    assert (status, code) in {(404, "no_such_route"), (400, "bad_request")}


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",  # TLS
        b"\0" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\0T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
        GET + b"Bad\0Name: x\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        GET + b"".join(b"X-%d: a\r\n" % n for n in range(5000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        POST + b"Content-Length: -5\r\n\r\nhello",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_not_http_is_told_so(served: Serving, raw: bytes) -> None:
    assert status_and_code(served.talk(raw)) == (400, "bad_request")


def test_a_browser_is_kept_out(served: Serving) -> None:
    answer = served.talk(GET + b"Origin: http://evil.example\r\n" + CLOSE)
    assert status_and_code(answer) == (403, "forbidden")


def test_an_expectation_it_does_not_know_is_refused(served: Serving) -> None:
    assert served.talk(POST + b"Expect: magic\r\n" + CLOSE).startswith(b"HTTP/1.1 417")


def test_one_connection_serves_many_requests(served: Serving) -> None:
    with served.connect() as sock:
        for _ in range(20):
            sock.sendall(GET + b"\r\n")
            assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_http_1_0_is_answered_and_closed(served: Serving) -> None:
    assert served.talk(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200")


def test_a_thousand_pipelined_requests_are_answered(served: Serving) -> None:
    answer = served.talk((GET + b"\r\n") * 999 + GET + CLOSE)
    assert answer.count(b"HTTP/1.1 200 OK") == 1000


def test_a_client_that_reads_no_answer_is_hung_up_on(hasty: Serving) -> None:
    with hasty.connect() as sock:
        sock.setblocking(False)
        begun = time.monotonic()
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send((GET + b"\r\n") * 100)
        watch = select.poll()
        watch.register(sock, select.POLLHUP)
        assert watch.poll(30_000)
        assert time.monotonic() - begun > HASTY


def test_a_client_that_leaves_in_the_middle_is_forgotten(served: Serving) -> None:
    for part in (GET, GET + b"\r\n", POST + b"Content-Length: 9\r\n\r\n{"):
        with served.connect() as sock:
            sock.sendall(part)


def test_another_user_is_kept_out_even_when_the_file_modes_are_lost(served: Serving) -> None:
    if subprocess.run(["id", "-u"], capture_output=True, check=True).stdout.strip() != b"0":
        pytest.skip("only root can become somebody else")
    served.socket.chmod(0o666)
    served.socket.parent.chmod(0o711)
    script = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect('htdl.sock');"
        "s.sendall(b'GET /health HTTP/1.0\\r\\n\\r\\n'); sys.stdout.buffer.write(s.recv(65536))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=served.socket.parent, capture_output=True, timeout=60
    )
    assert status_and_code(told.stdout) == (403, "forbidden"), told.stderr
