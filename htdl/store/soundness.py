"""Whether the database file is whole: SQLite's own look at it, on a connection that nobody else waits for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from htdl.store.migrations import MIGRATIONS

_EVERY = 10_000  # of SQLite's instructions is asked whether to go on


def look(path: Path, go_on: Callable[[], bool]) -> str | None:
    """What is wrong with it in words, or None.  Blocks, and reads all of it, for as long as `go_on` says.

    It only reads: a damaged file stays as it is.  Raises TimeoutError for a look that was broken off.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: not go_on(), _EVERY)
            return _wrong(connection)
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise TimeoutError from exc
        return f"cannot be read: {exc}"


def _wrong(connection: sqlite3.Connection) -> str | None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        return f"is damaged: {said}"
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "schema_migrations" not in tables:
        return "is a database of another program"
    if not tables:
        return None
    (number,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM schema_migrations").fetchone()
    if number > len(MIGRATIONS):
        return f"was written by a newer htdl (schema {number}, this one knows {len(MIGRATIONS)})"
    return None
