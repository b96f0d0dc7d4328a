"""The real video server, service and runner in a thread of this process, over a fake engine and real files.

One job: a torrent of a small video and a film, whose bytes are not aligned to pieces.  On disk lies rubbish
until the test lets a piece arrive, so that a byte served too soon is a wrong byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from htdl.api.server import VideoServer
from htdl.jobs import State
from htdl.torrent.api import Metadata, TorrentFile
from tests.core.world import World, running_world

T = TypeVar("T")

PATIENT, HASTY = 60.0, 0.5  # seconds for a request's header, and for the next byte of the film
PIECE = 1 << 18
EXTRA, FILM = 0, 1  # the files' indices
NAME = 'The "Film" – 100 % é;.mkv'
COUNT = 41
TOTAL = COUNT * PIECE - 777
DATA = random.Random(3).randbytes(TOTAL)
FILES = (TorrentFile(EXTRA, "film/extra.mp4", 1000, 0), TorrentFile(FILM, f"film/{NAME}", TOTAL - 1000, 1000))
METADATA = Metadata("film", TOTAL, PIECE, COUNT, FILES, "ab" * 20, None)
BYTES = DATA[1000:]  # of the film
SIZE = len(BYTES)  # more than one block of sending.py


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Playing:
    def __init__(self, folder: Path, seconds: float) -> None:
        self.world: World
        self.server: VideoServer
        self.job_id = ""
        self.folder = Path()
        self.port = 0
        self._root = folder
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop
        self._stop = asyncio.Event()

    # --- what a test makes happen ---

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def arrive(self, *pieces: int) -> None:
        """Write these pieces, and then let them be readable; none: all."""
        chosen = pieces or range(COUNT)
        for piece in chosen:
            self._write(piece * PIECE, DATA[piece * PIECE : (piece + 1) * PIECE])

        async def tell() -> None:
            self.world.engine.arrive(self.job_id, chosen)

        self.run(tell())

    def finish(self) -> None:
        """All of it is here, and the job is COMPLETED."""
        self.arrive()

        async def finish() -> None:
            self.world.engine.finish(self.job_id)
            await self.world.until_status(self.job_id, State.COMPLETED)

        self.run(finish())

    def let_go(self) -> None:
        """The engine has no more of it."""

        async def let_go() -> None:
            pieces = self.world.engine.pieces(self.job_id)
            assert pieces
            pieces.end()

        self.run(let_go())

    def path(self, index: int = FILM) -> Path:
        return self.folder / FILES[index].path

    def readers(self) -> int:
        """How many read what arrives."""

        async def count() -> int:
            arriving = self.world.service.streams._arriving.get(self.job_id)
            return arriving.arrival.readers if arriving else 0

        return self.run(count())

    def wanted(self) -> tuple[int, ...]:
        """The pieces that were asked for last."""
        return self.world.engine.wanted_pieces.get(self.job_id, ())

    def _write(self, offset: int, data: bytes) -> None:
        for file in FILES:
            start, stop = max(offset, file.offset), min(offset + len(data), file.offset + file.size)
            if start < stop:
                with self.path(file.index).open("r+b") as target:
                    target.seek(start - file.offset)
                    target.write(data[start - offset : stop - offset])

    # --- what a client does ---

    def target(self, index: int = FILM, name: str = "film.mkv", token: str | None = None) -> str:
        known = self.world.service.links.token(self.job_id)
        return f"/stream/{self.job_id}/{token or known}/{index}/{name}"

    def get(self, target: str | None = None, *, method: str = "GET", **headers: str) -> Answer:
        """One request; header names with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target or self.target(), headers=fields)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers.items()), answer.read())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def head(
        self, target: str | None = None, *, method: str = "GET", version: str = "1.1", **more: str
    ) -> bytes:
        """A request's bytes."""
        lines = [f"{method} {target or self.target()} HTTP/{version}", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    # --- its life ---

    async def main(self, is_up: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        stream = {"wait_seconds": self._seconds}
        async with running_world(self._root, stream=stream) as self.world, self._job(), self._served():
            is_up.set()
            await self._stop.wait()

    async def stop(self) -> None:
        self._stop.set()

    @contextlib.asynccontextmanager
    async def _job(self) -> AsyncIterator[None]:
        self.world.engine.on_disk = lambda key: []  # the test writes the files
        job = await self.world.add("film", all_files=True)
        self.job_id, self.folder = job.id, Path(job.save_path)
        await self.world.until_held(job.id)
        self.world.engine.get_metadata(job.id, METADATA)
        await self.world.until(lambda: self.world.service.streams.follow(job.id))
        for file in FILES:
            self.path(file.index).parent.mkdir(parents=True, exist_ok=True)
            self.path(file.index).write_bytes(b"?" * file.size)
        yield

    @contextlib.asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        self.server = VideoServer(self.world.service, port=0, seconds=self._seconds)
        await self.server.start()
        self.port = int((self.world.service.links.base_url or "").rpartition(":")[2])
        yield
        await self.server.stop()


@contextlib.contextmanager
def playing_in(folder: Path, seconds: float) -> Iterator[Playing]:
    playing = Playing(folder, seconds)
    is_up = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(playing.main(is_up)))
    thread.start()
    assert is_up.wait(30)
    yield playing
    playing.run(playing.stop())
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[Playing]:
    """A film of which nothing has arrived yet."""
    with playing_in(tmp_path, PATIENT) as one:
        yield one


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Playing]:
    """The same, of a server that waits half a second for a request, and for a byte."""
    with playing_in(tmp_path, HASTY) as one:
        yield one


@pytest.fixture
def whole(playing: Playing) -> Playing:
    """A film that is COMPLETED."""
    playing.finish()
    return playing
