"""Whether the daemon is well: each part by name, "ok" or what is wrong in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

from htdl import __version__
from htdl.config import Config
from htdl.core import admission
from htdl.core.book import Book
from htdl.errors import HtdlError
from htdl.jobs import Health
from htdl.store.db import Database
from htdl.torrent.api import Engine

OK = "ok"
DATABASE_SECONDS = 15.0  # that a good answer of the database holds: to ask waits for other writers
QUEUE_SECONDS = 30.0  # without a look at the queue are too many


class Checks:
    def __init__(self, db: Database, book: Book, engine: Engine) -> None:
        self._db = db
        self._book = book
        self._engine = engine
        self._database = (-DATABASE_SECONDS, OK)  # when, and what was found

    async def health(self, config: Config, last_tick_seconds: Callable[[], float] | None) -> Health:
        checks = {
            "disk": _disk(config),
            "engine": self._torrents(),
            "database": await self._writable(),
            "queue": _queue(last_tick_seconds() if last_tick_seconds else 0.0),
        }
        ok = all(check == OK for check in checks.values())
        return Health(ok=ok, version=__version__, pid=os.getpid(), checks=checks)

    def _torrents(self) -> str:
        if not self._book.loaded.is_set():
            return "jobs are being loaded"
        return self._engine.trouble() or OK

    async def _writable(self) -> str:
        at, words = self._database
        if words != OK or monotonic() - at > DATABASE_SECONDS:
            try:
                await self._db.run(lambda db: db.execute("SELECT 1 FROM download_jobs LIMIT 1").fetchone())
                words = OK
            except HtdlError as exc:
                words = exc.message
            self._database = monotonic(), words
        return words


def _disk(config: Config) -> str:
    folder = config.torrent.download_path
    if admission.room(folder, config.storage.min_free) > 0:
        return OK
    return f"{folder} has less than storage.min_free left: free some space there"


def _queue(seconds: float) -> str:
    return OK if seconds < QUEUE_SECONDS else f"the queue has not been looked at for {seconds:.0f} s"
