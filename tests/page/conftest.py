"""A browser, and videos in a slow swarm for it to watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from htdl.wire import JobInfo
from tests.clips import clip, repeated
from tests.daemon.downloads import once
from tests.daemons import Daemon
from tests.page.browser import Browser, Page
from tests.ports import free_port
from tests.swarm import Swarm, Torrent

RATE = 400_000  # bytes a second of the one seeder: between two and three times what the clip needs

# Kinds whose minute is six times the same ten seconds, which are soon made; with the options of their muxers.
LOOPED = {"mp4-ac3": ("-movflags", "+faststart"), "mp4-hevc": (), "avi": ()}

Clips = Callable[..., bytes]
Watch = Callable[..., "Watching"]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """A minute, 9 MB, of that kind: clips("mp4")."""
    folder = tmp_path_factory.mktemp("clips")

    def make(kind: str = "mp4", seconds: float = 60) -> bytes:
        if seconds == 60 and kind in LOOPED:
            short = clip(folder, kind, seconds=10, size="640x360", noise=6)
            return repeated(short, 6, *LOOPED[kind]).read_bytes()
        return clip(folder, kind, seconds=seconds, size="640x360", noise=6).read_bytes()

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


class Watching:
    """A job whose page is open."""

    def __init__(self, daemon: Daemon, torrent: Torrent, job_id: str, page: Page) -> None:
        self.daemon = daemon
        self.torrent = torrent
        self.job_id = job_id
        self.page = page
        self.url = daemon.client.stream(job_id).page_url or ""

    @property
    def job(self) -> JobInfo:
        return self.daemon.client.job(self.job_id)

    def time(self) -> float:
        seconds: float = self.page.evaluate("video.currentTime")
        return seconds

    def until_playing(self, seconds: float = 0.5) -> None:
        """It has played on by so much from where it is."""
        start = self.time()
        self.page.until(f"!video.seeking && video.currentTime > {start + seconds}")


@pytest.fixture
def watch(make_daemon: Callable[..., Daemon], swarm: Swarm, browser: Browser) -> Watch:
    """watch({"film.mp4": bytes}, "#t=30"): seeds it slowly, downloads it, and opens its page."""

    def watch(
        files: dict[str, bytes],
        fragment: str = "",
        *,
        rate: int = RATE,
        browser: Browser = browser,
        size: tuple[int, int] = (1280, 800),
        **sections: dict[str, object],
    ) -> Watching:
        name = next(iter(files)) if len(files) == 1 else "Films"
        torrent = swarm.seed(dict(files), name=name, rate=rate)
        daemon = make_daemon(stream={"port": free_port()}, **sections)
        job = daemon.client.add(torrent.magnet)
        once(daemon, job.id, lambda job: job.has_metadata)
        watching = Watching(daemon, torrent, job.id, browser.page(width=size[0], height=size[1]))
        watching.page.goto(watching.url + fragment)
        return watching

    return watch
