"""What happens to jobs, told to whoever listens.

A listener has a bounded queue.  One that does not keep up is dropped, never waited for: its iteration ends,
and it asks again for the state now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType

from htdl.jobs import Job

QUEUE_LENGTH = 1000


class Kind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"  # status, wish, name, limits, or why nothing moves
    PROGRESS = "progress"  # numbers only
    READY = "ready"  # can be watched from now on
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


ENDS = frozenset({Kind.COMPLETED, Kind.FAILED, Kind.CANCELLED, Kind.REMOVED})  # a job's last, until a retry


@dataclass(frozen=True, slots=True)
class Event:
    """`seq` grows by one an event for as long as the daemon runs; `job` is the job just after it."""

    seq: int
    kind: Kind
    job: Job


class Subscription:
    """The events from now on, in order; ends when the bus closes or this listener falls behind."""

    def __init__(self, bus: Bus) -> None:
        import asyncio  # 20 ms that a client, which only names the kinds, need not pay

        self._bus = bus
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_LENGTH + 1)  # one place for the end

    def __enter__(self) -> Subscription:
        self._bus._listeners.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus._listeners.discard(self)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event

    def _offer(self, event: Event) -> bool:
        """Whether there was room for it."""
        if self._queue.qsize() >= QUEUE_LENGTH:
            return False
        self._queue.put_nowait(event)
        return True

    def _end(self) -> None:
        self._queue.put_nowait(None)


class Bus:
    """Bounded fan-out of events.  Use from the event loop's thread only."""

    def __init__(self) -> None:
        self.seq = 0
        self._listeners: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        """A context manager that is iterated with `async for`."""
        return Subscription(self)

    def publish(self, kind: Kind, job: Job) -> None:
        self.seq += 1
        event = Event(self.seq, kind, job)
        for listener in [x for x in self._listeners if not x._offer(event)]:
            self._drop(listener)

    def close(self) -> None:
        for listener in list(self._listeners):
            self._drop(listener)

    def _drop(self, listener: Subscription) -> None:
        self._listeners.discard(listener)
        listener._end()
