"""Bad input through the real command line and socket: a clear no, no job, and a daemon that goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from htdl.client import Client
from htdl.errors import Refused
from tests.daemons import Daemon
from tests.processes import cpu_seconds
from tests.swarm import Swarm
from tests.torrents import make_info, make_torrent, with_files
from tests.waiting import until

HASH = "c3" * 20


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon as it is by default: nothing on the local network may be reached."""
    daemon = Daemon(tmp_path_factory.mktemp("hostile"), {"torrent": {"allow_lan": False}})
    daemon.start()
    yield daemon
    daemon.end()


def refuses(
    daemon: Daemon, source: str, *words: str, stdin: object = None, codes: tuple[int, ...] = (5,)
) -> None:
    """`htdl add` says no in these words, comes to an end with it, and leaves nothing behind."""
    options = {} if stdin is None else {"stdin": stdin}
    answer = daemon.htdl("add", "--no-start", source, **options)
    assert answer.returncode in codes, answer
    said = answer.stderr.lower()
    assert all(word.lower() in said for word in words), answer.stderr
    assert "traceback" not in said
    assert answer.stdout == ""
    assert all(character.isprintable() or character == "\n" for character in answer.stderr), answer.stderr
    assert daemon.client.jobs() == []
    until(lambda: daemon.client.health().ok)


# --- magnets and hashes


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nonsense", ["nonsense"]),
        ("", ["no magnet"]),
        ("ftp://example.org/a.torrent", ["ftp"]),
        ("magnet:", ["info-hash"]),
        ("magnet:?dn=video", ["info-hash"]),
        ("magnet:?xt=urn:btih:zz", ["length"]),
        ("magnet:?xt=urn:btih:" + "z" * 40, ["not an info-hash"]),
        ("magnet:?xt=urn:btih:" + "0" * 40, ["zeros"]),
        ("0" * 40, ["zeros"]),
        ("magnet:?xt=urn:btmh:1220" + "0" * 64, ["zeros"]),
        (f"magnet:?xt=urn:btih:{HASH}&xt=urn:btih:{'d4' * 20}", ["several"]),
        (f"magnet:?xt=urn:btih:{HASH}" + "&x.pe=1.2.3.4:5" * 300, ["peers"]),
        (
            f"magnet:?xt=urn:btih:{HASH}" + "".join(f"&tr=http://t{n}.example/a" for n in range(600)),
            ["trackers"],
        ),
        (f"magnet:?xt=urn:btih:{HASH}&dn=" + "x" * 100_000, ["long"]),
        ("\u202e\u2066evil", ["no magnet"]),
    ],
    ids=lambda value: (
        None if isinstance(value, list) else str(value)[:30].encode("ascii", "replace").decode()
    ),
)
def test_what_is_no_magnet(shut: Daemon, source: str, words: list[str]) -> None:
    refuses(shut, source, *words, codes=(2, 5))


# --- files that are none


def fifo(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"d4:info")
        file.truncate(1 << 40)


def unreadable_link(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, []),
        (Path.mkdir, ["folder"]),
        (fifo, []),
        (huge, ["larger than"]),
        (unreadable_link, []),
        (Path.touch, ["empty"]),
        (lambda path: path.write_bytes(b"\0" * 5000), ["not a .torrent"]),
        (lambda path: path.write_bytes(b"<html>log in</html>"), ["web page"]),
    ],
    ids=["missing", "directory", "fifo", "1 TiB", "link loop", "empty", "zeros", "web page"],
)
def test_what_is_no_torrent_file(
    shut: Daemon, tmp_path: Path, make: Callable[[Path], object], words: list[str]
) -> None:
    path = tmp_path / "video.torrent"
    make(path)
    refuses(shut, str(path), *words, codes=(2, 5))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_no_torrent(shut: Daemon, device: str) -> None:
    refuses(shut, device, codes=(2, 5))


def test_an_endless_standard_input_is_cut_off(shut: Daemon) -> None:
    with Path("/dev/zero").open("rb") as endless:
        refuses(shut, "-", stdin=endless, codes=(2, 5))


# --- torrents that mean harm


def deep(number: int) -> bytes:
    return b"d4:info" + b"l" * number + b"e" * number + b"e"


