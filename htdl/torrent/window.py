"""Which piece has which priority, and what to tell libtorrent so that it has.  No libtorrent here.

Somebody watches: the first few pieces that are asked for are top, with a deadline, for which libtorrent asks
several peers; the rest comes in order from there, because what lies before is held back (priority 0) and the
sequential mode begins at the first piece that is not.  So no peer is ever idle, and what a player needs next
is what comes next.  Other ways were measured: a whole window of top pieces comes in random order; a few top
pieces over a sequence that begins elsewhere get what is left of the bandwidth; a window and nothing else lets
peers run out of work.

Nobody watches: all in playing order, the ends of the main file first, see `order`.

What else libtorrent 2.1 wants known: the first deadline after none cancels every request but those with one,
which makes a jump quick, and is why all are cleared then; a piece whose deadline was cleared has priority 1;
the sequential mode does not see that pieces before its place are wanted again (`rewinds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from htdl.torrent import order

TOP_PIECES, TOP_PIECES_APART = 4, 12  # the latter for readers far from each other, who share them
JUMP_PIECES = 2  # of the first, one that nobody has asked for yet makes a jump
RUN_BYTES, RUN_SECONDS = 16 << 20, 4.0  # less than this is left of a run: nothing is held back any longer
_CLEARED, _UNKNOWN = 1, -1


@dataclass(frozen=True, slots=True)
class Orders:
    """In this order: clear every deadline, set priorities, set deadlines, begin the sequence anew."""

    clears: bool
    priorities: list[tuple[int, int]]
    due: list[int]
    rewinds: bool


class Window:
    """`wanted`: the pieces of the files that are wanted, disjoint and in order, below `count`.  `length` is
    that of a piece in bytes, `main` the file to watch, by its pieces, `ends` those at its beginning and end.

    `have`, where it is given: a byte for each piece, true when it is here.
    """

    def __init__(
        self, count: int, length: int, wanted: Sequence[range], main: range, ends: Sequence[int]
    ) -> None:
        self.wanted = wanted
        self._length = length
        self._main, self._ends = main, ends
        self._is_wanted = bytearray(count)
        for span in wanted:
            self._is_wanted[span.start : span.stop] = b"\x01" * len(span)
        self._asked: tuple[int, ...] = ()
        self._known: frozenset[int] = frozenset()  # what was asked for at the last orders
        self._given: dict[int, int] = {}  # what libtorrent was told, where it is not NORMAL
        self._due: set[int] = set()
        self._start = 0  # what lies before is held back

    def ask(self, pieces: Iterable[int]) -> None:
        """What is watched, the first soonest; of pieces that no wanted file has nothing follows."""
        inside = (piece for piece in dict.fromkeys(pieces) if 0 <= piece < len(self._is_wanted))
        self._asked = tuple(piece for piece in inside if self._is_wanted[piece])

    @property
    def holds_back(self) -> bool:
        return self._start > 0

    def missing_bytes(self, have: bytearray, start: int = 0) -> int:
        """Of what is wanted from this piece on."""
        spans = (range(max(span.start, start), span.stop) for span in self.wanted)
        return sum(have.count(0, span.start, span.stop) for span in spans) * self._length

    def orders(self, have: bytearray, speed: int) -> Orders:
        """What changed since the last ones; `speed` in bytes a second."""
        missing = [piece for piece in self._asked if not have[piece]]
        seen = self._known | self._due
        clears = not seen.issuperset(missing[:JUMP_PIECES]) if missing else bool(self._known)
        is_slow = speed < order.DUE_BELOW
        if missing:
            start, top = self._run(missing, have, speed)
            due = top[:TOP_PIECES] if clears or is_slow else []
        else:
            start, (top, due) = 0, self._unwatched(have)
            due = due if is_slow else []
        self._known = frozenset(missing)
        return self._difference(have, start, top, due, clears=clears)

    def again(self, have: bytearray, speed: int) -> Orders:
        """All that is asked for once more: libtorrent may have lost it."""
        self._given.update(dict.fromkeys(self._asked, _UNKNOWN))
        self._due.difference_update(self._asked)
        return self.orders(have, speed)

    def _run(self, missing: list[int], have: bytearray, speed: int) -> tuple[int, list[int]]:
        """Where the sequence begins, and what comes before it."""
        ahead = missing[TOP_PIECES:]
        if not ahead:
            return 0, missing
        start = min(ahead)
        if self.missing_bytes(have, start) < max(RUN_BYTES, RUN_SECONDS * speed):
            return 0, missing[: max(TOP_PIECES_APART, RUN_BYTES // self._length)]
        is_apart = max(ahead) - start > 2 * len(missing)
        return start, missing[: TOP_PIECES_APART if is_apart else TOP_PIECES]

    def _unwatched(self, have: bytearray) -> tuple[list[int], list[int]]:
        """What comes first, and what is due: the beginning of the main file, and when it is here its end and
        what comes next.
        """
        ends = [piece for piece in self._ends if not have[piece]]
        head = [piece for piece in ends if piece < (self._main.start + self._main.stop) // 2]
        if head:
            return head, head
        return ends, order.due(
            have, self._main.start, self._main.stop - 1, self._length
        ) if self._main else []

    def _difference(
        self, have: bytearray, start: int, top: list[int], due: list[int], *, clears: bool
    ) -> Orders:
        if clears:
            self._given.update(dict.fromkeys(self._due, _CLEARED))
            self._due.clear()
        new = [piece for piece in due if piece not in self._due and not have[piece]]
        self._due.update(new)
        first = {*top, *due} | self._due
        moved = range(min(start, self._start), max(start, self._start))
        told = [piece for piece, given in self._given.items() if given != order.DONT_DOWNLOAD]
        self._start, priorities, rewinds = start, [], False
        for piece in sorted({*moved, *told, *first}):
            goal = order.FIRST if piece in first else order.DONT_DOWNLOAD if piece < start else order.NORMAL
            before = self._given.pop(piece, order.NORMAL)
            if have[piece] or not self._is_wanted[piece]:
                continue
            if goal != order.NORMAL:
                self._given[piece] = goal
            if goal != before:
                priorities.append((piece, goal))
                rewinds |= before == order.DONT_DOWNLOAD
        return Orders(clears, priorities, new, rewinds)
