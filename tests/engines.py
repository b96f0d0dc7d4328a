"""The real engine in this process, and what it tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import libtorrent as lt

from htdl.config import Torrent as TorrentConfig
from htdl.torrent.api import Finished, GotMetadata, Source, Status, TorrentEvent
from htdl.torrent.engine import LibtorrentEngine
from tests.ports import free_port

T = TypeVar("T")
E = TypeVar("E", bound=TorrentEvent)


async def soon(condition: Callable[[], T], timeout: float = 60.0, what: str = "") -> T:
    """`until`, for what moves on this event loop."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so within {timeout} s: {what or condition}"
        await asyncio.sleep(0.01)
    return answer


class Rig:
    """An engine with a folder of its own, and ears that keep every event."""

    def __init__(self, engine: LibtorrentEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.heard: list[TorrentEvent] = []
        self.on_event: Callable[[TorrentEvent], None] = lambda event: None
        engine.listener = self._hear

    def _hear(self, event: TorrentEvent) -> None:
        self.heard.append(event)
        self.on_event(event)

    async def hears(self, kind: type[E], key: str = "a", timeout: float = 60.0) -> E:
        """The first event of this kind about this torrent, be it heard already."""

        def found() -> E | None:
            return next((x for x in self.heard if isinstance(x, kind) and x.key == key), None)

        return await soon(found, timeout, f"{kind.__name__} of {key}; heard {self.heard!r:.2000}")

    def handle(self, key: str = "a") -> lt.torrent_handle:
        """libtorrent's own, for what the engine does not offer."""
        torrent = self.engine._torrents.get(key)
        assert torrent
        return torrent.handle

    def home(self, key: str = "a") -> Path:
        return self.folder / key

    async def add(
        self,
        source: str | bytes,
        key: str = "a",
        *,
        wanted: Iterable[int] | None = None,
        max_download_speed: int = -1,
        max_upload_speed: int = -1,
    ) -> Source:
        checked = await self.engine.inspect(source)
        self.home(key).mkdir(parents=True, exist_ok=True)
        await self.engine.add(
            key,
            checked.resume,
            self.home(key),
            wanted=None if wanted is None else list(wanted),
            max_download_speed=max_download_speed,
            max_upload_speed=max_upload_speed,
        )
        return checked

    async def fetch(self, source: str | bytes, key: str = "a", timeout: float = 60.0) -> Finished:
        """Add it, take every file of it, and wait until it is whole."""
        await self.add(source, key)
        await self.take_all(key)
        return await self.hears(Finished, key, timeout)

    async def take_all(self, key: str = "a") -> None:
        got = await self.hears(GotMetadata, key)
        self.engine.select(key, [file.index for file in got.metadata.files])

    def status(self, key: str = "a") -> Status:
        status = self.engine.status(key)
        assert status is not None
        return status


@asynccontextmanager
async def running(folder: Path, **torrent: object) -> AsyncIterator[Rig]:
    """An engine that speaks on loopback alone; `torrent` is laid over its configuration."""
    port = free_port()
    values: dict[str, object] = {
        "download_path": folder,
        "dht_enabled": False,
        "lsd_enabled": False,
        "upnp_enabled": False,
        "listen_interface": "127.0.0.1",
        "allow_lan": True,
        "port_range_start": port,
        "port_range_end": port,
        "max_upload_speed": -1,
    }
    engine = LibtorrentEngine(TorrentConfig(**(values | torrent)))  # type: ignore[arg-type]
    await engine.start()
    try:
        yield Rig(engine, folder)
    finally:
        await engine.stop()
