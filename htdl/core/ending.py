"""A download is whole, its conversion too: the last steps of a job that goes well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from htdl.core import payload
from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.core.findings import Findings
from htdl.core.requests import main_path
from htdl.core.saves import Saves
from htdl.core.selection import main_file
from htdl.core.service import Service
from htdl.core.standing import TO_LOOK
from htdl.core.telling import Telling
from htdl.events import Kind
from htdl.jobs import Job, JobFile, State

log = logging.getLogger(__name__)

STILL: dict[str, Any] = {
    "download_speed": 0,
    "upload_speed": 0,
    "peers": 0,
    "eta_seconds": -1,
    "blocked_by": None,
    "detail": "",
}


class Ending:
    def __init__(
        self,
        book: Book,
        service: Service,
        findings: Findings,
        saves: Saves,
        chores: Chores,
        telling: Telling,
    ) -> None:
        self._book = book
        self._service = service
        self._findings = findings
        self._saves = saves
        self._chores = chores
        self._telling = telling

    async def convert(self, job: Job) -> Job | None:
        """To CONVERTING; the job whose download is over with, or None where it is not, or was none."""
        if job.is_local:
            await self._convert_local(job)
            return None
        log.info("downloaded, converting job=%s name=%r", job.id, job.name)
        return await self._arrive(job, Kind.CHANGED, status=State.CONVERTING, detail=TO_LOOK, eta_seconds=-1)

    async def _convert_local(self, job: Job) -> None:
        """Its source was here before it was."""
        log.info("converting job=%s name=%r bytes=%d", job.id, job.name, job.total_bytes)
        files = [replace(x, progress=100.0) for x in self._book.files.get(job.id, ())]
        await self._book.change(
            job.id,
            files=files,
            status=State.CONVERTING,
            progress=100,
            done_bytes=job.total_bytes,
            file_path=main_path(job, files),
            blocked_by=None,
            detail=TO_LOOK,
        )

    async def complete(self, job: Job) -> Job | None:
        """To COMPLETED; the job then, or None where it is not whole after all."""
        fields: dict[str, Any] = {
            "status": State.COMPLETED,
            "completed_at": self._book.now(),
            "eta_seconds": 0,
            "detail": "",
        }
        if job.status is not State.CONVERTING:
            return await self._arrive(job, Kind.COMPLETED, **fields)
        files, path = self._with_outputs(job, self._book.files.get(job.id, ()))
        job = await self._book.change(job.id, Kind.COMPLETED, files=files, file_path=path, **fields)
        _log_completed(job)
        return job

    async def _arrive(self, job: Job, kind: Kind, **fields: Any) -> Job | None:
        """All that is wanted is here."""
        finished, current = self._findings.of(job.id).whole, self._book.files.get(job.id, ())
        if finished is None or not self._findings.is_whole(job, current):
            return None  # something else is wanted since it was decided
        if not self._findings.was_verified(job.id) and not await asyncio.to_thread(_are_filled, job, current):
            self._findings.lose(job, "files have holes")
            self._book.changed.set()
            return None
        rules = self._service.config.torrent
        whole = [
            replace(x, progress=100.0 if x.wanted else x.progress) for x in self._book.files.get(job.id, ())
        ]
        self._book.note_files(job.id, whole)
        self._telling.tell_whole(job)
        files, path = self._with_outputs(job, whole)
        job = await self._book.change(
            job.id,
            kind,
            files=files,
            resume=self._saves.resume(job, finished.resume),
            **(STILL | fields),
            progress=100,
            done_bytes=job.total_bytes,
            seeding=rules.seed_ratio != 0 and rules.seed_minutes != 0,
            file_path=path,
        )
        if job.status is State.COMPLETED:
            _log_completed(job)
        self._chores.begin(self._saves.sync(job, files, finished.resume))
        return job

    def _with_outputs(self, job: Job, files: Iterable[JobFile]) -> tuple[list[JobFile], str | None]:
        """The files with what was made of them, and where the one to watch is."""
        outputs = self._service.conversions.outputs(job.id)
        named = [replace(x, output=outputs.get(x.index, x.output)) for x in files]
        main = main_file(named)
        return named, (main.output if main else None) or main_path(job, named)


def _log_completed(job: Job) -> None:
    log.info("completed job=%s name=%r bytes=%d path=%s", job.id, job.name, job.total_bytes, job.file_path)


def _are_filled(job: Job, files: Iterable[JobFile]) -> bool:
    return all(payload.is_filled(Path(job.save_path) / x.path, x.size) for x in files if x.wanted)
