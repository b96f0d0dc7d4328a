"""What happens to jobs, told to whoever listens.

A listener has a bounded queue.  One that does not keep up is dropped, never waited for: its iteration ends,
and it goes on where it was, while the last events are kept, or asks again for the state now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from types import TracebackType

from htdl.jobs import Job

QUEUE_LENGTH = 1000
KEPT = 5000  # events for those who come back: minutes of a few downloads, some 3 MB


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
    """Bounded fan-out of events.  Use from the event loop's thread only.

    `instance` names this run of the daemon, for `seq` begins anew with each.  `observer` is told of every
    event at once, and must be quick.
    """

    def __init__(self, instance: str = "") -> None:
        self.instance = instance
        self.seq = 0
        self.observer: Callable[[Event], None] = lambda event: None
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        """A context manager that is iterated with `async for`."""
        return Subscription(self)

    def publish(self, kind: Kind, job: Job) -> None:
        self.seq += 1
        event = Event(self.seq, kind, job)
        self._kept.append(event)
        self.observer(event)
        for listener in [x for x in self._listeners if not x._offer(event)]:
            self._drop(listener)

    def after(self, seq: int) -> list[Event] | None:
        """All that came after this one; None where that is not known any more, or it is still to come."""
        missed = self.seq - seq
        if not 0 <= missed <= len(self._kept):
            return None
        return list(islice(self._kept, len(self._kept) - missed, None))

    def close(self) -> None:
        for listener in list(self._listeners):
            self._drop(listener)

    def _drop(self, listener: Subscription) -> None:
        self._listeners.discard(listener)
        listener._end()