HOSTILE: dict[str, tuple[bytes, list[str]]] = {
    "cut short": (make_torrent()[:-30], ["valid"]),
    "deep": (deep(200_000), ["nested"]),
    "many parts": (b"d4:infol" + b"le" * 1_000_000 + b"ee", ["parts"]),
    "a length without end": (b"d4:info99999999999:x", ["valid"]),
    "11 MiB": (make_torrent(make_info(), comment="x" * (11 << 20)), ["larger than"]),
    "piece length 0": (make_torrent(make_info(piece_length=16384, **{"piece length": 0})), ["piece length"]),
    "piece length -1": (make_torrent(make_info(**{"piece length": -1})), ["piece length"]),
    "piece length 1 TiB": (make_torrent(make_info(**{"piece length": 1 << 40})), ["piece length"]),
    "length -1": (make_torrent(make_info(length=-1)), ["valid"]),
    "length 2**62": (make_torrent(make_info(length=1 << 62)), ["valid"]),
    "no pieces": (make_torrent(make_info(pieces=None)), ["valid"]),
    "100,000 trackers": (
        make_torrent(**{"announce-list": [[f"http://t{n}.example/a"] for n in range(100_000)]}),
        ["refused"],
    ),
    "600 trackers": (
        make_torrent(**{"announce-list": [[f"http://t{n}.example/a"] for n in range(600)]}),
        ["trackers"],
    ),
    "dot dot": (make_torrent(with_files([{"path": ["..", "..", "evil"]}])), ["out of its folder"]),
    "dot dot name": (make_torrent(make_info("..")), ["out of its folder"]),
    "absolute": (make_torrent(make_info("/etc/passwd")), ["separator"]),
    "absolute path": (make_torrent(with_files([{"path": ["/etc/passwd"]}])), ["separator"]),
    "backslash": (make_torrent(make_info("..\\..\\evil")), ["separator"]),
    "NUL": (make_torrent(make_info("video\0.mkv")), ["control"]),
    "escape sequence": (make_torrent(make_info("video\x1b[2J.mkv")), ["control"]),
    "right to left": (make_torrent(make_info("video\u202evkm.exe")), ["turn its letters"]),
    "symlink": (
        make_torrent(with_files([{"path": ["a"], "attr": "l", "symlink path": ["..", "etc"]}])),
        ["symbolic link"],
    ),
    "name of 300 bytes": (make_torrent(make_info("x" * 300)), ["300 bytes"]),
    "path of 6,000 bytes": (make_torrent(with_files([{"path": ["x" * 200] * 30}])), ["path"]),
    "an empty name": (make_torrent(make_info("")), ["empty"]),
    "20,001 files": (
        make_torrent(with_files([{"path": [f"{n}.mkv"]} for n in range(20_001)])),
        ["refused"],
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_torrent_that_means_harm(shut: Daemon, tmp_path: Path, name: str) -> None:
    raw, words = HOSTILE[name]
    path = tmp_path / "video.torrent"
    path.write_bytes(raw)
    refuses(shut, str(path), *words)
    assert list(shut.downloads.glob("**/*")) == []


def test_the_daemon_answers_others_meanwhile(shut: Daemon, tmp_path: Path) -> None:
    """The largest torrents that are read at all, one after the other; a question beside them is answered.

    How long that takes is counted in what the daemon works until then: a busy machine lets all wait longer.
    One answer may be late, where who asks stood still; a torrent that keeps others waiting comes twice.
    """
    worst = [
        make_torrent(with_files([{"path": [f"{n}.mkv"]} for n in range(9_000)]), comment="x" * (9 << 20)),
        b"d4:infol" + b"le" * 4_000_000 + b"ee",
    ]
    done = threading.Event()

    def torment() -> None:
        for raw in worst * 2:
            try:
                Client(shut.socket, timeout=100).add(torrent=raw, paused=True)
            except Exception:  # refused or not, the others' answers are what counts
                continue
        done.set()

    thread = threading.Thread(target=torment)
    thread.start()
    took: list[float] = []
    while not done.is_set():
        begun = cpu_seconds(shut.pid)
        shut.client.health()
        took.append(cpu_seconds(shut.pid) - begun)
    thread.join()
    for job in shut.client.jobs():
        shut.client.cancel(job.id, delete=True)
        until(lambda job=job: shut.client.job(job.id).has_ended)
        shut.client.remove(job.id)
    assert sorted(took)[-2] < 1.0, took


# --- URLs


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """An HTTP server whose one answer is whatever `answer` sends; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(4096)
                    answer(connection)
                except OSError:  # it has heard enough
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/video.torrent"
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nd4:info")
    while True:
        connection.sendall(b"1:x" * 20_000)


def too_long(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\nd")


def in_a_circle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /video.torrent\r\nContent-Length: 0\r\n\r\n")


def to_a_file(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")


def broken(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nd4:info")


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("free"))
    daemon.start()
    yield daemon
    daemon.end()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (endless, ["too much"]),
        (too_long, ["too much"]),
        (in_a_circle, ["redirects"]),
        (to_a_file, ["not an http"]),
        (broken, ["broke off"]),
    ],
)
def test_a_url_that_means_harm(
    free: Daemon, answer: Callable[[socket.socket], None], words: list[str]
) -> None:
    with serving(answer) as url:
        refuses(free, url, *words)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "0.0.0.0"]
)
def test_a_url_of_the_local_network_is_not_fetched(shut: Daemon, host: str) -> None:
    asked: list[bytes] = []
    with serving(lambda connection: asked.append(b"!")) as url:
        refuses(shut, url.replace("127.0.0.1", host))
    assert asked == []


# --- links that somebody put where the files will be


@pytest.mark.parametrize("knows_files", [True, False])
def test_nothing_is_written_through_a_planted_link(
    free: Daemon, swarm: Swarm, tmp_path: Path, knows_files: bool
) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = free.downloads / f"planted-{knows_files}"
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(outside)
    given = {"torrent": torrent.metainfo} if knows_files else {"source": torrent.magnet}
    job = free.client.add(**given, video_id=folder.name)
    failed = until(lambda: (x := free.client.job(job.id)).has_ended and x)
    assert (failed.status, failed.error_code) == ("FAILED", "io_error")
    assert "symbolic link" in str(failed.error_message)
    assert str(folder) in str(failed.error_message)
    assert list(outside.iterdir()) == []
    free.client.remove(job.id)


# --- a daemon that is somebody else's

LURE = """
import os, socket
os.mkdir("runtime"); os.chown("runtime", 65534, 65534); os.setuid(65534)
listener = socket.socket(socket.AF_UNIX); listener.bind("runtime/s"); listener.listen()
os.chmod("runtime/s", 0o666); print("ready", flush=True)
while True:
    listener.accept()[0].close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_that_another_user_has_put_in_a_common_folder_is_not_asked() -> None:
    with TemporaryDirectory() as common:
        Path(common).chmod(0o1777)
        command = [sys.executable, "-c", LURE]
        with subprocess.Popen(command, cwd=common, stdout=subprocess.PIPE) as lure:
            try:
                assert lure.stdout
                assert lure.stdout.readline() == b"ready\n"
                with pytest.raises(Refused, match="another user"):
                    Client(Path(common) / "runtime" / "s").add("c3" * 20)
            finally:
                lure.kill()
