"""Finding out what is to be done with a video: its first bytes, then all that ffprobe says of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from htdl.config import Config
from htdl.core import conversion
from htdl.core.book import Book
from htdl.core.conversion import Prepared
from htdl.core.links import Links
from htdl.core.naming import Naming
from htdl.core.streams import Streams
from htdl.core.work import Work, Workshop
from htdl.errors import ConversionFailed
from htdl.jobs import Job, JobFile
from htdl.media.plan import Effort
from htdl.media.signature import HEAD_BYTES
from htdl.media.source import Source

log = logging.getLogger(__name__)

WHILE_DOWNLOADING = "while-downloading"


class Looking:
    def __init__(
        self,
        book: Book,
        streams: Streams,
        links: Links,
        naming: Naming,
        shop: Workshop,
        config: Callable[[], Config],
    ) -> None:
        self._book = book
        self._streams = streams
        self._links = links
        self._naming = naming
        self._shop = shop
        self._config = config

    def source(self, job: Job, file: JobFile) -> Source | None:
        """What to read: the file once it is whole, before that our own stream of it."""
        if self._streams.is_whole(job, file):
            return Source(str(Path(job.save_path) / file.path))
        is_early = self._config().conversion.mode == WHILE_DOWNLOADING
        url = self._links.feed(job.id, file)
        if is_early and url and self._streams.has_index(job, file):
            return Source(url, is_url=True)
        return None

    def next(self, job: Job, file: JobFile, work: Work) -> Callable[[], Awaitable[None]] | None:
        """What can be found out now: to be called once.  None while too little of it is here."""
        source = self.source(job, file)
        if source is None and not work.is_checked and self._streams.has_beginning(job, file, HEAD_BYTES):
            work.is_checked = True
            return partial(conversion.check_beginning, Path(job.save_path), file.path)
        if source and not (source.is_url and work.is_early_over):
            return partial(self._prepare, job, file, work, source)
        return None

    async def _prepare(self, job: Job, file: JobFile, work: Work, source: Source) -> None:
        job = self._book.living.get(job.id, job)  # what is wanted of it may have changed
        try:
            prepared = await conversion.prepare(source, self._config().conversion, job.wanted)
        except ConversionFailed as exc:
            if not source.is_url or exc.code == "no_ffmpeg":
                raise
            work.is_early_over = True
            return
        work.is_early_over = prepared.probe.duration is None or not prepared.plan.while_downloading
        if not (source.is_url and work.is_early_over):
            await self._decide(job, file, work, prepared)
        elif prepared.plan.effort is Effort.NONE:  # who watches need not wait for more to know it
            await self._shop.note(job, work, effort=prepared.plan.effort.value, reason=prepared.plan.reason)

    async def _decide(self, job: Job, file: JobFile, work: Work, prepared: Prepared) -> None:
        plan = prepared.plan

        async def note(output: str) -> None:
            await self._shop.note(job, work, effort=plan.effort.value, reason=plan.reason, output=output)

        log.info("to convert job=%s file=%d effort=%s: %s", job.id, file.index, plan.effort, plan.reason)
        await self._naming.choose(job, file, plan.suffix, work.record.output, note)
        work.prepared = prepared
