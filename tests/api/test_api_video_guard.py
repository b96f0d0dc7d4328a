"""Who is heard by the video server, and what cannot be reached through it."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from pathlib import Path

import pytest

from htdl.api import local
from htdl.errors import HtdlError
from htdl.stream.opening import open_regular
from tests.api.playing import BYTES, FILM, SIZE, Playing
from tests.api.serving import read_all

# Host and Origin


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_our_own_names_are_heard(whole: Playing, name: str) -> None:
    assert whole.get(Host=f"{name}:{whole.port}", Range="bytes=0-9").status == 206


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_another_name_is_refused_for_it_may_be_rebound_dns(whole: Playing, host: str) -> None:
    answer = whole.get(Host=host.format(port=whole.port))
    assert (answer.status, f"127.0.0.1:{whole.port}" in answer.body.decode()) == (403, True)


def test_two_names_are_refused(whole: Playing) -> None:
    with whole.connect() as sock:
        sock.sendall(whole.head(Connection="close").replace(b"\r\n\r\n", b"\r\nHost: evil.example\r\n\r\n"))
        assert b" 200 " not in read_all(sock).split(b"\r\n")[0]


def test_no_name_is_refused(whole: Playing) -> None:
    with whole.connect() as sock:
        sock.sendall(f"GET {whole.target()} HTTP/1.0\r\n\r\n".encode())
        assert read_all(sock).startswith(b"HTTP/1.0 403")


def test_our_own_pages_are_heard_and_no_others(whole: Playing) -> None:
    own = f"http://127.0.0.1:{whole.port}"
    assert whole.get(Range="bytes=0-9", Origin=own, Sec_Fetch_Site="same-origin").status == 206
    for origin in ("https://evil.example", "null", f"http://localhost:{whole.port}", own + "0", ""):
        answer = whole.get(Origin=origin)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Site": "none", "Mode": "navigate", "Dest": "document"}, 200),
        ({"Site": "same-origin", "Mode": "no-cors", "Dest": "video"}, 200),
        ({"Site": "cross-site", "Mode": "navigate", "Dest": "document"}, 200),
        ({"Site": "cross-site", "Mode": "navigate", "Dest": "iframe"}, 403),
        ({"Site": "cross-site", "Mode": "no-cors", "Dest": "video"}, 403),
        ({"Site": "same-site", "Mode": "no-cors", "Dest": "video"}, 403),
        ({"Site": "cross-site"}, 403),
    ],
)
def test_a_browser_that_says_it_asks_for_another_site_is_refused(
    whole: Playing, fields: dict[str, str], status: int
) -> None:
    assert whole.get(method="HEAD", **{f"Sec_Fetch_{x}": y for x, y in fields.items()}).status == status


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE", "TRACE"])
def test_nothing_but_reading_is_done(whole: Playing, method: str) -> None:
    answer = whole.get(method=method, Access_Control_Request_Method="GET")
    assert (answer.status, sorted(answer.headers["Allow"].split(","))) == (405, ["GET", "HEAD"])
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_only_loopback_is_listened_on(whole: Playing) -> None:
    with whole.connect() as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", whole.port))


# the token


def test_a_wrong_token_and_a_job_that_is_not_there_hear_the_same(whole: Playing) -> None:
    token = whole.world.service.links.token("no-such-job")
    wrong = whole.get(whole.target(token="wrong"))
    unknown = whole.get(f"/stream/no-such-job/{token}/1/x")
    other = whole.get(whole.target(token=token))
    no_file = whole.get(whole.target(9))
    assert {x.status for x in (wrong, unknown, other, no_file)} == {404}
    assert len({x.body for x in (wrong, unknown, other, no_file)}) == 1
    assert wrong.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "htdl url" in wrong.body.decode()


@pytest.mark.parametrize(
    "index", ["-1", "x", "1.0", "%31%00", "99999999999999999999", "../1", "%2e%2e", "１"]
)
def test_an_index_that_is_none_leads_nowhere(whole: Playing, index: str) -> None:
    target = whole.target().replace(f"/{FILM}/film", f"/{index}/film")
    assert b" 40" in _talk(whole, f"GET {target} HTTP/1.1\r\n".encode())[:12]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/stream/../../etc/passwd",
        "//stream/x",
        "/stream/%2e%2e/x/0/y",
        "/stream/x/y/0",
        "http://evil.example/stream/x/y/0/z",
        "*",
        "/static/../server.py",
        "/%ff%00",
        "",
    ],
)
def test_a_tricky_path_leads_nowhere(whole: Playing, path: str) -> None:
    assert b" 40" in _talk(whole, f"GET {path} HTTP/1.1\r\n".encode())[:12]


def _talk(playing: Playing, request_line: bytes, more: bytes = b"") -> bytes:
    with playing.connect() as sock:
        host = f"Host: 127.0.0.1:{playing.port}\r\n".encode()
        sock.sendall(request_line + host + more + b"Connection: close\r\n\r\n")
        return read_all(sock)


def test_the_token_is_in_no_log_line(whole: Playing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = whole.world.service.links.token(whole.job_id)
    whole.get()
    whole.get(whole.target(9))
    whole.get(Host="evil.example")
    whole.get(Origin="null")
    for line in (
        f"GET {whole.target()} HTTP/9.9\r\n",
        f"GET {whole.target()}{'x' * 10000} HTTP/1.1\r\n",
        f"G\x01T {whole.target()} HTTP/1.1\r\n",
    ):
        assert b" 400 " in _talk(whole, line.encode())
    assert b" 400 " in _talk(whole, f"GET {whole.target()} HTTP/1.1\r\n".encode(), b"Bad header\r\n")
    whole.path().unlink()
    assert whole.get().status == 404
    whole.world.service.streams._videos = None  # type: ignore[assignment] # a bug, whatever it be
    assert whole.get().status == 500
    assert "bug: method=GET route=/stream/{job}/{token}/{index}/{name}" in caplog.text
    assert token not in caplog.text


# headers that are too much


def test_headers_that_are_too_large_are_refused(whole: Playing) -> None:
    for more in (
        b"X: " + b"x" * 100_000 + b"\r\n",
        b"X: y\r\n" * 5000,
        b"Range: bytes=" + b"0-1," * 3000 + b"\r\n",
    ):
        answer = _talk(whole, f"HEAD {whole.target()} HTTP/1.1\r\n".encode(), more)
        assert answer[9:12] in {b"400", b"200"}
    assert whole.get(Range="bytes=0-9").body == BYTES[:10]


def test_a_header_that_does_not_end_is_cut_off(impatient: Playing) -> None:
    with impatient.connect() as sock:
        sock.sendall(impatient.head()[:-2])
        assert read_all(sock) == b""


# the disk


def _secret(folder: Path) -> Path:
    secret = folder / "secret"
    secret.write_bytes(b"s" * SIZE)
    return secret


def test_a_symlink_in_a_files_place_is_not_followed(whole: Playing, tmp_path: Path) -> None:
    whole.path().unlink()
    whole.path().symlink_to(_secret(tmp_path))
    answer = whole.get()
    assert (answer.status, b"ssss" in answer.body) == (404, False)


def test_a_symlink_in_a_folders_place_is_not_followed(whole: Playing, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    _secret(outside).rename(outside / whole.path().name)
    shutil.rmtree(whole.path().parent)
    whole.path().parent.symlink_to(outside)
    assert whole.get().status == 404


def test_what_is_no_file_is_not_read(whole: Playing) -> None:
    whole.path().unlink()
    os.mkfifo(whole.path())
    assert whole.get().status == 404
    whole.path().unlink()
    whole.path().mkdir()
    assert whole.get().status == 404


def test_a_job_folder_that_a_user_linked_elsewhere_is_read(whole: Playing, tmp_path: Path) -> None:
    moved = tmp_path / "other disk"
    whole.folder.rename(moved)
    whole.folder.symlink_to(moved)
    assert whole.get(Range="bytes=5-9").body == BYTES[5:10]


@pytest.mark.parametrize("path", ["folder/../secret", "secret", "folder", "other/x"])
def test_a_path_outside_its_folder_is_not_opened(tmp_path: Path, path: str) -> None:
    _secret(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="outside"):
        open_regular(tmp_path / "folder", tmp_path / path)


# the port


def test_a_port_that_is_taken_is_exchanged_for_a_free_one(caplog: pytest.LogCaptureFixture) -> None:
    with local.listen(0) as taken:
        port = taken.getsockname()[1]
        with local.listen(port) as other:
            assert other.getsockname()[1] not in {0, port}
    assert f"port={port}" in caplog.text
    assert len(caplog.records) == 1


def test_an_address_that_cannot_be_had_is_an_error_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ADDRESS", "192.0.2.1")  # of no machine, RFC 5737
    with pytest.raises(HtdlError, match=r"cannot listen on 192\.0\.2\.1"):
        local.listen(0)


def test_a_clients_connection_sends_small_answers_at_once(whole: Playing) -> None:
    """Nagle's algorithm would hold each small body back until the head is acknowledged."""

    async def options() -> list[int]:
        door = whole.server._door
        assert door
        requests = door._runner.server
        assert requests
        socks = [one.transport.get_extra_info("socket") for one in requests.connections if one.transport]
        return [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in socks]

    with whole.connect() as sock:
        sock.sendall(whole.head(method="HEAD"))
        assert sock.recv(100)
        assert whole.run(options()) == [1]
