"""What `/metrics` tells: Prometheus' text of counters, times and the state now.

What happens is counted as it happens, in a microsecond or so; what is, is read only when somebody asks, and
written out in a thread, so that no number of jobs stops the event loop.  Counters begin at 0 with the daemon
and never fall, whatever is removed.  Names: prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from htdl.answers import Health
from htdl.config import Config
from htdl.core.book import Book
from htdl.core.scrape import Now, Scrape
from htdl.errors import DiskFull, HtdlError
from htdl.events import Bus, Event, Kind
from htdl.jobs import Blocked, Conversion, ConversionState, Job, State
from htdl.media.plan import Effort
from htdl.store import jobs as rows
from htdl.store.db import Database
from htdl.torrent.api import Network

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_READY = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_SLOW = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0)
_STALLS = tuple(x for x in Blocked if x is not Blocked.QUEUE)
_UNKNOWN = "unknown"  # the kind of a conversion that failed before it was planned
_KINDS = (*(x.value for x in Effort), _UNKNOWN)
_OUTCOMES = ("done", "failed", "retried", "no_room")


@dataclass(slots=True)
class _Seen:
    """A living job as the last event told it; times are monotonic, None from before this daemon's start."""

    status: State
    blocked_by: Blocked | None
    since: float | None  # in this status
    begun: float | None  # added, or begun again


class Metrics:
    """`health` and `network` are asked at each scrape; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        db: Database,
        book: Book,
        bus: Bus,
        config: Callable[[], Config],
        health: Callable[[], Awaitable[Health]],
        network: Callable[[], Awaitable[Network | None]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._db = db
        self._book = book
        self._bus = bus
        self._config = config
        self._health = health
        self._network = network
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        # a second series beside each, which nobody draws
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the package leaves this one untyped
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._waits = Histogram(
            "htdl_queue_wait_seconds", "From being queued to being begun.", buckets=_SLOW, registry=registry
        )
        self._readies = Histogram(
            "htdl_time_to_ready_seconds",
            "From being added, or begun again, until the video can be watched.",
            buckets=_READY,
            registry=registry,
        )
        self._stalls = Counter(
            "htdl_stalls", "How often a job came to stand still.", ["reason"], registry=registry
        )
        self._ended = Counter("htdl_jobs_ended", "Jobs that ended.", ["status"], registry=registry)
        self._conversions = Counter(
            "htdl_conversions", "Conversions that ended.", ["kind", "outcome"], registry=registry
        )
        self._conversion_times = Histogram(
            "htdl_conversion_seconds", "How long they ran.", ["kind"], buckets=_SLOW, registry=registry
        )
        self._operations = Histogram(
            "htdl_database_operation_seconds",
            "From being asked for to being done; a write is on disk then.",
            ["operation"],
            buckets=_QUICK,
            registry=registry,
        )
        self._turns = Histogram(
            "htdl_turn_seconds", "One look at all jobs, and what follows.", buckets=_QUICK, registry=registry
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A series that appears with its first event hides that event from `rate`."""
        for reason in _STALLS:
            self._stalls.labels(reason.value)
        for status in (State.COMPLETED, State.FAILED, State.CANCELLED):
            self._ended.labels(status.value.lower())
        for kind in _KINDS[:-1]:
            self._conversion_times.labels(kind)
        for kind in _KINDS:
            for outcome in _OUTCOMES:
                self._conversions.labels(kind, outcome)
        for operation in ("read", "write"):
            self._operations.labels(operation)

    # --- what happens ---

    def know(self, jobs: Iterable[Job]) -> None:
        """These live since before."""
        self._seen = {job.id: _Seen(job.status, job.blocked_by, None, None) for job in jobs}

    def on_event(self, event: Event) -> None:
        """The bus's observer."""
        if event.kind is Kind.PROGRESS:
            return
        job, now = event.job, self._clock()
        if event.kind is Kind.REMOVED or job.has_ended:
            self._on_end(event.kind, job)
            return
        seen = self._seen.get(job.id)
        if seen is None:
            self._seen[job.id] = seen = _Seen(job.status, None, now, now)
        if event.kind is Kind.READY and seen.begun is not None:
            self._readies.observe(now - seen.begun)
        self._note_status(seen, job.status, now)
        if job.blocked_by in _STALLS and job.blocked_by is not seen.blocked_by:
            self._stalls.labels(job.blocked_by.value).inc()
        seen.blocked_by = job.blocked_by

    def _on_end(self, kind: Kind, job: Job) -> None:
        self._seen.pop(job.id, None)
        if kind in {Kind.COMPLETED, Kind.FAILED, Kind.CANCELLED}:
            self._ended.labels(kind.value).inc()

    def _note_status(self, seen: _Seen, status: State, now: float) -> None:
        if status is seen.status:
            return
        begins = seen.status is State.PENDING and status in {State.DOWNLOADING, State.CONVERTING}
        if begins and seen.since is not None:
            self._waits.observe(now - seen.since)
        seen.status, seen.since = status, now

    def on_conversion(self, before: Conversion, after: Conversion) -> None:
        """A record was written anew."""
        if outcome := _outcome(before, after):
            kind = after.effort or _UNKNOWN
            self._conversions.labels(kind, outcome).inc()
            if before.status is ConversionState.RUNNING:
                ran = datetime.fromisoformat(after.updated_at) - datetime.fromisoformat(before.updated_at)
                self._conversion_times.labels(kind).observe(max(0.0, ran.total_seconds()))

    def on_operation(self, operation: str, seconds: float) -> None:
        """Of the database: "read" or "write"."""
        self._operations.labels(operation).observe(seconds)

    def on_turn(self, seconds: float) -> None:
        """Of the runner."""
        self._turns.observe(seconds)

    # --- what is ---

    async def text(self) -> bytes:
        """The text format 0.0.4.  What cannot be told just now is left out."""
        now = Now(
            by_status=await self._by_status(),
            network=await self._seen_network(),
            health=await self._health(),
            jobs=list(self._book.living.values()),
            events=self._bus.seq,
            config=self._config(),
        )
        return await asyncio.to_thread(generate_latest, Scrape(self._registry, now))

    async def _by_status(self) -> dict[str, int]:
        try:
            return (await self._db.read(rows.totals)).by_status
        except HtdlError:  # health says so
            return {}

    async def _seen_network(self) -> Network | None:
        try:
            return await self._network()
        except HtdlError:  # it starts or stops
            return None


def _outcome(before: Conversion, after: Conversion) -> str | None:
    """What became of it, where it ended; None where it only moved."""
    if after.status is before.status:
        return None
    if after.status is ConversionState.DONE:
        return "done"
    if after.status is ConversionState.FAILED:
        return "failed"
    if before.status is ConversionState.RUNNING and after.error_code:
        return "no_room" if after.error_code == DiskFull.code else "retried"
    return None
