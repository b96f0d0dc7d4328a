"""What to tell libtorrent so that it fetches what is watched: the steps from one `Aim` to the next.

What libtorrent 2.1 wants known: the first deadline after none cancels every request but those with one, which
makes a jump quick, and is why all are cleared then; a piece whose deadline was cleared has priority 1; the
sequential mode does not see that pieces before its place are wanted again (`rewinds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from htdl.torrent import aim, order
from htdl.torrent.aim import Aim, Layout

ALONE_LOOKS = 4  # a second at most the first pieces after a jump come alone
_CLEARED, _UNKNOWN = 1, -1


@dataclass(frozen=True, slots=True)
class Orders:
    """In this order: clear every deadline, set priorities, set deadlines, begin the sequence anew."""

    clears: bool
    priorities: list[tuple[int, int]]
    due: list[int]
    rewinds: bool


class Window:
    """`have`, where it is given: a byte for each piece, 1 when it is here.  `speed`: bytes a second."""

    __slots__ = (  # there may be thousands
        "_aim",
        "_alone_looks",
        "_asked",
        "_due",
        "_fresh",
        "_given",
        "_is_begun",
        "_is_wanted",
        "_known",
        "layout",
    )

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._is_wanted = bytearray(layout.count)
        for span in layout.wanted:
            self._is_wanted[span.start : span.stop] = b"\x01" * len(span)
        self._asked: tuple[int, ...] = ()
        self._known: frozenset[int] = frozenset()  # what was missing of it at the last orders
        self._fresh: Sequence[int] = ()  # the first of them, after a jump
        self._is_begun = False  # something comes
        self._alone_looks = 0  # for so many more looks they come alone
        self._aim = Aim((), (), range(layout.count))
        self._given: dict[int, int] = {}  # what libtorrent was told, where it is not NORMAL
        self._due: set[int] = set()

    def ask(self, pieces: Iterable[int]) -> None:
        """What is watched, the first soonest.  Pieces that no wanted file has are passed over."""
        inside = (piece for piece in dict.fromkeys(pieces) if 0 <= piece < self.layout.count)
        self._asked = tuple(piece for piece in inside if self._is_wanted[piece])

    @property
    def holds_back(self) -> bool:
        return len(self._aim.run) < self.layout.count

    def look(self, have: bytearray, speed: int) -> None:
        """Some time has passed.  Before anything comes nobody knows what may be held back."""
        if all(have[piece] for piece in self._fresh):
            self._alone_looks = 0
        elif speed:
            self._alone_looks = max(0, self._alone_looks - 1)

    def orders(self, have: bytearray, speed: int) -> Orders:
        """What changed since the last ones.  When all that is asked for is here, nothing does: who asked
        hears of it now, and will ask for what comes next.
        """
        if self._asked and all(have[piece] for piece in self._asked):
            return Orders(False, [], [], False)
        return self._orders(have, speed)

    def _orders(self, have: bytearray, speed: int) -> Orders:
        missing = [piece for piece in self._asked if not have[piece]]
        next_ones = missing[: aim.JUMP_PIECES]
        is_jump = any(self._is_elsewhere(x, have) for x in next_ones if x - 1 not in next_ones)
        begins = self._begins(speed)
        is_jump = is_jump or begins
        clears = is_jump if missing else bool(self._known)
        if missing and (is_jump or not self._known):
            self._fresh, self._alone_looks = missing[: aim.JUMP_PIECES], ALONE_LOOKS
        self._known = frozenset(missing)
        return self._steps(self._next(missing, have, speed), have, clears=clears)

    def again(self, have: bytearray, speed: int) -> Orders:
        """All that is asked for once more: libtorrent may have lost it."""
        lost = [piece for piece in self._asked if not have[piece]]
        self._given.update(dict.fromkeys(lost, _UNKNOWN))
        self._due.difference_update(self._asked)
        return self._orders(have, speed)

    def release(self) -> Orders:
        """Everything as it was before the first orders."""
        given, self._given = self._given, {}
        return Orders(True, [(piece, order.NORMAL) for piece in given], [], False)

    def _next(self, missing: list[int], have: bytearray, speed: int) -> Aim:
        if not missing:
            return aim.unwatched(self.layout, have, speed)
        if not self._alone_looks:
            return aim.steady(self.layout, missing, have, speed)
        fresh = [piece for piece in self._fresh if piece in self._known]
        return aim.after_jump(self.layout, fresh, missing, have, speed)

    def _begins(self, speed: int) -> bool:
        """Whether something comes for the first time since the jump: what was asked for beside is let go."""
        begins, self._is_begun = speed > 0 and not self._is_begun and self._alone_looks > 0, speed > 0
        return begins

    def _is_elsewhere(self, piece: int, have: bytearray) -> bool:
        """Whether it was not asked for before, nor follows what was and has come since."""
        is_due = piece in self._due and len(self._due) <= aim.TOP_PIECES
        if is_due or piece in self._known:
            return False
        run = range(have.rfind(0, 0, piece) + 1, piece)  # is here, and ends with this piece
        return not any(known in run for known in self._known)

    def _steps(self, goal: Aim, have: bytearray, *, clears: bool) -> Orders:
        if clears:
            self._given.update(dict.fromkeys(self._due, _CLEARED))
            self._due.clear()
        due = [piece for piece in goal.due if piece not in self._due]
        self._due.update(due)
        first, few, priorities = {*goal.first} | self._due, set(goal.few), []
        rewinds = False
        for piece in sorted(self._touched(goal) | first):
            before = self._given.pop(piece, order.NORMAL)
            if not self._is_wanted[piece] or (have[piece] and before != order.DONT_DOWNLOAD):
                continue  # a piece that came while it was held back counts as not wanted, until it is again
            is_open = piece in goal.run or piece in few
            after = order.FIRST if piece in first else order.NORMAL if is_open else order.DONT_DOWNLOAD
            if after != order.NORMAL:
                self._given[piece] = after
            if after != before:
                priorities.append((piece, after))
                rewinds |= before == order.DONT_DOWNLOAD
        self._aim = goal
        return Orders(clears, priorities, due, rewinds)

    def _touched(self, goal: Aim) -> set[int]:
        """Pieces whose priority may have to change, beside the first."""
        old = self._aim
        starts, stops = sorted((old.run.start, goal.run.start)), sorted((old.run.stop, goal.run.stop))
        told = (piece for piece, given in self._given.items() if given != order.DONT_DOWNLOAD)
        return {*range(*starts), *range(*stops), *old.few, *goal.few, *told}
