"""Runs the programs that the configuration names when something happens to a job.

A hook gets an argument list, no shell and no stdin, HTDL_* in a small environment, and bounded time; what it
prints goes to the log, and however it ends, its job is as it was.  The hooks of one job run one after the
other, those of several jobs beside each other.

Each runs at least once: what waits or runs is written down, and what the end of the daemon cut off runs from
its beginning at the next start.  Where the process is killed in the moment in which the job itself changes,
before that is written down, it does not run.  That a job can be watched is found anew after each start; for
whom that hook has begun is written down too, and it begins no second time before the job has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

import sqlite_utils

from htdl import config
from htdl.core.book import Book
from htdl.errors import HtdlError
from htdl.events import ENDS, Bus, Kind
from htdl.jobs import Job
from htdl.media import process
from htdl.media.process import Finished, Limits
from htdl.store import jobs as rows
from htdl.store import resume as resumes
from htdl.store.db import Database

log = logging.getLogger(__name__)

AT_ONCE = 4
MAX_WAITING = 1000
MAX_LINES = 20  # of what a hook prints, in the log
STOP_SECONDS = 0.7  # for those that run when the daemon ends: it has 5 in all
DUE = "hooks_due"  # its key in the store

HOOKED = (Kind.ADDED, Kind.READY, Kind.COMPLETED, Kind.FAILED)

_MAX_VALUE = 8000  # characters; a kernel takes 128 KiB for one variable, execve(2)
# What a program of the user's needs to find its way, and his session; nothing else of ours is its affair.
_PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Due:
    """A hook that is to run, with the job as it was just then."""

    kind: Kind
    job: Job


class Hooks:
    def __init__(
        self,
        db: Database,
        book: Book,
        bus: Bus,
        settings: Callable[[], config.Hooks],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._db = db
        self._book = book
        self._bus = bus
        self._settings = settings
        self._environ = environ
        self._waiting: deque[Due] = deque()
        self._told: dict[str, int] = {}  # whom on_ready has begun for, and in which attempt
        self._running: dict[asyncio.Task[None], Due] = {}
        self._is_other = asyncio.Event()  # what waits and runs, than what is written down
        self._written: bytes | None = None
        self._is_taken_up = False
        self._taking_up = asyncio.Lock()

    async def run(self) -> None:
        """Until it is cancelled; then all hooks are ended.  Listens from its first step on."""
        writing = asyncio.create_task(self._write_down())
        try:
            while True:
                with self._bus.subscribe() as events:
                    await self._take_up()
                    async for event in events:
                        self._take(Due(event.kind, event.job))
                log.error("events were missed, and no hook runs for them: too much happened at once")
        finally:
            writing.cancel()
            await self._end()

    def _take(self, due: Due) -> None:
        if due.kind in ENDS:
            self._told.pop(due.job.id, None)
        if due.kind not in HOOKED or not self._command(due.kind):
            return
        if due.kind is Kind.READY:
            if self._told.get(due.job.id) == due.job.attempts:
                return
            self._told[due.job.id] = due.job.attempts
        if len(self._waiting) >= MAX_WAITING:
            log.error("hook left out, too many wait job=%s event=%s", due.job.id, due.kind)
            return
        self._waiting.append(due)
        self._go_on()

    def _command(self, kind: Kind) -> tuple[str, ...]:
        command: tuple[str, ...] = getattr(self._settings(), f"on_{kind}")
        return command

    def _go_on(self) -> None:
        """Begin what may begin."""
        while len(self._running) < AT_ONCE:
            due = next_due(self._waiting, {x.job.id for x in self._running.values()})
            if due is None:
                break
            self._waiting.remove(due)
            task = asyncio.create_task(self._run(due))
            self._running[task] = due
            task.add_done_callback(self._done)
        self._is_other.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        due = self._running[task]
        if task.cancelled():
            return  # the daemon ends, and the next one runs it again
        if error := task.exception():  # a bug, or no process can be made: it is logged whole, and over
            log.error("hook failed job=%s event=%s: %s", due.job.id, due.kind, error, exc_info=error)
        del self._running[task]
        self._go_on()

    async def _run(self, due: Due) -> None:
        command, seconds = self._command(due.kind), self._settings().timeout_seconds
        if not command:  # any more
            return
        began, said = monotonic(), _Said(due)
        log.debug("hook begins job=%s event=%s program=%r", due.job.id, due.kind, command[0])
        done = await process.run(
            command,
            Limits(seconds=seconds, nice=0),
            environment=environment(due, self._environ),
            on_line=said.say,
        )
        for line in done.stderr:
            said.say(line)
        _log_end(due, done, monotonic() - began)

    async def _end(self) -> None:
        """Asked twice: who does not end at the first word is killed at the second."""
        waiting = list(self._waiting)
        self._waiting.clear()  # none begins any more
        for _ in range(2):
            for task in self._running:
                task.cancel()
            if self._running:
                await asyncio.wait(list(self._running), timeout=STOP_SECONDS)
        if self._is_taken_up:
            await self._put(packed([*self._running.values(), *waiting], self._told))

    # --- what outlives the daemon ---

    async def _take_up(self) -> None:
        """What an earlier life left undone, once."""
        await self._book.loaded.wait()
        async with self._taking_up:
            if not self._is_taken_up:
                await self._read_left()

    async def _read_left(self) -> None:
        try:
            left, told = await self._db.read(_left)
        except HtdlError as exc:  # the database is in use, say: what is written there stays as it is
            log.error("what hooks were not done cannot be read: %s", exc)
            return
        for due in left:
            log.info("hook was not done job=%s event=%s", due.job.id, due.kind)
            self._take(due)
        self._told |= {job_id: attempt for job_id, attempt in told.items() if job_id in self._book.living}
        self._is_taken_up = True
        self._is_other.set()

    async def _write_down(self) -> None:
        """What is due, in one row, as often as it changes; many changes at once are one."""
        while True:
            await self._is_other.wait()
            self._is_other.clear()
            await self._take_up()  # where it could not be read before
            if self._is_taken_up:
                await self._put(packed([*self._running.values(), *self._waiting], self._told))

    async def _put(self, due: bytes) -> None:
        if due != self._written:
            with contextlib.suppress(HtdlError):  # a full disk, say: then the next change writes it
                await self._db.run(resumes.put_session, DUE, due)
                self._written = due


class _Said:
    """What a hook prints, line by line into the log, as much as is bearable."""

    def __init__(self, due: Due) -> None:
        self._due = due
        self._lines = 0

    def say(self, line: str) -> None:
        self._lines += 1
        if self._lines <= MAX_LINES:
            log.info("hook says job=%s event=%s: %s", self._due.job.id, self._due.kind, line)
        elif self._lines == MAX_LINES + 1:
            log.info("hook says more job=%s event=%s", self._due.job.id, self._due.kind)


def _log_end(due: Due, done: Finished, seconds: float) -> None:
    if done.is_good:
        log.info("hook ended job=%s event=%s code=0 seconds=%.1f", due.job.id, due.kind, seconds)
    else:
        log.warning(
            "hook failed job=%s event=%s code=%d seconds=%.1f: %s",
            due.job.id, due.kind, done.code, seconds, done.last_words,
        )  # fmt: skip


def next_due(waiting: Iterable[Due], busy: Collection[str]) -> Due | None:
    """The first of a job none of whose hooks runs: they are told in the order in which things happened."""
    return next((due for due in waiting if due.job.id not in busy), None)


def environment(due: Due, environ: Mapping[str, str]) -> dict[str, str]:
    """What a hook is told.  Empty is what is not known, or not so."""
    job = due.job
    told = {
        "HTDL_EVENT": due.kind,
        "HTDL_JOB_ID": job.id,
        "HTDL_JOB_NAME": job.name,
        "HTDL_JOB_STATUS": job.status,
        "HTDL_VIDEO_ID": job.video_id,
        "HTDL_INFO_HASH": job.info_hash,
        "HTDL_FILE_PATH": job.file_path or "",
        "HTDL_FOLDER": job.save_path,
        "HTDL_BYTES": str(job.total_bytes),
        "HTDL_ERROR": job.error_message or "",
        "HTDL_ERROR_CODE": job.error_code or "",
    }
    passed_on = {key: environ[key] for key in _PASSED_ON if key in environ}
    return passed_on | {key: _value(text) for key, text in told.items()}


def _value(text: str) -> str:
    """What a variable can hold."""
    short = text.replace("\0", "")[:_MAX_VALUE]
    try:
        os.fsencode(short)
    except UnicodeEncodeError:  # half a character, of a database that somebody else wrote
        return short.encode("utf-8", "replace").decode()
    return short


def packed(due: Iterable[Due], told: Mapping[str, int]) -> bytes:
    """A line for each: the event and the job's id; the job's id and its attempt."""
    lines = [*(f"{x.kind} {x.job.id}" for x in due), *(f"{key} {attempt}" for key, attempt in told.items())]
    return "\n".join(lines).encode()


def unpacked(data: bytes) -> tuple[list[tuple[Kind, str]], dict[str, int]]:
    """`packed` back again; a line that cannot be read is left out."""
    lines = (line.split(" ") for line in data.decode(errors="replace").splitlines())
    pairs = [(x[0], x[1]) for x in lines if len(x) == 2]
    due = [(Kind(event), job_id) for event, job_id in pairs if event in HOOKED]
    return due, {job_id: int(attempt) for job_id, attempt in pairs if attempt.isascii() and attempt.isdigit()}


def _left(db: sqlite_utils.Database) -> tuple[list[Due], dict[str, int]]:
    left, told = unpacked(resumes.get_session(db, DUE) or b"")
    found = ((kind, rows.fetch(db, job_id)) for kind, job_id in left)
    return [Due(kind, job) for kind, job in found if job], told
