"""One file of a job, arriving or whole, as the server serves it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


class Reading(ABC):
    """Some bytes of a file, from first to last, for one task.  A context manager, which closes it."""

    @abstractmethod
    async def next(self, patience: float) -> range | None:
        """The next bytes that can be read now; None at the end.  Raises Stalled, StreamEnded."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more is read.  Closed twice is closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """`etag` is strong and stays the same from the first byte to long after the last: a torrent's bytes never
    change.  `modified` is in seconds since the epoch, None while the file is not whole.
    """

    job_id: str
    index: int
    path: Path
    folder: Path  # of the job: `path` lies in it, and no symlink may lead out
    size: int
    etag: str
    modified: float | None
    is_whole: bool
    reader: Callable[[int, int], Reading]

    @property
    def name(self) -> str:
        return self.path.name

    def read(self, start: int, stop: int) -> Reading:
        """The bytes from `start` up to, not including, `stop`.  Close it, or use it in a `with`."""
        return self.reader(start, stop)


class WholeReader(Reading):
    """All at once."""

    def __init__(self, start: int, stop: int) -> None:
        self._left: range | None = range(start, stop) if start < stop else None

    async def next(self, patience: float) -> range | None:
        left, self._left = self._left, None
        return left

    def close(self) -> None:
        self._left = None
