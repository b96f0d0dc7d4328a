"""`htdl doctor`: what is well, what is not, and what to do about it.

`of_machine` needs no running daemon; `Doctor` adds what only one knows.  No look waits long: a disk that
hangs is a finding, and nothing of it stops the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from htdl.answers import Finding, Level, SpeedLimits
from htdl.config import Config
from htdl.core import checks, codecs, machine, places, ports, reach, symptoms
from htdl.core.book import Book
from htdl.core.limiting import Limiting
from htdl.core.links import Links
from htdl.jobs import Job, JobQuery, State
from htdl.store import jobs as rows
from htdl.store import soundness
from htdl.store.db import Database
from htdl.torrent.api import Engine, Network

DISK_SECONDS = 10.0  # for a folder to answer
DATABASE_SECONDS = 20.0  # to read the database through
LOADING_SECONDS = 5.0  # after a start, for the jobs to be there
LATEST = 200  # jobs of a kind that are looked at
MOST_PORTS = 20  # of a range of which it is asked who has them


async def of_machine(
    config: Config, database: Path, limits: SpeedLimits | None = None, clock: machine.Clock | None = None
) -> list[Finding]:
    """Folders, room, database, ffmpeg, clock and limits: for a daemon with this configuration."""
    named = places.folders(config, database.parent)
    wal = database.with_name(f"{database.name}-wal")
    steady = clock or machine.Clock()
    folders, disks, sound, tools, times, hooks = await asyncio.gather(
        patiently("folders", lambda: places.look(named)),
        patiently("space", lambda: list(places.disks(config, named))),
        patiently("database", lambda: [_database(database)], DATABASE_SECONDS + DISK_SECONDS),
        codecs.look(config.conversion),
        patiently("clock", lambda: [steady.look(machine.newest(database, wal, Path(__file__)))]),
        patiently("hooks", lambda: list(machine.programs(config.hooks))),
    )
    held = symptoms.of_limits(limits or symptoms.configured(config))
    files = machine.open_files(config.torrent.max_connections)
    return [*folders, *disks, *sound, *tools, *times, held, files, *hooks]


class Doctor:
    """`network` is `Checks.network`, which waits for no engine that hangs."""

    def __init__(
        self,
        db: Database,
        book: Book,
        engine: Engine,
        network: Callable[[], Awaitable[Network | None]],
        links: Links,
        limiting: Limiting,
        config: Callable[[], Config],
    ) -> None:
        self._db = db
        self._book = book
        self._engine = engine
        self._ask_engine = network
        self._links = links
        self._limiting = limiting
        self._config = config
        self._clock = machine.Clock()
        self._one_at_a_time = asyncio.Lock()

    async def findings(self) -> list[Finding]:
        """All of them; a second question waits for the first, for each reads the whole database."""
        async with self._one_at_a_time:
            return await self._findings()

    async def _findings(self) -> list[Finding]:
        config = self._config()
        found = await of_machine(config, self._db.path, await self._limiting.limits(), self._clock)
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                await self._book.loaded.wait()
        except TimeoutError:
            hint = "ask again in a moment"
            return [*found, Finding("downloads", Level.WARN, "the jobs are still being loaded", hint)]
        return [*found, *await self._network(config), await self._videos(config), *await self._jobs(config)]

    async def _network(self, config: Config) -> list[Finding]:
        seen = await self._ask_engine()
        if seen is None:
            return [Finding("engine", Level.FAIL, checks.silent(), checks.SILENT_HINT)]
        first, last = config.torrent.port_range_start, config.torrent.port_range_end
        holders = {}
        if seen.port != first:
            asked = [port for port in range(first, last + 1)[:MOST_PORTS] if port != seen.port]
            holders = await asyncio.to_thread(lambda: {x: who for x in asked if (who := ports.holder(x))})
        return reach.findings(config.torrent, seen, self._engine.trouble(), holders)

    async def _videos(self, config: Config) -> Finding:
        """Whether players find them where they are configured to be."""
        base, wanted = self._links.base_url, config.stream.port
        if base is None:
            return Finding("videos", Level.FAIL, "they are served nowhere", "restart the daemon; see its log")
        if not wanted or base.endswith(f":{wanted}"):
            return Finding("videos", Level.OK, f"served at {base}")
        who = await asyncio.to_thread(ports.holder, wanted) or "another program"
        words = f"served at {base}, since {wanted} is taken by {who}: URLs end with the daemon"
        return Finding("videos", Level.WARN, words, "set stream.port to a free one, and restart")

    async def _jobs(self, config: Config) -> list[Finding]:
        failed = await self._db.read(rows.listing, JobQuery(status=(State.FAILED,), limit=LATEST))
        whole = await self._db.read(rows.listing, JobQuery(status=(State.COMPLETED,), limit=LATEST))
        return [
            *symptoms.of_living(self._book.living.values()),
            *symptoms.of_failed(failed, are_all=len(failed) < LATEST),
            *await patiently("files", lambda: list(_gone(whole))),
        ]


def _gone(whole: list[Job]) -> Iterator[Finding]:
    """Of those whose file has gone without us."""
    missing = [job for job in whole if job.file_path and not _is_there(job.file_path)]
    return symptoms.of_missing(missing, are_all=len(whole) < LATEST)


def _is_there(path: str | Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path's raises where we may not look


def _database(path: Path) -> Finding:
    """Read through beside its daemon, which goes on meanwhile.  Blocks."""
    if not _is_there(path):
        return Finding("database", Level.OK, f"none yet; it will be {path}")
    deadline = monotonic() + DATABASE_SECONDS
    try:
        wrong = soundness.look(path, lambda: monotonic() < deadline)
    except TimeoutError:
        return Finding("database", Level.OK, f"too large to be read through in {DATABASE_SECONDS:.0f} s")
    if wrong:
        hint = "put a backup in its place, or move it away to begin with an empty one; downloaded files stay"
        return Finding("database", Level.FAIL, f"{path} {wrong}", hint)
    return Finding("database", Level.OK, "sound")


async def patiently(
    name: str, look: Callable[[], list[Finding]], seconds: float = DISK_SECONDS
) -> list[Finding]:
    """What `look` finds, or that the disk does not answer; its thread is then left to it."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="htdl-doctor")
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().run_in_executor(thread, look)
    except TimeoutError:
        words = f"a disk or network share has not answered for {seconds:.0f} s"
        return [Finding(name, Level.FAIL, words, "look at its mount: dmesg, mount, df")]
    finally:
        thread.shutdown(wait=False)
