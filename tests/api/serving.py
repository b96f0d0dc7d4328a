"""The real server, service and database on a socket in a temp folder, in a thread of this process.

Only the torrent engine is missing: jobs are added and changed, and nothing is fetched.  It waits for a client
longer than any test lasts; `hasty` half a second, so that a test of its patience need not wait ten.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from htdl import config
from htdl.api.server import Controls, Server
from htdl.client import Client
from htdl.core.book import Book
from htdl.core.service import Service
from htdl.errors import BadSource
from htdl.events import Bus
from htdl.jobs import Job, JobFile
from htdl.store.db import Database
from htdl.torrent.api import Engine, Network, Source

T = TypeVar("T")

PATIENT, HASTY = 60.0, 0.5  # seconds for a request


class IdleEngine(Engine):
    """Takes any text as a source, but the empty one and "bad"; does nothing."""

    async def inspect(self, source: str | bytes) -> Source:
        if source in {"", "bad"}:
            raise BadSource("that is not a magnet")
        raw = source if isinstance(source, bytes) else source.encode()
        return Source(hashlib.sha1(raw).hexdigest(), None, "", None, b"")

    async def network(self) -> Network:
        return Network(
            port=6881, addresses=("127.0.0.1",), incoming=0, peers=0, dht_nodes=0,
            trackers_good=0, trackers_bad=0, tracker_error=None,
        )  # fmt: skip


class Serving:
    """What a test holds of it; `asked` lists what clients asked of the daemon itself."""

    def __init__(self, folder: Path, socket_path: Path, seconds: float) -> None:
        self.socket = socket_path
        self.client = Client(socket_path, timeout=30)
        self.asked: list[str] = []
        self.config = config.load(
            "", {"HTDL_STATE_DIR": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
        )
        self.bus = Bus("this-run")
        self.server: Server
        self.service: Service
        self.book: Book
        self._folder = folder
        self._seconds = seconds
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def change(self, job_id: str, **fields: Any) -> Job:
        return self.run(self.book.change(job_id, **fields))

    def note(self, job_id: str, **numbers: Any) -> None:
        async def note() -> None:
            self.book.note(job_id, **numbers)

        self.run(note())

    def set_files(self, job_id: str, *files: JobFile) -> None:
        async def note() -> None:
            self.book.note_files(job_id, files)

        self.run(note())

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(30)
        sock.connect(os.fspath(self.socket))
        return sock

    def talk(self, data: bytes) -> bytes:
        """Send these bytes, and read until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    async def main(self, is_up: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._service():
            controls = Controls(
                reload=self._reload,
                shutdown=lambda: self.asked.append("shutdown"),
                config=lambda: config.flat(self.config),
                origins=lambda: {"file": "", "values": {}},
                log_level=lambda: "info",
                set_log_level=self.asked.append,
                metrics=self._metrics,
            )
            self.server = Server(self.service, control=controls, socket=self.socket, seconds=self._seconds)
            await self.server.start()
            is_up.set()
            await self._stop.wait()
            await self.server.stop()

    async def stop(self) -> None:
        self._stop.set()

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncIterator[None]:
        database = await Database.open(self._folder / "htdl.db", now="2024-05-01T10:00:00+00:00")
        self.book = Book(database, self.bus)
        self.service = Service(self.config, database, self.book, self.bus, IdleEngine(), b"secret")
        await self.book.load()
        yield
        await database.close()

    async def _metrics(self) -> bytes:
        return b"# none\n"

    async def _reload(self) -> dict[str, Any]:
        self.asked.append("reload")
        return {"changed": ["log.level"], "needs_restart": []}


def read_all(sock: socket.socket) -> bytes:
    """Until the other side closes, also when it does so by a reset."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(1 << 16):
            data += chunk
    return data


@contextlib.contextmanager
def serving_in(folder: Path, seconds: float) -> Iterator[Serving]:
    folder.mkdir()
    serving = Serving(folder, folder / "run" / "htdl.sock", seconds)
    is_up = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serving.main(is_up)))
    thread.start()
    assert is_up.wait(30)
    yield serving
    serving.run(serving.stop())
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    with serving_in(tmp_path / "served", PATIENT) as one:
        yield one


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Serving]:
    """The same, of a server that waits half a second for a client."""
    with serving_in(tmp_path / "hasty", HASTY) as one:
        yield one
