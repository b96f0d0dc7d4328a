"""What of a job may be changed while it lives: priority, place in the queue, limits, files."""

from __future__ import annotations

from collections.abc import Iterable

from htdl.core import download, queue, requests
from htdl.core.book import Book
from htdl.core.requests import called
from htdl.errors import BadRequest, Refused
from htdl.jobs import Job, JobPatch, Wish
from htdl.torrent.api import Engine


async def found(book: Book, prefix: str) -> Job:
    """The job, once the living ones are known.  Raises NoSuchJob."""
    await book.loaded.wait()
    return await book.find(prefix)


async def living(book: Book, prefix: str, verb: str, hint: str | None = None) -> Job:
    """The same; raises Refused for one that has ended, or is about to."""
    job = await found(book, prefix)
    if job.has_ended or job.wish is Wish.CANCEL:
        state = job.status if job.has_ended else "being cancelled"
        raise Refused(f"cannot {verb} {called(job)}: it is {state}", hint=hint)
    return job


class Changing:
    def __init__(self, book: Book, engine: Engine) -> None:
        self._book = book
        self._engine = engine

    async def update(self, prefix: str, patch: JobPatch) -> Job:
        """Change priority, place, limits or files of a living job; of one that seeds, its limits."""
        job = await found(self._book, prefix)
        if not (job.seeding and requests.is_of_limits(patch)):
            job = await living(self._book, prefix, "change")
        fields = {
            name: value
            for name in ("priority", "max_download_speed", "max_upload_speed")
            if (value := getattr(patch, name)) is not None
        }
        requests.check_numbers(patch.priority or 0, patch.max_download_speed, patch.max_upload_speed)
        requests.check_patterns(patch.files or ())
        other = await self._other(job, patch)
        files = None
        if patch.files is not None:
            fields["selection"] = patch.files
        if patch.files is not None and job.has_metadata:
            files = requests.choose_again(await self._book.files_of(job), patch.files)
            fields |= download.totals(files)
            fields["file_path"] = requests.main_path(job, files)
        job = await self._book.change(job.id, files=files, **fields)
        if files is not None:
            self._engine.select(job.id, [file.index for file in files if file.wanted])
        self._engine.set_limits(
            job.id, max_download_speed=job.max_download_speed, max_upload_speed=job.max_upload_speed
        )
        if patch.position is not None or other:
            job = await self._place(job.id, patch.position or 0, other)
        return job

    async def _other(self, job: Job, patch: JobPatch) -> Job | None:
        """The one it is to come before.  Raises BadRequest, NoSuchJob, Refused."""
        requests.check_place(patch)
        other = await living(self._book, patch.before, "come before") if patch.before is not None else None
        if other and other.id == job.id:
            raise BadRequest(f"{called(job)} cannot come before itself")
        return other

    async def _place(self, job_id: str, place: int, other: Job | None) -> Job:
        def decide(jobs: Iterable[Job]) -> list[Job]:
            known = {x.id: x for x in jobs}
            if job_id not in known:
                return []
            job = known[job_id]
            return queue.moved(known.values(), job, other or queue.at_place(known.values(), job, place))

        await self._book.arrange(decide)
        return await self._book.find(job_id)
