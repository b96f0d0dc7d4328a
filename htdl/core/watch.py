"""Takes the .torrent and .magnet files that are put into watched folders, once each.

A file is taken once it is whole: unchanged for a moment, and readable as what it should be.  First the job is
stored, then the file is moved to `added/`: a crash between the two adds the same torrent again, which makes
no second job.  What cannot be taken is moved to `failed/` with the reason beside it.  What came while nobody
looked lies there at the first look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from htdl import config
from htdl.core import dropped, inbox
from htdl.core.dropped import PATIENCE_SECONDS, SETTLE_SECONDS, Dropped, Step
from htdl.errors import BadRequest, BadSource, HtdlError
from htdl.jobs import AddRequest, JobView

log = logging.getLogger(__name__)

Add = Callable[[AddRequest], Awaitable[tuple[JobView, bool]]]
Settings = Callable[[], config.Watch]


class Watch:
    """One task a folder: a network share that hangs keeps no other one waiting.

    `add` is the service's; `settle` and `patience` are seconds, see `dropped`.
    """

    def __init__(
        self,
        add: Add,
        settings: Settings,
        settle: float = SETTLE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._add = add
        self._settings = settings
        self._settle = settle
        self._patience = patience
        self._folders: dict[Path, tuple[Folder, asyncio.Task[None]]] = {}
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled: look at each folder at once, when `look` is called, and now and then."""
        try:
            while True:
                self._due.clear()
                self._reconcile(self._settings().paths)
                await self._due.wait()
        finally:
            self._reconcile(())

    def look(self) -> None:
        """Something has changed in a folder, or other folders are watched."""
        self._due.set()
        for folder, _ in self._folders.values():
            folder.due.set()

    def _reconcile(self, paths: tuple[Path, ...]) -> None:
        """Let one task run for each of these, and none else."""
        for path in self._folders.keys() - set(paths):
            self._folders.pop(path)[1].cancel()
        for path in paths:
            if path not in self._folders:
                folder = Folder(path, self._add, self._settings, self._settle, self._patience)
                self._folders[path] = folder, asyncio.create_task(folder.run())


class Folder:
    """One watched folder.  It need not be there, nor stay."""

    def __init__(self, path: Path, add: Add, settings: Settings, settle: float, patience: float) -> None:
        self.due = asyncio.Event()
        self._path = path
        self._add = add
        self._settings = settings
        self._settle = settle
        self._patience = patience
        self._files: dict[str, Dropped] = {}
        self._trouble = ""

    async def run(self) -> None:
        while True:
            self.due.clear()
            try:
                await self._sweep()
                self._say("")
            except OSError as exc:  # it is away, or a share's server is
                self._say(f"{exc.strerror}: {exc.filename!r}" if exc.strerror else str(exc))
            except Exception:  # a bug in one sweep must not end all watching; it is logged whole
                log.exception("watching failed folder=%s", self._path)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self.due.wait()

    def _say(self, trouble: str) -> None:
        """Tell what hinders us when it begins and when it ends, and not in every sweep."""
        if trouble and trouble != self._trouble:
            log.warning("cannot be watched, trying again folder=%s: %s", self._path, trouble)
        elif self._trouble and not trouble:
            log.info("can be watched again folder=%s", self._path)
        self._trouble = trouble

    def _pause(self) -> float:
        now = monotonic()
        soon = any(dropped.is_due_soon(file, now, self._settle) for file in self._files.values())
        return self._settle if soon and not self._trouble else self._settings().poll_seconds

    async def _sweep(self) -> None:
        looks = await asyncio.to_thread(inbox.look, self._path)
        self._files = dropped.follow(self._files, looks, monotonic())
        steps = {x: dropped.step(x, monotonic(), self._settle, self._patience) for x in self._files.values()}
        if any(step is not Step.WAIT for step in steps.values()):
            await asyncio.to_thread(inbox.check, self._path)
        for file, step in steps.items():
            if step is Step.TAKE:
                await self._take(file)
            elif step is Step.GIVE_UP:
                await self._put_away(file, inbox.FAILED)

    async def _take(self, file: Dropped) -> None:
        name = file.look.name
        try:
            taken = await self._taken(file)
        except (BadSource, BadRequest) as exc:
            taken = dropped.faulty(file, [exc.message])
        except OSError as exc:
            taken = dropped.faulty(file, [f"the file cannot be read: {exc.strerror}"])
        except HtdlError as exc:  # the database is in use, say
            if exc.message != file.trouble:
                log.warning("cannot take it now, trying again file=%r: %s", name, exc.message)
            taken = replace(file, trouble=exc.message)
        self._files[name] = taken
        if taken is file:
            await self._put_away(file, inbox.ADDED)

    async def _taken(self, file: Dropped) -> Dropped:
        """The same when all that it asks for is stored."""
        if not file.look.is_file:
            return dropped.faulty(file, ["it is a link, a pipe or a device, and no file"])
        data = await asyncio.to_thread(inbox.read, self._path, file.look)
        if data is None:  # somebody writes it after all: the next look begins anew
            return replace(file, since=monotonic())
        asked = dropped.requests(file.look.name, data, paused=self._settings().start_paused)
        faults = []
        for number, request in enumerate(asked, start=1):
            try:
                await self._begin(file, request)
            except (BadSource, BadRequest) as exc:
                faults.append(f"magnet {number}: {exc.message}" if len(asked) > 1 else exc.message)
        if not faults:
            return file
        good = len(asked) - len(faults)
        return dropped.faulty(file, [f"{good} of {len(asked)} added", *faults] if good else faults)

    async def _begin(self, file: Dropped, request: AddRequest) -> None:
        view, is_new = await self._add(request)
        said = "added" if is_new else "here already"
        log.info("%s job=%s file=%r folder=%s", said, view.job.id, file.look.name, self._path)

    async def _put_away(self, file: Dropped, to: str) -> None:
        name, reason = file.look.name, file.fault or ""
        try:
            new = await asyncio.to_thread(inbox.put_away, self._path, file.look, to, reason)
        except OSError as exc:
            log.error("cannot be moved to %s/ file=%r folder=%s: %s", to, name, self._path, exc.strerror)
            self._files[name] = replace(file, is_left=True)
            return
        self._files.pop(name, None)
        if reason and new:
            log.warning(
                "cannot be added, moved to=%s/ file=%r folder=%s: %s",
                to,
                new,
                self._path,
                reason.replace("\n", "; "),
            )
