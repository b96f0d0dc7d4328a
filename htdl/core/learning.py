"""A torrent's metadata have come: what of its files is wanted, whether that may and can be written here."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from htdl.core import about, admission, payload, schedule
from htdl.core.acts import Acts
from htdl.core.book import Book
from htdl.core.chores import Chores
from htdl.core.findings import Findings
from htdl.core.requests import job_files, main_path
from htdl.core.saves import Saves
from htdl.core.service import Service
from htdl.errors import BadRequest, HtdlError
from htdl.jobs import Blocked, Job, JobFile, State
from htdl.torrent.api import Engine, Metadata

log = logging.getLogger(__name__)


class Learning:
    def __init__(
        self,
        book: Book,
        service: Service,
        engine: Engine,
        findings: Findings,
        saves: Saves,
        chores: Chores,
        acts: Acts,
    ) -> None:
        self._book = book
        self._service = service
        self._engine = engine
        self._findings = findings
        self._saves = saves
        self._chores = chores
        self._acts = acts
        self._unwritten: dict[str, Metadata] = {}  # by job, that could not be written down when they came

    def learn(self, job: Job, metadata: Metadata) -> None:
        with about.job(job.id):
            self._chores.begin(self._learn(job, metadata))

    def learn_again(self) -> None:
        """What could not be written down a moment ago: the engine tells it once."""
        unwritten, self._unwritten = self._unwritten, {}
        for job_id, metadata in unwritten.items():
            if (job := self._book.living.get(job_id)) and not job.has_metadata:
                self.learn(job, metadata)

    async def _learn(self, job: Job, metadata: Metadata) -> None:
        log.info(
            "metadata job=%s name=%r bytes=%d pieces=%d files=%d",
            job.id, metadata.name, metadata.total_bytes, metadata.num_pieces, len(metadata.files),
        )  # fmt: skip
        try:
            await self._select(job, metadata)
        except BadRequest as exc:
            self._findings.of(job.id).fault = (exc.code, exc.message)
        except OSError as exc:
            self._findings.of(job.id).fault = ("io_error", f"{exc.strerror}: {exc.filename}")
        except HtdlError as exc:  # a full disk, say
            log.error("metadata not written, trying again job=%s: %s", job.id, exc)
            self._unwritten[job.id] = metadata
        self._book.changed.set()

    async def _select(self, job: Job, metadata: Metadata) -> None:
        selection = None
        while selection != job.selection:  # something else may have been chosen meanwhile
            selection = job.selection
            files = job_files(metadata.files, selection)
            fits = await self._fits(job, files)
            if fits:
                self._engine.select(job.id, [file.index for file in files if file.wanted])
            job = await self._write(job, metadata, files)
        self._service.streams.follow(job.id)
        if not fits and job.status is State.DOWNLOADING:  # it stands there with nothing selected
            await self._acts.act(schedule.Halt(job.id, Blocked.DISK_FULL))

    async def _fits(self, job: Job, files: list[JobFile]) -> bool:
        """Whether there is room for what is wanted.  Raises OSError where it is not to be written there."""
        config, save_path = self._service.config, Path(job.save_path)
        root, min_free = config.torrent.download_path, config.storage.min_free
        reserved = await self._service.conversions.reserved()

        def look() -> bool:
            payload.reject_links(root, save_path, [file.path for file in files])
            wanted = sum(file.size for file in files if file.wanted)
            room = max(0, admission.room(root, min_free) - reserved)
            return wanted - admission.bytes_on_disk(save_path, files) <= room

        return await asyncio.to_thread(look)

    async def _write(self, job: Job, metadata: Metadata, files: list[JobFile]) -> Job:
        saved = await self._saves.taken([job.id])
        return await self._book.change(
            job.id,
            files=files,
            resume=saved.get(job.id),
            name=metadata.name,
            total_bytes=sum(file.size for file in files if file.wanted),
            metadata_at=self._book.now(),
            info_hash=metadata.info_hash,  # a magnet may have named the torrent by its v2 hash alone
            info_hash_v2=metadata.info_hash_v2,
            file_path=main_path(job, files),
        )
