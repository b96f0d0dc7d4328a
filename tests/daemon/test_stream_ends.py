"""A stream whose bytes stop coming: it ends, soon and cleanly, and not one byte is wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import libtorrent as lt
import pytest

from htdl.jobs import Readiness, State
from tests.clips import clip
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

SIZE = 6 << 20
SLOW = 200_000  # bytes a second: it arrives for half a minute, but where it is let go

MakeDaemon = Callable[..., Daemon]


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


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
def impatient(make_daemon: MakeDaemon) -> Daemon:
    return make_daemon(stream={"wait_seconds": 2.0})


def begin(daemon: Daemon, torrent: Torrent) -> tuple[str, str]:
    """A download whose beginning is here: its job, and where it can be watched."""
    job = daemon.client.add(torrent.magnet)
    once(daemon, job.id, lambda x: x.done_bytes)
    return job.id, until(lambda: daemon.client.stream(job.id).url) or ""


def test_a_stream_whose_seeders_are_gone_ends_within_the_configured_time(
    impatient: Daemon, swarm: Swarm
) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    _, url = begin(impatient, torrent)
    viewer = Viewer(url)
    until(lambda: viewer.data)
    swarm.leave()
    until(lambda: viewer.is_cut, what="a minute, as by default, would be too long")
    assert torrent.content("video.mkv").startswith(viewer.data)
    until(lambda: "did not arrive within 2 s" in impatient.log())


def test_a_later_request_goes_on_where_one_was_cut_off(impatient: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job, url = begin(impatient, torrent)
    first = Viewer(url)
    until(lambda: first.data)
    swarm.limit(1)
    until(lambda: first.is_cut)
    before = impatient.client.job(job).done_bytes
    swarm.limit(10 * SLOW)
    once(impatient, job, lambda x: x.done_bytes > before)
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
    until(lambda: viewer.is_cut)
    assert torrent.content("video.mkv").startswith(viewer.data)
    until(lambda: f"stream ends early job={job[:8]} " in daemon.log())


def test_a_stream_ends_when_its_file_is_deleted(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job, url = begin(daemon, torrent)
    viewer = Viewer(url)
    until(lambda: viewer.data)
    Path(daemon.client.stream(job).file_path or "").unlink()
    late = Viewer(url, 0, 1000)  # what had been here
    until(lambda: late.is_cut)
    daemon.htdl("cancel", job)
    until(lambda: viewer.ended)
    assert torrent.content("video.mkv").startswith(viewer.data)
    assert late.data in {b"", torrent.content("video.mkv")[:1000]}


def test_a_stream_of_a_removed_job_is_not_there(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 200_000})
    job, url = begin(daemon, torrent)
    in_state(daemon, job, State.COMPLETED)
    assert daemon.htdl("remove", job, "--delete").returncode == 0
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("GET", urlsplit(url).path)
        with connection.getresponse() as answer:
            assert answer.status == 404


def test_a_corrupt_peer_reaches_no_viewer(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=10 * SLOW)
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
    until(lambda: ahead.data and behind.data)
    before = len(ahead.data), len(behind.data)
    swarm.limit(4 * SLOW)

    def more() -> list[int]:
        return [len(ahead.data) - before[0], len(behind.data) - before[1]]

    until(lambda: sum(more()) > 4 << 20, 60)
    assert min(more()) > 1 << 20
    content = torrent.content("video.mkv")
    assert content[3 * SIZE :].startswith(ahead.data)
    assert content.startswith(behind.data)


def test_a_download_too_slow_to_watch_says_so(daemon: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    video = clip(tmp_path, "mp4", seconds=20, noise=20).read_bytes()  # some 500 kB a second
    torrent = swarm.seed({"video.mp4": video}, name="video.mp4", rate=40_000, piece_length=16 << 10)
    job = daemon.client.add(torrent.magnet)

    def verdict() -> Readiness:
        return daemon.client.stream(job.id).readiness

    def says_so() -> bool:
        found = verdict()
        return not found.ready and found.plays_through == "no" and "are needed" in found.reason

    until(says_so, what=verdict)


def test_corrupt_means_corrupt(swarm: Swarm) -> None:
    """The liar really lies: alone, it gets nobody a single piece."""
    torrent = swarm.seed({"video.mkv": 200_000})
    info = lt.load_torrent_buffer(torrent.metainfo).ti
    liar = swarm.liars[swarm.corrupt(torrent)]
    assert info.num_pieces() > 1
    assert liar.read_bytes() != torrent.content("video.mkv")
