"""Watching over HTTP while the download runs: the real daemon, a real swarm, exact bytes."""

from __future__ import annotations

import http.client
import random
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from htdl.jobs import State
from tests.daemon.downloads import completed, once
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

MakeDaemon = Callable[..., Daemon]

SIZE = 6 << 20
RATE = 200_000  # bytes a second: the whole takes half a minute, but where it is let go


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def ask(url: str, *, method: str = "GET", part: range | None = None) -> tuple[int, dict[str, str], bytes]:
    where = urlsplit(url)
    fields = {"Range": f"bytes={part.start}-{part.stop - 1}"} if part else {}
    with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as connection:
        connection.request(method, where.path, headers=fields)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()


def url_of(daemon: Daemon, job_id: str) -> str:
    return until(lambda: daemon.client.stream(job_id).url) or ""


def begin(daemon: Daemon, torrent: Torrent) -> tuple[str, str]:
    """A job, and where its main video is."""
    job = daemon.client.add(torrent.magnet)
    return job.id, url_of(daemon, job.id)


def test_a_video_is_read_while_it_arrives_byte_for_byte(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=RATE)
    job, url = begin(daemon, torrent)
    status, headers, first = ask(url, part=range(100_000))
    assert (status, headers["Content-Type"]) == (206, "video/x-matroska")
    assert first == torrent.content("video.mkv")[:100_000]
    assert daemon.client.job(job).status is State.DOWNLOADING
    swarm.limit(10 * RATE)
    assert ask(url)[2] == torrent.content("video.mkv")
    completed(daemon, torrent, job)
    status, whole, body = ask(url)
    assert (status, body) == (200, torrent.content("video.mkv"))
    assert whole["ETag"] == headers["ETag"]
    assert "Last-Modified" in whole
    assert "Last-Modified" not in headers


def test_a_jump_ahead_comes_before_the_rest(daemon: Daemon, swarm: Swarm) -> None:
    size = 16 << 20
    torrent = swarm.seed({"video.mkv": size}, rate=2 * RATE)
    job, url = begin(daemon, torrent)
    part = range(size // 2, size // 2 + 300_000)
    assert ask(url, part=part)[2] == torrent.content("video.mkv")[part.start : part.stop]
    assert daemon.client.job(job).done_bytes < size // 2, "the half before it was not fetched first"


def test_twenty_ranges_at_once_of_an_arriving_video_are_exact(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=5 * RATE, seeders=2)
    _, url = begin(daemon, torrent)
    content, chance = torrent.content("video.mkv"), random.Random(11)
    parts = [range(*sorted(chance.sample(range(SIZE), 2))) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        for part, answer in zip(parts, pool.map(lambda part: ask(url, part=part), parts), strict=True):
            assert answer[2] == content[part.start : part.stop]


def test_each_video_of_a_torrent_arrives_at_its_own_address(daemon: Daemon, swarm: Swarm) -> None:
    episodes = {"s/e1.mkv": 700_001, "s/e2.mkv": 900_003, "s/e3.mkv": 500_005}
    torrent = swarm.seed(episodes, name="s", rate=600_000)
    job, _ = begin(daemon, torrent)
    files = once(daemon, job, lambda job: job.files).files
    for file in reversed(files):
        url = daemon.client.stream(job, file.index).url or ""
        assert ask(url)[2] == torrent.content(file.path), file.path


def test_who_asks_before_the_metadata_are_here_waits_for_them(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 500_000})
    lonely = daemon.client.add("a" * 40).id  # nobody has it
    page = daemon.client.stream(lonely).page_url or ""
    url = page.replace("/watch/", "/stream/") + "0/video.mkv"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, url)
        _, other = begin(daemon, torrent)
        assert ask(other)[0] == 200, "others are served meanwhile"
        assert not answer.done()
        daemon.client.cancel(lonely)
        status, _, words = answer.result(60)
    assert (status, b"the download is cancelled" in words) == (409, True)


def test_an_address_outlives_the_daemon(make_daemon: MakeDaemon, swarm: Swarm) -> None:
    port = random.randrange(20_000, 30_000)  # below those that the system gives to who connects somewhere
    daemon = make_daemon(stream={"port": port})
    torrent = swarm.seed({"video.mkv": SIZE}, rate=RATE)
    _, url = begin(daemon, torrent)
    assert urlsplit(url).port == port
    ask(url, part=range(10))
    daemon.restart()
    swarm.limit(0)
    assert ask(url, part=range(SIZE - 10, SIZE))[2] == torrent.content("video.mkv")[-10:]
    assert ask(url)[2] == torrent.content("video.mkv")


def test_a_second_daemon_takes_another_port_and_says_so(make_daemon: MakeDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = make_daemon(stream={"port": port})
        until(lambda: "serving videos at=http://127.0.0.1:" in daemon.log())
        assert f"cannot listen on port={port}" in daemon.log()
        assert f"serving videos at=http://127.0.0.1:{port}" not in daemon.log()


def test_no_token_is_logged(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    job, url = begin(daemon, torrent)
    completed(daemon, torrent, job)
    token = url.split("/")[5]
    assert len(token) > 20
    for address in (url, url.replace("/0/", "/9/"), url + "x" * 9000):
        ask(address)
    assert token not in daemon.log()


@pytest.mark.parametrize("verb", ["remove", "cancel"])
def test_what_is_deleted_is_no_longer_served(daemon: Daemon, swarm: Swarm, verb: str) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    job, url = begin(daemon, torrent)
    completed(daemon, torrent, job)
    assert ask(url)[0] == 200
    assert daemon.htdl(verb, job, "--delete").returncode == 0
    status, _, words = ask(url)
    assert status in {404, 409}
    assert b"htdl" in words


def test_the_daemon_stops_at_once_under_a_stream(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=RATE)
    _, url = begin(daemon, torrent)
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as sock:
        sock.sendall(f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert daemon.stop(20) == 0, "a minute is not waited for the next byte"
        while sock.recv(1 << 20):  # what was sent by then
            pass
    assert "Traceback" not in daemon.log()
