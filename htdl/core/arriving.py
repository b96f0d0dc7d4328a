"""A torrent that is arriving, as who watches it sees it: what its videos' containers say, what a player needs
of them before all else, what is preloaded, and whether they can be watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from htdl.core import selection
from htdl.core.lengths import check_within, length
from htdl.core.preloads import Preloads
from htdl.core.torrents import Torrent
from htdl.jobs import JobFile, Preload, Readiness
from htdl.stream import readiness
from htdl.stream.arrival import Arrival
from htdl.stream.container.container import Container
from htdl.stream.source import Span

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2  # between two looks at one container, at least
FIRST_LOOK_SECONDS = 0.05  # while its head or index is waited for
MAX_ASKED = 8  # files of one torrent, beside its main one, whose containers are read


class Arriving:
    """`files` gives the job's files as they are chosen now."""

    def __init__(self, torrent: Torrent, files: Callable[[], Sequence[JobFile]]) -> None:
        self.torrent = torrent
        self.arrival = Arrival(torrent)
        self._files = files
        self._asked: list[int] = []  # files that somebody asked about, beside the main one
        self._containers: dict[int, Container] = {}  # by file
        self._needed: list[tuple[Span, range]] = []  # heads and indices
        self._ready: set[int] = set()  # files that could be watched already
        self._verdicts: dict[int, tuple[object, Readiness]] = {}  # the last, and of what
        self._preloads = Preloads(self._ask)
        self._nap: asyncio.Timeout | None = None  # of the follower, until more is here

    @property
    def is_watched(self) -> bool:
        return not self.torrent.pieces.is_gone and bool(self.arrival.readers or self._preloads)

    def attend(self, index: int) -> None:
        """Somebody asks about a file that may not be the main one: its head and index come first as well."""
        if index in self._asked:
            return
        self._asked = [*self._asked, index][-MAX_ASKED:]
        if self._nap:
            self._nap.reschedule(0.0)
            self._nap = None

    # --- following ---

    async def follow(self, told: Callable[[], None]) -> None:
        """Read the containers as they come, until the torrent is let go; `told` hears when a verdict may be
        another one.
        """
        pieces = self.torrent.pieces
        try:
            while not pieces.is_gone:
                seen = pieces.version, self._asked
                await self._examine()
                told()
                if seen == (pieces.version, self._asked):
                    await self._news()
                # pieces may come by hundreds a second
                await asyncio.sleep(FIRST_LOOK_SECONDS if self._needed else LOOK_SECONDS)
        except Exception:  # a bug in reading a container must not end the download; it is logged whole, once
            log.exception("cannot follow job=%s", self.torrent.key)
            while not pieces.is_gone:
                await pieces.changed()
        finally:
            self._preloads.clear()
            self._ask()

    async def _news(self) -> None:
        """Return when more is here, or somebody asks about another file."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as self._nap:
                await self.torrent.pieces.changed()
        self._nap = None

    async def _examine(self) -> None:
        """Read the containers as far as they are here, and ask for what they need besides."""
        self._needed = []
        for file in self._attended():
            known = self._containers.get(file.index)
            if known is None or not known.index_ok:
                span = self.torrent.span(file)
                found = await asyncio.to_thread(self.torrent.examine, span)
                self._containers[file.index] = found
                self._needed += [(span, part) for part in found.needed]
        self._ask()

    def _attended(self) -> list[JobFile]:
        """The main file, and those that were asked about."""
        files = self._files()
        main = selection.main_file(files)
        asked = [file for file in files if file.index in self._asked and file.wanted and file != main]
        return [main, *asked] if main else []

    def _ask(self) -> None:
        """For head and index, which come before what is preloaded: without them nothing plays."""
        self.arrival.need(self._needed + self._preloads.parts)

    # --- what is here ---

    def verdict(self, file: JobFile, speed: float, threshold: float) -> Readiness:
        """Whether this file can be watched now; `speed` and `threshold` as in `readiness.verdict`."""
        container = self._containers.get(file.index)
        basis = (self.torrent.pieces.version, container, speed, threshold)
        known = self._verdicts.get(file.index)
        if known and known[0] == basis:
            return known[1]
        span = self.torrent.span(file)
        found = readiness.verdict(
            size=file.size,
            head=self.torrent.head(span, 0),
            done=sum(len(run) for run in self.torrent.runs(span)),
            container=container,
            speed=speed,
            threshold=threshold,
            was_ready=file.index in self._ready,
        )
        self._verdicts[file.index] = basis, found
        if found.ready:
            self._ready.add(file.index)
        return found

    def has_index(self, file: JobFile) -> bool:
        container = self._containers.get(file.index)
        return container is not None and container.index_ok

    def length(self, file: JobFile) -> float | None:
        """How long this file plays, in seconds, once its container says so."""
        return length(self._containers.get(file.index))

    def preload(self, file: JobFile, seconds: float) -> Preload:
        """Fetch what plays at this time before all else, once the index says where that is, and keep it so
        for a while, see `Preloads`.  Raises Refused for a time that the file does not have.
        """
        container, span = self._containers.get(file.index), self.torrent.span(file)
        check_within(span.path.name, seconds, length(container))
        is_known = container is not None and container.index_ok
        place = readiness.place(container, file.size, seconds) if container and is_known else range(0)
        self._preloads.keep((file.index, seconds), span, place)
        self._ask()
        if not is_known:
            reason = "the index of the file is still missing" if container else readiness.LOOKING
            return Preload(ready=False, reason=reason, byte=0)
        return _preloaded(place, min(len(place), self.torrent.head(span, place.start)))


def _preloaded(place: range, here: int) -> Preload:
    if here >= len(place):
        return Preload(ready=True, reason="what plays there is here", byte=place.start)
    share = here * 100 // len(place)
    return Preload(ready=False, reason=f"{share} % of what plays there is here", byte=place.start)
