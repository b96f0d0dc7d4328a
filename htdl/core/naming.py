"""Where results go: each gets a name of its own, and never that of a file that is somebody else's.

What is ours is in the cache's rows, with its size, before it is there; so a crash between the two costs
nothing.  A file of another size has been changed, or put there, by somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path, PurePosixPath

import sqlite_utils

from htdl.config import Config
from htdl.core import payload
from htdl.core.book import Book
from htdl.core.shelf import Shelf
from htdl.jobs import Job, JobFile
from htdl.media import placing
from htdl.store import cache
from htdl.store import conversions as rows
from htdl.store.db import Database

Note = Callable[[str], Awaitable[None]]  # writes down which name was chosen


class Naming:
    """`planned` gives the names that are chosen for what is not there yet."""

    def __init__(
        self,
        db: Database,
        book: Book,
        shelf: Shelf,
        config: Callable[[], Config],
        planned: Callable[[], Iterable[str | None]],
    ) -> None:
        self._db = db
        self._book = book
        self._shelf = shelf
        self._config = config
        self._planned = planned
        self._choosing = asyncio.Lock()  # one at a time

    async def choose(self, job: Job, file: JobFile, suffix: str, output: str | None, note: Note) -> None:
        """Note where the result of a file goes: where an earlier one is, or was to be, if that serves."""
        asked = (job.wanted.output if job.wanted else "") or self._config().storage.base_path / job.video_id
        folder = Path(asked)
        async with self._choosing:
            serves = output is not None and fits(output, folder, file.path, suffix)
            if not (serves and output and await self._is_free(job, Path(output))):
                output = await self._another(job, file, suffix, folder)
            await note(output)

    async def put(self, job: Job, file: JobFile, part: Path, target: Path, note: Note) -> Path:
        """Put what was made of a file at its target, or beside it where that is taken by now.  Returns where.

        Raises HtdlError, OSError.
        """
        size = (await asyncio.to_thread(part.stat)).st_size
        while True:
            is_there = await asyncio.to_thread(os.path.lexists, target)
            if not is_there or await self._is_free(job, target):
                await self._shelf.keep(job, target, size)
                try:
                    put = placing.put_over if is_there else placing.put
                    await _whole(asyncio.to_thread(put, part, target))
                except FileExistsError:  # since a moment ago
                    await self._shelf.forget(target)
                else:
                    return target
            async with self._choosing:
                target = Path(await self._another(job, file, target.suffix, target.parent))
                await note(str(target))

    async def own(self, job: Job) -> dict[str, int]:
        """What was made of a job, by path its size, whatever its records say: another file may be there by
        now.
        """
        return {x.path: x.bytes for x in await self._db.read(cache.of) if x.job_id == job.id}

    async def remove(self, job: Job) -> None:
        """Remove what was made of a job, and forget that it was."""
        sources = {str(Path(job.save_path) / x.path) for x in await self._book.files_of(job)}
        outputs = [Path(x) for x in await self.own(job) if x not in sources]
        for path in outputs:
            if path.is_relative_to(self._config().storage.base_path):
                await asyncio.to_thread(payload.delete, path.parent, [path.name], "")
            else:  # in a folder of somebody else's, who may want it empty
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(path.unlink)

        def forget(db: sqlite_utils.Database) -> None:
            rows.delete(db, job.id)
            for path in outputs:
                cache.forget(db, str(path))

        await self._db.run(forget)

    async def _is_free(self, job: Job, path: Path) -> bool:
        """Whether nothing is there but what was made of this job, or its name, taken before a crash with an
        empty file where the file system has no links (`placing.put`).
        """
        found = await asyncio.to_thread(_size, path)
        own = (await self.own(job)).get(str(path))
        return found is None or found == own or (found == 0 and own is not None)

    async def _another(self, job: Job, file: JobFile, suffix: str, folder: Path) -> str:
        is_taken = await self._is_taken(job)
        return str(await asyncio.to_thread(target_of, folder, file.path, suffix, is_taken))

    async def _is_taken(self, job: Job) -> Callable[[Path], bool]:
        """Says whether something is there, or is to be.  It may be asked in a thread."""
        planned = set(self._planned())
        planned |= {x.output for some in (await self._db.read(rows.living)).values() for x in some}
        planned |= {str(Path(job.save_path) / x.path) for x in self._book.files.get(job.id, ())}
        return lambda target: str(target) in planned or os.path.lexists(target)


# --- pure, but for what `is_taken` does ---


def target_of(folder: Path, path: str, suffix: str, is_taken: Callable[[Path], bool]) -> Path:
    """Where the result of the video at `path` of a torrent goes; `suffix` is empty for one that stays as it
    is.  Another name where the first is taken: "Film (2).mp4".
    """
    name = PurePosixPath(path)
    ending = suffix or name.suffix
    for number in range(1, 1000):
        again = f" ({number})" if number > 1 else ""
        stem = name.stem.encode()[: 240 - len(again) - len(ending)].decode(errors="ignore")
        if not is_taken(target := folder / f"{stem}{again}{ending}"):
            return target
    raise FileExistsError(f"{folder} holds too many files called {name.stem}")


def fits(output: str, folder: Path, path: str, suffix: str) -> bool:
    """Whether an earlier result may be replaced by one that goes to `folder`; the rest as in `target_of`."""
    earlier = Path(output)
    return earlier.parent == folder and earlier.suffix == (suffix or PurePosixPath(path).suffix)


def _size(path: Path) -> int | None:
    """Of a file; -1 of what is none, None where nothing is."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


async def _whole(work: Awaitable[None]) -> None:
    """To its end, also when it is cancelled meanwhile: a thread would go on behind our back."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
