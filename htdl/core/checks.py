"""Whether the daemon is well: each part by name, "ok" or what is wrong and what to do, in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from htdl import __version__
from htdl.answers import Health
from htdl.config import Config
from htdl.config import Conversion as Settings
from htdl.core import admission
from htdl.core.book import Book
from htdl.core.cleaning import size
from htdl.errors import ConversionFailed, HtdlError
from htdl.jobs import Conversion, ConversionState, State
from htdl.media.tools import find_tools
from htdl.store.db import Database
from htdl.torrent.api import Engine, Network

OK = "ok"
DATABASE_SECONDS = 15.0  # that a good answer of the database holds: to ask waits for other writers
ENGINE_SECONDS = 5.0  # it answers in milliseconds
QUEUE_SECONDS = 30.0  # without a look at the queue are too many
ALL_MADE = 99.9  # percent
PATIENCE_TIMES = 4  # as long as conversion.stall_seconds, after which one that stands still is ended
_RESTART = "restart the daemon: htdl daemon stop, then htdl daemon start"
SILENT_HINT = f"is a disk hanging? {_RESTART}"

Found = tuple[str, str]
"""OK or what is wrong, and what else is worth knowing."""


class Checks:
    """`made` tells what becomes of the videos of a living job; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        db: Database,
        book: Book,
        engine: Engine,
        made: Callable[[str], Iterable[Conversion]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._book = book
        self._engine = engine
        self._made = made
        self._clock = clock
        self._database = (-DATABASE_SECONDS, OK)  # when, and what was found
        self._asking: asyncio.Task[Network] | None = None
        self._lanes = Lanes()

    async def health(self, config: Config, last_tick_seconds: Callable[[], float] | None) -> Health:
        engine, port = await self._torrents()
        found: dict[str, Found] = {
            "disk": await asyncio.to_thread(_disk, config),
            "engine": engine,
            "database": (await self._writable(), ""),
            "queue": (_queue(last_tick_seconds() if last_tick_seconds else 0.0), ""),
            "conversion": await self._conversion(config.conversion),
            "port": port,
        }
        return Health(
            ok=all(said == OK for said, _ in found.values()),
            version=__version__,
            pid=os.getpid(),
            checks={name: said for name, (said, _) in found.items()},
            details={name: detail for name, (_, detail) in found.items() if detail},
        )

    async def network(self) -> Network | None:
        """How the engine stands towards its peers; None while it does not answer.  One that hangs is asked
        once, and not again before it has answered.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._engine.network())
        done, _ = await asyncio.wait([self._asking], timeout=ENGINE_SECONDS)
        return done.pop().result() if done else None  # by now another may have asked anew

    async def _torrents(self) -> tuple[Found, Found]:
        """Of the engine, and of its port."""
        if not self._book.loaded.is_set():
            return ("jobs are being loaded: wait a moment", ""), (OK, "")
        try:
            seen = await self.network()
        except HtdlError as exc:
            return (_words(exc), ""), (OK, "")
        if seen is None:
            return (f"{silent()}: {SILENT_HINT}", ""), (OK, "")
        return (OK, f"{seen.peers} {'peer' if seen.peers == 1 else 'peers'} connected"), _port(
            seen, self._engine.trouble()
        )

    async def _writable(self) -> str:
        at, words = self._database
        if words != OK or self._clock() - at > DATABASE_SECONDS:
            try:
                await self._db.run(lambda db: db.execute("SELECT 1 FROM download_jobs LIMIT 1").fetchone())
                words = OK
            except HtdlError as exc:
                words = _words(exc)
            self._database = self._clock(), words
        return words

    async def _conversion(self, settings: Settings) -> Found:
        if not settings.enabled:
            return OK, "off"
        try:
            tools = await find_tools(settings.ffmpeg_path, settings.ffprobe_path)
        except ConversionFailed as exc:
            return f"{_words(exc)}; or set conversion.enabled = false", ""
        stuck = self._lanes.stuck(self._running(), self._clock(), PATIENCE_TIMES * settings.stall_seconds)
        if stuck is None:
            return OK, f"ffmpeg {tools.version}"
        job = stuck[:8]
        words = (
            f"a conversion of job {job} stands still: begin it again with htdl pause {job}, htdl resume {job}"
        )
        return words, ""

    def _running(self) -> dict[tuple[str, int], float]:
        """The progress of those whose source is whole: no other waits for anything.  Without what is put in
        its place, perhaps on another disk, which takes its time and shows none.
        """
        jobs = [job.id for job in self._book.living.values() if job.status is State.CONVERTING]
        return {
            (job_id, x.file_index): x.progress
            for job_id in jobs
            for x in self._made(job_id)
            if x.status is ConversionState.RUNNING and x.progress < ALL_MADE
        }


@dataclass(frozen=True, slots=True)
class _Step:
    progress: float
    at: float


class Lanes:
    """What was running when it was last looked at, and since when at the same progress."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, int], _Step] = {}

    def stuck(self, running: Mapping[tuple[str, int], float], now: float, seconds: float) -> str | None:
        """A job whose conversion has not moved for so long, as far as we have looked."""
        before = self._steps
        self._steps = {
            key: step if (step := before.get(key)) and step.progress == progress else _Step(progress, now)
            for key, progress in running.items()
        }
        return next((key[0] for key, x in self._steps.items() if now - x.at >= seconds), None)


def silent() -> str:
    """What is wrong with an engine of which nothing is heard."""
    return f"libtorrent has not answered for {ENGINE_SECONDS:g} s"


def _disk(config: Config) -> Found:
    reserve = config.storage.min_free
    folders = (config.torrent.download_path, config.storage.base_path, config.storage.temp_path)
    full = [folder for folder in dict.fromkeys(folders) if _is_full(folder, reserve)]
    if not full:
        return OK, f"{size(admission.free_bytes(folders[0]))} free"
    named = " and ".join(map(str, full))
    return f"{named}: less than storage.min_free is left: free some space there, or set another folder", ""


def _is_full(folder: Path, reserve: int) -> bool:
    try:
        return admission.room(folder, reserve) <= 0
    except OSError:  # gone, as a network share may be: nothing can be written there either
        return True


def _port(seen: Network, trouble: str | None) -> Found:
    if seen.port is None or trouble:
        words = trouble or "it listens nowhere for peers"
        return f"{words}: set torrent.listen_interface or torrent.port_range_start to what is free", ""
    hosts = [f"[{x}]" if ":" in x else x for x in seen.addresses]
    return OK, ", ".join(f"{host}:{seen.port}" for host in hosts) or f"port {seen.port}"


def _queue(seconds: float) -> str:
    if seconds < QUEUE_SECONDS:
        return OK
    return f"the queue has not been looked at for {seconds:.0f} s: the log tells why; {_RESTART}"


def _words(exc: HtdlError) -> str:
    return f"{exc.message}: {exc.hint}" if exc.hint else exc.message
