"""What the socket shows of jobs: each with its files, its verdict, its addresses, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from htdl.core import queue, selection
from htdl.core.book import REMEMBERED, Book
from htdl.core.conversions import Conversions
from htdl.core.links import Links
from htdl.core.live import Live
from htdl.core.streams import Streams
from htdl.core.subtitling import Subtitling
from htdl.jobs import Conversion, Job, JobFile, JobQuery, JobView, State, StreamInfo, Subtitle
from htdl.store import conversions as rows
from htdl.store.db import Database


class Views:
    """The questions about jobs.  Those that name one take any unique prefix of its id, or its video's id."""

    def __init__(
        self,
        db: Database,
        book: Book,
        streams: Streams,
        links: Links,
        conversions: Conversions,
        subtitling: Subtitling,
        live: Live,
    ) -> None:
        self._db = db
        self._book = book
        self._streams = streams
        self._links = links
        self._conversions = conversions
        self._subtitling = subtitling
        self._live = live
        self._places: tuple[tuple[int, int], dict[str, int]] = ((-1, 0), {})
        # of the ended jobs that were listed last: when they changed, and what was made of them
        self._remembered: dict[str, tuple[str, tuple[Conversion, ...]]] = {}

    async def jobs(self, query: JobQuery) -> tuple[list[JobView], int]:
        """The jobs, and how many there would be without the query's limit."""
        jobs, total = await self._book.listing(query, self._ready() if query.ready else ())
        places = self._all_places() if any(queue.is_waiting(job) for job, _ in jobs) else {}
        made = await self._made([job for job, _ in jobs])
        return [
            replace(self._view(job, files, made.get(job.id)), queue_position=places.get(job.id))
            for job, files in jobs
        ], total

    def _all_places(self) -> dict[str, int]:
        """Of all that wait; thousands are put in order only when something has changed."""
        edition = self._book.edition, len(self._book.living)  # they are loaded without a change
        if self._places[0] != edition:
            self._places = edition, queue.places(self._book.living.values())
        return self._places[1]

    async def _made(self, jobs: Sequence[Job]) -> dict[str, tuple[Conversion, ...]]:
        """The conversions of those that have ended, which are in memory no more: one question for all of
        them, and none for a list that is asked for again.
        """
        ended = {x.id: x.updated_at for x in jobs if x.has_ended and not self._conversions.of(x.id)}
        known = {x: self._remembered[x] for x in ended if self._remembered.get(x, ("",))[0] == ended[x]}
        if missing := [x for x in ended if x not in known]:
            found = await self._db.read(rows.of, missing)
            known |= {job_id: (ended[job_id], some) for job_id, some in found.items()}
        self._remembered = known if len(known) <= REMEMBERED else {}
        return {job_id: some for job_id, (_, some) in known.items()}

    def _ready(self) -> list[str]:
        """Those that can be watched and have not ended."""
        begun = [job for job in self._book.living.values() if job.done_bytes and not job.has_ended]
        files = self._book.files
        return [x.id for x in begun if self._streams.readiness(x, files.get(x.id, ())).ready]

    async def get(self, prefix: str) -> JobView:
        return await self.shown(await self._book.find(prefix))

    async def by_video(self, video_id: str) -> JobView:
        return await self.shown(await self._book.by_video(video_id))

    async def stream(self, prefix: str, index: int | None = None) -> StreamInfo:
        """Where a job's file can be watched, the main one's where none is named, and whether it can be yet.

        Raises NoSuchJob (`no_such_file`), Refused for a file that is not downloaded.
        """
        job = await self._book.find(prefix)
        files = await self._book.files_of(job)
        file = self._streams.file(job, files, index) if files and not _is_gone(job) else None
        if file:
            self._streams.attend(job.id, file.index)
        said = await self._subtitling.kept(job)
        subtitles = self._links.subtitles(job.id, file, said) if file else ()
        return StreamInfo(
            job=job.id,
            file=file.index if file else None,
            url=self._links.video(job.id, file) if file else None,
            page_url=self._links.page(job.id, index),
            m3u_url=self._links.playlist(job.id),
            file_path=str(Path(job.save_path) / file.path) if file else None,
            readiness=self._streams.readiness(job, files, file.index if file else None),
            subtitles=tuple(x for x in subtitles if x.url),
        )

    async def shown_part(self, prefix: str, index: int, name: str) -> Path:
        """Where a part of what is shown of a file while it is converted lies.  Raises NoSuchJob, Refused."""
        job = await self._book.find(prefix)
        file = self._streams.file(job, await self._book.files_of(job), index)
        return await self._live.part(job, file, name)

    def view(self, job: Job) -> JobView:
        return self._view(job, self._book.files.get(job.id, ()))

    async def shown(self, job: Job) -> JobView:
        view = self._view(
            job,
            await self._book.files_of(job),
            await self._conversions.kept(job),
            await self._subtitling.kept(job),
        )
        return replace(view, queue_position=queue.place(self._book.living.values(), job))

    def _view(
        self,
        job: Job,
        files: tuple[JobFile, ...],
        conversions: tuple[Conversion, ...] | None = None,
        subtitles: tuple[Subtitle, ...] | None = None,
    ) -> JobView:
        """Without `conversions` and `subtitles`, which only a look at the database tells of a job that has
        ended, those that are in memory.
        """
        said = self._subtitling.of(job.id) if subtitles is None else subtitles
        known = self._conversions.of(job.id) if conversions is None else conversions
        main = None if _is_gone(job) else selection.main_file(files)
        return JobView(
            job=job,
            files=files,
            readiness=self._streams.readiness(job, files),
            stream_url=self._links.video(job.id, main) if main else None,
            conversion=next((x for x in known if main and x.file_index == main.index), None),
            conversions=known,
            subtitles=self._links.subtitles(job.id, main, said) if main else (),
        )


def _is_gone(job: Job) -> bool:
    """Whether it was complete, and its files were removed since."""
    return job.status is State.COMPLETED and job.file_path is None
