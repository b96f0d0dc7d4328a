"""A stream whose bytes stop coming: it ends, soon and cleanly, and not one byte is wrong."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import libtorrent as lt
import pytest

from htdl.jobs import Readiness, State
from tests.clips import clip
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

SIZE = 6 << 20
SLOW = 400_000
WAIT_SECONDS = 4.0

MakeDaemon = Callable[..., Daemon]


class Viewer(threading.Thread):
    """Reads a stream to its end, however that comes: `data` is what it got, `asked` how much was promised."""

    def __init__(self, url: str, start: int = 0, stop: int = SIZE) -> None:
        super().__init__(daemon=True)
        self.data, self.asked, self.ended = b"", stop - start, False
        self._url, self._range = urlsplit(url), f"bytes={start}-{stop - 1}"
        self.start()

    def run(self) -> None:
        with closing(http.client.HTTPConnection(self._url.netloc, timeout=60)) as connection:
            connection.request("GET", self._url.path, headers={"Range": self._range})
            with connection.getresponse() as answer:
                assert answer.status == 206
                while chunk := answer.read1(1 << 16):
                    self.data += chunk
        self.ended = True

    @property
    def is_cut(self) -> bool:
        return self.ended and len(self.data) < self.asked


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> Daemon:
    return make_daemon(stream={"wait_seconds": WAIT_SECONDS})


def begin(daemon: Daemon, torrent: Torrent) -> tuple[str, str]:
    """A download that is under way: its job, and where it can be watched."""
    job = daemon.client.add(torrent.magnet)
    until(lambda: daemon.client.stream(job.id).url)
    return job.id, daemon.client.stream(job.id).url or ""


def test_a_stream_whose_seeders_are_gone_ends_within_the_configured_time(
    daemon: Daemon, swarm: Swarm
) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    _, url = begin(daemon, torrent)
    viewer = Viewer(url)
    until(lambda: viewer.data)
    swarm.leave()
    gone = time.monotonic()
    until(lambda: viewer.is_cut)
    assert time.monotonic() - gone < WAIT_SECONDS + 5
    assert torrent.content("video.mkv").startswith(viewer.data)
    assert "did not arrive within" in daemon.log()


def test_a_later_request_goes_on_where_one_was_cut_off(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    _, url = begin(daemon, torrent)
    first = Viewer(url)
    until(lambda: first.data)
    swarm.limit(1)
    until(lambda: first.is_cut)
    swarm.limit(0)
    second = Viewer(url, len(first.data))
    until(lambda: second.ended)
    assert first.data + second.data == torrent.content("video.mkv")


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_stream_ends_with_its_download(daemon: Daemon, swarm: Swarm, verb: str) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job, url = begin(daemon, torrent)
    viewer = Viewer(url)
    until(lambda: viewer.data)
    assert daemon.htdl(verb, job).returncode == 0
    until(lambda: viewer.is_cut, 5)
    assert torrent.content("video.mkv").startswith(viewer.data)
    until(lambda: "stream ends early" in daemon.log())
    assert job[:8] in daemon.log().split("stream ends early")[1].splitlines()[0]


def test_a_stream_ends_when_its_file_is_deleted(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job, url = begin(daemon, torrent)
    viewer = Viewer(url)
    until(lambda: viewer.data)
    Path(daemon.client.stream(job).file_path or "").unlink()
    late = Viewer(url, 0, 1000)  # what had been here
    until(lambda: late.is_cut, 5)
    daemon.htdl("cancel", job)
    until(lambda: viewer.ended)
    assert torrent.content("video.mkv").startswith(viewer.data)
    assert late.data in {b"", torrent.content("video.mkv")[:1000]}


def test_a_stream_of_a_removed_job_is_not_there(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job, url = begin(daemon, torrent)
    until(lambda: daemon.client.job(job).status is State.COMPLETED)
    assert daemon.htdl("remove", job, "--delete").returncode == 0
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("GET", urlsplit(url).path)
        with connection.getresponse() as answer:
            assert answer.status == 404


def test_a_corrupt_peer_reaches_no_viewer(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    liar = swarm.corrupt(torrent)
    job = daemon.client.add(f"{torrent.magnet}&x.pe={liar}")
    until(lambda: daemon.client.stream(job.id).url)
    viewer = Viewer(daemon.client.stream(job.id).url or "")
    until(lambda: viewer.ended, 60)
    assert viewer.data == torrent.content("video.mkv")


def test_two_viewers_far_apart_share_what_comes(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 4 * SIZE}, rate=SLOW, seeders=2)
    _, url = begin(daemon, torrent)
    ahead, behind = Viewer(url, 3 * SIZE, 4 * SIZE), Viewer(url, 0, SIZE)
    until(lambda: len(ahead.data) + len(behind.data) > 4 << 20, 60)
    assert min(len(ahead.data), len(behind.data)) > 1 << 20
    content = torrent.content("video.mkv")
    assert content[3 * SIZE :].startswith(ahead.data)
    assert content.startswith(behind.data)


def test_a_download_too_slow_to_watch_says_so(daemon: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    video = clip(tmp_path, "mp4", seconds=20, noise=20).read_bytes()  # some 500 kB a second
    torrent = swarm.seed({"video.mp4": video}, name="video.mp4", rate=100_000, piece_length=16 << 10)
    job = daemon.client.add(torrent.magnet)

    def verdict() -> Readiness:
        return daemon.client.stream(job.id).readiness

    until(lambda: verdict().plays_through == "no" and "are needed" in verdict().reason)
    assert not verdict().ready


def test_corrupt_means_corrupt(swarm: Swarm) -> None:
    """The liar really lies: alone, it gets nobody a single piece."""
    torrent = swarm.seed({"video.mkv": 200_000})
    info = lt.load_torrent_buffer(torrent.metainfo).ti
    liar = swarm.liars[swarm.corrupt(torrent)]
    assert info.num_pieces() > 1
    assert liar.read_bytes() != torrent.content("video.mkv")
