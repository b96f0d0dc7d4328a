"""When finished pieces can be read: behind a flush that was asked for after they had finished.

libtorrent says that a piece is finished when its hash is right; its last blocks may not be written yet.  All
are once `flush_cache` is answered by cache_flushed_alert, but for pieces that finished since it was asked.

One flush is under way at a time, and its answer covers all that had finished before it.  libtorrent flushes
by itself too, after each torrent_finished_alert, and its answer looks the same: `expect_stray` announces one.
While answers of both kinds are due, nobody can tell which is which, so the barrier is passed with the last of
them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)


PATIENCE_LOOKS = 40  # four a second; a flush takes milliseconds, on a busy disk a second


class Barrier:
    """`flush` asks for one, and answers by `answered`; `key` is the torrent's, for the log."""

    __slots__ = (  # there may be thousands
        "_covered",
        "_flush",
        "_is_asked",
        "_is_wanted",
        "_key",
        "_looks",
        "_next",
        "_strays",
    )

    def __init__(self, flush: Callable[[], None], key: str = "") -> None:
        self._flush = flush
        self._key = key
        self._next: set[int] = set()  # finished, wait for the next flush
        self._covered: set[int] = set()  # by the flush that is under way
        self._is_asked = self._is_wanted = False
        self._strays = 0
        self._looks = 0  # since it was asked

    def take(self, pieces: Iterable[int]) -> None:
        """These have finished: `answered` returns them when they can be read."""
        self._next.update(pieces)
        if self._next:
            self.ask()

    def ask(self) -> None:
        """Have a flush that begins no sooner than now."""
        self._is_wanted = True
        self._go_on()

    def expect_stray(self) -> None:
        self._strays += 1

    def answered(self) -> set[int] | None:
        """A flush is through: the pieces that it covered; None when it may have been libtorrent's own."""
        if self._strays:
            self._strays -= 1
            return None
        if not self._is_asked:
            return None
        covered, self._covered, self._is_asked = self._covered, set(), False
        self._go_on()
        return covered

    def forget(self) -> None:
        """No piece is waited for any longer; the answer that is due covers none."""
        self._next.clear()
        self._covered.clear()
        self._is_wanted = False

    @property
    def is_idle(self) -> bool:
        """Whether no answer is due."""
        return not self._is_asked and not self._strays

    def look(self) -> None:
        """Some time has passed.  An answer that is long overdue was lost, or a stray never came."""
        self._looks += 1
        if self._is_asked and self._looks > PATIENCE_LOOKS:
            log.warning(
                "libtorrent did not say that it has written what it has, asking again job=%s", self._key
            )
            self._strays = self._looks = 0
            self._flush()

    def _go_on(self) -> None:
        if self._is_wanted and not self._is_asked:
            self._covered, self._next = self._next, set()
            self._is_asked, self._is_wanted, self._looks = True, False, 0
            self._flush()
