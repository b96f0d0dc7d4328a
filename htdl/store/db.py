"""The database file: opened, checked, migrated, and from then on used one transaction at a time.

One thread writes, so no fsync ever stops the event loop and no two writers meet; another only reads, and
waits for no commit (sqlite.org/wal.html: readers and the writer do not block each other).  A connection is in
SQLite's own autocommit mode: the only BEGIN and COMMIT are those of `Database.run` and `read`, and what
sqlite-utils wraps in a transaction of its own becomes a savepoint inside it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import sqlite_utils

from htdl.errors import DiskFull, HtdlError
from htdl.store import migrations

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 5  # how long to wait for another program that holds the database, such as a backup
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_IN_USE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ACCESS = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}
)
_START_ANEW = "put a backup in its place, or move it away to begin with an empty one; downloaded files stay"


class Database:
    """An open database; `open` makes one, `close` ends it."""

    def __init__(self, path: Path, writer: _Lane, reader: _Lane) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self.observer: Callable[[str, float], None] = lambda operation, seconds: None
        """Told of each "read" and "write", and of the seconds from being asked to being done."""

    @classmethod
    async def open(cls, path: Path, *, now: str) -> Database:
        """Open or create the database and bring it to this version's shape; `now` (UTC ISO-8601) is noted
        beside each migration.

        Raises HtdlError (`bad_database`) for a file that is damaged, not htdl's, of a newer htdl or cannot be
        written, and leaves it as it is; DiskFull where there is no room.
        """
        writer = await _Lane.start(partial(_open, path, now))
        try:
            reader = await _Lane.start(partial(_open_reader, path))
        except BaseException:  # whatever kept it from opening, or a cancel: nothing must stay open
            await writer.end()
            raise
        return cls(path, writer, reader)

    async def run(
        self, fn: Callable[Concatenate[sqlite_utils.Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of `fn(db, *args)`, called in the writing thread inside one transaction.

        It is committed and on disk when this returns; any error rolls all of it back.  Calls are served in
        their order.  A caller cancelled meanwhile does not undo it: it is done whole or not at all.
        Raises what `fn` raises, DiskFull, or HtdlError (`bad_database`, `database_busy`).
        """
        work = partial(fn, self._writer.db, *args, **kwargs)
        return await self._timed("write", self._writer, "BEGIN IMMEDIATE", work)

    async def read(
        self, fn: Callable[Concatenate[sqlite_utils.Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run`, for an `fn` that only reads: it sees one moment of the database, every `run` that has
        returned included.
        """
        work = partial(fn, self._reader.db, *args, **kwargs)
        return await self._timed("read", self._reader, "BEGIN", work)

    async def close(self) -> None:
        """Finish what was asked for before, then close the file.  Closing twice does nothing."""
        await self._reader.end()
        await self._writer.end()

    async def _timed(self, operation: str, lane: _Lane, begin: str, work: Callable[[], T]) -> T:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await lane.do(partial(self._transact, lane, begin, work))
        finally:
            self.observer(operation, clock() - began)

    def _transact(self, lane: _Lane, begin: str, work: Callable[[], T]) -> T:
        connection = lane.db.conn
        try:
            connection.execute(begin)
            with connection:  # commits; rolls back on any error, also one of the commit itself
                return work()
        except sqlite3.Error as exc:
            if told := _in_words(exc, self.path):
                raise told from exc
            raise


class _Lane:
    """A connection, and the one thread that uses it."""

    def __init__(self, thread: ThreadPoolExecutor, db: sqlite_utils.Database) -> None:
        self._thread = thread
        self.db = db

    @classmethod
    async def start(cls, connect: Callable[[], sqlite_utils.Database]) -> _Lane:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="htdl-store")
        try:
            return cls(thread, await asyncio.get_running_loop().run_in_executor(thread, connect))
        except BaseException:  # whatever kept it from opening, or a cancel: the thread must not stay behind
            thread.shutdown(wait=False)
            raise

    async def do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def end(self) -> None:
        try:
            closing = asyncio.get_running_loop().run_in_executor(self._thread, self.db.close)
        except RuntimeError:  # ended already: the thread takes no more work
            return
        self._thread.shutdown(wait=False)
        await closing


def _open_reader(path: Path) -> sqlite_utils.Database:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)


def _open(path: Path, now: str) -> sqlite_utils.Database:
    try:
        _create(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    except OSError as exc:
        raise (_no_room(path) if exc.errno == errno.ENOSPC else _no_access(path, str(exc))) from exc
    except sqlite3.Error as exc:
        raise _no_access(path, str(exc)) from exc
    try:
        return _prepare(connection, path, now)
    except BaseException as exc:  # whatever it is, the file must not stay open
        connection.close()
        if isinstance(exc, sqlite3.Error) and (told := _in_words(exc, path)):
            raise told from exc
        raise


def _create(path: Path) -> None:
    """The folder and an empty file, both for this user alone: a job's source may hold a passkey."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path, now: str) -> sqlite_utils.Database:
    """All that only reads comes first, so that a file that is refused stays as it was."""
    db = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
    _check(db, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    migrations.migrate(db, now)
    connection.execute("PRAGMA foreign_keys = ON")  # after: a step may rebuild a table others refer to
    return db


def _check(db: sqlite_utils.Database, path: Path) -> None:
    tables = db.table_names()
    number, known = migrations.applied(db), len(migrations.MIGRATIONS)
    if tables and not number:
        raise _bad(f"{path} is a database of another program", "name another file, or move this one away")
    if number > known:
        raise _bad(
            f"{path} was written by a newer htdl (schema {number}, this one knows {known})",
            "install that htdl again, or put back a backup from before",
        )
    # The jobs alone: to read all the resume data at each start would take long, and it is checked when used.
    if tables and (found := db.execute("PRAGMA quick_check('download_jobs')").fetchone()[0]) != "ok":
        raise _bad(f"{path} is damaged: {found}", _START_ANEW)


def _in_words(exc: sqlite3.Error, path: Path) -> HtdlError | None:
    """What a person should read; None for an error of our own SQL, which is a bug."""
    code = getattr(exc, "sqlite_errorcode", 0)
    primary = code & 0xFF  # sqlite.org/rescode.html: the rest is detail
    # SHMSIZE: the index of the WAL could not grow, which is how a full disk shows there
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _no_room(path)
    if primary in _DAMAGED:
        return _bad(f"{path} is damaged: {exc}", _START_ANEW)
    if primary in _IN_USE:
        return HtdlError(
            f"{path} is in use by another program ({exc})", hint="end that program", code="database_busy"
        )
    if primary in _NO_ACCESS:
        return _no_access(path, str(exc))
    return None


def _no_room(path: Path) -> DiskFull:
    return DiskFull(f"no room on the disk to write {path}", hint="free some space there")


def _no_access(path: Path, reason: str) -> HtdlError:
    return _bad(
        f"cannot use the database {path}: {reason}",
        "its folder must exist or be creatable, and this user must be able to write there",
    )


def _bad(message: str, hint: str) -> HtdlError:
    return HtdlError(message, hint=hint, code="bad_database")
