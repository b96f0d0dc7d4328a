"""A browser, and videos in a slow swarm for it to watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.wire import JobInfo
from tests.clips import clip, repeated
from tests.daemon.downloads import once
from tests.daemons import Daemon
from tests.page.browser import Browser, Page
from tests.ports import free_port
from tests.swarm import Swarm, make_files
from tests.waiting import until

RATE = 400_000  # bytes a second of the one seeder: between two and three times what the clip needs

# Each is the same ten seconds over and over, which are soon made: of which kind, and ffmpeg's options for it.
_FASTSTART = ("-movflags", "+faststart")
LOOPED = {
    "mp4": ("mp4", _FASTSTART),
    "mp4-end": ("mp4", ()),
    "mp4-ac3": ("mp4", ("-c:a", "ac3", *_FASTSTART)),
    "mp4-hevc": ("mp4-hevc", ()),
    "avi": ("avi", ()),
}

HELD = 0.86  # of each video: there is its gap, before the last MiB of the longest, where an index may be

Clips = Callable[..., bytes]
Watch = Callable[..., "Watching"]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """A minute, 9 MB, of that kind: clips("mp4")."""
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def make(kind: str = "mp4", seconds: int = 60) -> bytes:
        origin, options = LOOPED[kind]
        short = clip(folder, origin, seconds=10, size="640x360", noise=6)
        return repeated(short, seconds // 10, *options).read_bytes()

    return make


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    chromium.close_pages()


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[Browser]:
    """A browser that lets nothing play before a person has touched the page."""
    with Browser(tmp_path / "chromium", autoplay=False) as browser:
        yield browser


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Browser]:
    """A browser that has room for some seconds of what a page feeds it."""
    with Browser(tmp_path / "chromium", flags=("--mse-video-buffer-size-limit-mb=1",)) as browser:
        yield browser


class Seeding:
    """A torrent of which the one seeder lacks a hundredth of each video, from its share `held` on: so it is
    arriving for as long as a test likes, however fast the rest came.
    """

    def __init__(self, swarm: Swarm, files: dict[str, bytes], rate: int, held: float) -> None:
        name = next(iter(files)) if len(files) == 1 else "Films"
        self.torrent = swarm.seed(dict(files), name=name, seeders=0)
        holed = {path: _holed(path, data, held) for path, data in files.items()}
        folder = self.torrent.folder.with_name("holed")
        make_files(folder if list(files) == [name] else folder / name, holed)
        info = lt.load_torrent_buffer(self.torrent.metainfo)
        port = swarm._seeder(info, folder, rate, checks=True)
        self.magnet = f"{self.torrent.magnet}&x.pe=127.0.0.1:{port}"
        self._swarm = swarm

    def fill(self, daemon: Daemon) -> None:
        """Another seeder, which has it all, comes to the daemon; from a host of its own, as it must."""
        info = lt.load_torrent_buffer(self.torrent.metainfo)
        self._swarm._seeder(info, self.torrent.folder, 0, host="127.0.0.2")
        session, handle = self._swarm._sessions[-1], self._swarm._handles[-1]
        session.apply_settings(  # by default it tries three times, a minute apart
            {
                "min_reconnect_time": 1,
                "max_failcount": 1000,
                "alert_mask": lt.alert.category_t.connect_notification,
            }
        )
        until(
            lambda: handle.connect_peer(("127.0.0.1", daemon.port)) or handle.status().num_peers,
            what=lambda: [x.message() for x in session.pop_alerts()][-20:],
        )


def _holed(path: str, data: bytes, held: float) -> bytes:
    if not path.endswith((".mp4", ".avi")):
        return data
    start, stop = int(len(data) * held), int(len(data) * (held + 0.01))
    return data[:start] + bytes(stop - start) + data[stop:]


class Watching:
    """A job whose page is open."""

    def __init__(self, daemon: Daemon, seeding: Seeding, job_id: str, page: Page) -> None:
        self.daemon = daemon
        self.job_id = job_id
        self.page = page
        self._seeding = seeding
        self.url = daemon.client.stream(job_id).page_url or ""

    @property
    def job(self) -> JobInfo:
        return self.daemon.client.job(self.job_id)

    def fill(self) -> None:
        """What was held back comes, and the job can be whole."""
        self._seeding.fill(self.daemon)

    def began(self) -> float:
        """Where what is played now began, be it at first or after a jump."""
        seconds: float = self.page.evaluate("video.played.start(video.played.length - 1)")
        return seconds

    def time(self) -> float:
        seconds: float = self.page.evaluate("video.currentTime")
        return seconds

    def until_playing(self, seconds: float = 0.5) -> None:
        """It has played on by so much from where it is."""
        start = self.time()
        self.page.until(f"!video.seeking && video.currentTime > {start + seconds}")


@pytest.fixture
def watch(make_daemon: Callable[..., Daemon], swarm: Swarm, browser: Browser) -> Watch:
    """watch({"film.mp4": bytes}, "#t=30"): seeds it slowly, downloads it, and opens its page.

    It does not become whole before `fill`, unless its `rate` is 0.
    """

    def watch(
        files: dict[str, bytes],
        fragment: str = "",
        *,
        rate: int = RATE,
        held: float = HELD,
        browser: Browser = browser,
        size: tuple[int, int] = (1280, 800),
        **sections: dict[str, object],
    ) -> Watching:
        seeding = Seeding(swarm, files, rate, held if rate else 1.0)
        daemon = make_daemon(stream={"port": free_port()}, **sections)
        job = daemon.client.add(seeding.magnet)
        once(daemon, job.id, lambda job: job.has_metadata)
        watching = Watching(daemon, seeding, job.id, browser.page(width=size[0], height=size[1]))
        watching.page.goto(watching.url + fragment)
        return watching

    return watch
