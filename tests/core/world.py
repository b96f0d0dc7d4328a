"""The core with a real database and a fake engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from htdl import config
from htdl.core.book import Book
from htdl.core.runner import Runner
from htdl.core.service import Service
from htdl.events import Bus, Event, Kind, Subscription
from htdl.jobs import AddRequest, Job, JobFile, State
from htdl.store import jobs as rows
from htdl.store import resume as resumes
from htdl.store.db import Database
from htdl.store.resume import Resume
from htdl.torrent.api import Metadata, Source
from tests.core.examples import NOW
from tests.fakes.engine import FakeEngine

T = TypeVar("T")
BOOT = "this-boot"


class World:
    """`events` is what was published so far; `clock` is the runner's, moved by the test."""

    def __init__(self, folder: Path, db: Database, sections: dict[str, dict[str, Any]]) -> None:
        self.folder = folder
        self.db = db
        self.engine = FakeEngine()
        self.bus = Bus()
        self.events: list[Event] = []
        self.now = 1000.0
        self.config = settings(folder, sections)
        self.book = Book(db, self.bus)
        self.service = Service(self.config, db, self.book, self.bus, self.engine, b"secret")
        self.runner = Runner(self.book, self.service, self.engine, BOOT, lambda: self.now)
        self.engine.on_disk = self._on_disk
        self.service.last_tick_seconds = self.runner.last_tick_seconds
        self._looked_at = 0.0  # when the last turn that went well began, on the test's clock
        self.runner.observer = self._on_turn

    def configure(self, **sections: dict[str, Any]) -> None:
        self.config = self.service.config = settings(self.folder, sections)
        self.wake()

    def _on_disk(self, key: str) -> list[tuple[str, int]]:
        told = self.engine.metadata(key)
        files = self.book.files.get(key) or (told.files if told else ())
        return [(file.path, file.size) for file in files]

    def wake(self, seconds: float = 0.0) -> None:
        """Let this much time pass, and the runner look."""
        self.now += seconds
        self.book.changed.set()

    def _on_turn(self, seconds: float) -> None:
        self._looked_at = self.now - seconds

    async def pass_seconds(self, seconds: int) -> None:
        """Second by second, with a whole turn in each: one that was under way before does not count."""
        for _ in range(seconds):
            self.wake(1.0)
            await self.until(lambda: self._looked_at >= self.now)

    def knows(self, name: str, metadata: Metadata | None = None, *, info_hash: str | None = None) -> None:
        """Let `name` be a source of its own torrent."""
        known = info_hash or f"{len(self.engine.sources):040x}"
        resume = f"fresh {name}".encode()
        self.engine.sources[name] = Source(known, None, name, metadata, resume)

    async def add(self, name: str, metadata: Metadata | None = None, **request: Any) -> Job:
        """A job of a torrent of its own; a magnet unless its metadata is given."""
        if name not in self.engine.sources:
            self.knows(name, metadata)
        return (await self.service.add(AddRequest(source=name, **request)))[0].job

    async def job(self, job_id: str) -> Job:
        return (await self.service.get(job_id)).job

    async def row(self, job_id: str) -> Job | None:
        """The job as the database has it."""
        return await self.db.run(rows.fetch, job_id)

    async def file_rows(self, job_id: str) -> tuple[JobFile, ...]:
        return (await self.db.run(rows.files, [job_id]))[job_id]

    async def resume(self, job_id: str) -> Resume | None:
        return await self.db.run(resumes.get, job_id)

    async def put(self, *jobs: Job, resume: Resume | None = None) -> None:
        """Rows of an earlier life."""
        for job in jobs:
            await self.db.run(rows.insert, job, (), resume or Resume(b"earlier", NOW, BOOT))

    async def until(self, condition: Callable[[], T], timeout: float = 30.0) -> T:
        """The first true answer; the runner turns meanwhile."""
        deadline = time.monotonic() + timeout
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {timeout} s: {condition}; {self.told()}")
            await asyncio.sleep(0.005)
        return answer

    async def until_status(self, job_id: str, status: State) -> Job:
        """The job once the database says so."""
        return await self.until_written(job_id, lambda job: job.status is status)

    async def until_written(self, job_id: str, condition: Callable[[Job], bool]) -> Job:
        """The job once its row is so, and who wrote it has gone on: what it tells behind it is told."""
        deadline = time.monotonic() + 30.0
        while (job := await self.row(job_id)) is None or not condition(job):
            assert time.monotonic() < deadline, f"never so: {job}"
            await asyncio.sleep(0.005)
        await self.row(job_id)  # a way there and back, which takes turns of the loop
        return job

    async def until_held(self, job_id: str) -> None:
        await self.until(lambda: job_id in self.engine.torrents)

    async def downloading(self, name: str, metadata: Metadata, **request: Any) -> Job:
        """A job whose torrent the engine has."""
        job = await self.add(name, metadata, **request)
        await self.until_held(job.id)
        return job

    def told(self, job_id: str | None = None) -> list[Kind]:
        """The kinds of the events so far, of one job or of all."""
        return [x.kind for x in self.events if job_id in {None, x.job.id}]


def settings(folder: Path, sections: dict[str, dict[str, Any]]) -> config.Config:
    environ = {"XDG_DATA_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    text = "[storage]\nmin_free = 0\n" if "storage" not in sections else ""
    for section, values in ({"conversion": {"enabled": False}} | sections).items():
        lines = [
            f"{key} = {value!r}".replace("True", "true").replace("False", "false")
            for key, value in values.items()
        ]
        text += "\n".join([f"[{section}]", *lines, ""])
    return config.load(text, environ)


@asynccontextmanager
async def open_world(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[World]:
    """Everything but the running runner; `load` is the caller's."""
    db = await Database.open(folder / "htdl.db", now=NOW)
    world = World(folder, db, sections)
    with world.bus.subscribe() as events:
        listening = asyncio.create_task(_collect(events, world.events))
        try:
            yield world
        finally:
            world.bus.close()
            await listening
            await db.close()


@asynccontextmanager
async def running_world(folder: Path, *earlier: Job, **sections: dict[str, Any]) -> AsyncIterator[World]:
    """With the runner at work, on top of these rows of an earlier life."""
    async with open_world(folder, **sections) as world:
        await world.put(*earlier)
        await world.book.load()
        task = asyncio.create_task(world.runner.run())
        try:
            yield world
        finally:
            task.cancel()
            await asyncio.wait({task})
            await world.runner.stop()


async def _collect(events: Subscription, into: list[Event]) -> None:
    async for event in events:
        into.append(event)  # noqa: PERF401 read while it grows
