"""A job's videos, ready to be sent: where each lies, what names its state, and who reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from htdl.core.shelf import Shelf, Watched
from htdl.errors import NoSuchJob
from htdl.jobs import Job, JobFile
from htdl.stream.video import Reading, Video, WholeReader


class Videos:
    """Who reads a whole one is noted on the shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def kept(self, job: Job, file: JobFile) -> Video:
        """A whole file; or what was made of it, where that alone is kept."""
        source = Path(job.save_path) / file.path
        if file.output and not await asyncio.to_thread(source.exists):
            return await self.made(job, file, Path(file.output))
        return self.whole(job, file)

    async def made(self, job: Job, file: JobFile, path: Path) -> Video:
        """What was made of it.  Raises NoSuchJob."""
        try:
            stat = await asyncio.to_thread(path.stat)
        except OSError as exc:
            raise NoSuchJob(f"{path.name} is gone", hint=f"`htdl retry {job.id[:8]}` makes it again") from exc
        return Video(
            job_id=job.id,
            index=file.index,
            path=path,
            folder=path.parent,
            size=stat.st_size,
            etag=f'"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"',
            modified=stat.st_mtime,
            is_whole=True,
            reader=self._watched(path, Path(job.save_path) / file.path),
        )

    def whole(self, job: Job, file: JobFile) -> Video:
        """All of it, where it was downloaded to."""
        paths = [Path(job.save_path) / file.path, *([Path(file.output)] if file.output else [])]
        return self.video(job, file, self._watched(*paths), is_whole=True)

    def _watched(self, *paths: Path) -> Callable[[int, int], Reading]:
        """Readers of the first; the others are the same video."""
        names = tuple(map(str, paths))

        def read(start: int, stop: int) -> Reading:
            self._shelf.opened(names)
            return Watched(WholeReader(start, stop), self._shelf, names[0])

        return read

    def video(
        self, job: Job, file: JobFile, reader: Callable[[int, int], Reading], *, is_whole: bool
    ) -> Video:
        """Read by readers of its bytes from one to before another."""
        modified = datetime.fromisoformat(job.completed_at).timestamp() if job.completed_at else None
        return Video(
            job_id=job.id,
            index=file.index,
            path=Path(job.save_path) / file.path,
            folder=Path(job.save_path),
            size=file.size,
            etag=f'"{(job.info_hash or job.id)[:20]}-{file.index}"',
            modified=modified if is_whole else None,
            is_whole=is_whole,
            reader=reader,
        )
