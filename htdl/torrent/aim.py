"""What to fetch now, and in which order.  Pure: from what is asked for, what is here, and the speed.

Somebody watches.  Right after a jump the first pieces come nearly alone: what peers were asked for before
them would delay them, and a player often looks at a few places only.  Then the first few pieces are top, and
the rest comes in order from there, because what lies before is held back and libtorrent's sequential mode
begins at the first piece that is not.  So no peer is idle, and what a player needs next comes next.

Other ways were measured (`python -m tests.bench window` measures this one): a window of top pieces comes in
random order; a few top pieces over a sequence that begins elsewhere get what is left of the bandwidth; a
window and nothing else lets peers run out of work.

Nobody watches: all in playing order, the ends of the main file first, see `order`.

Never is all that is wanted here while the torrent is not: libtorrent then tells its peers that it only
uploads, and every seed hangs up.  So what is held back is given free well before the rest runs out, at the
speed that was measured; while none was, nothing is held back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil

from htdl.torrent import order

TOP_PIECES = 4
TOP_PIECES_ALONE, TOP_SECONDS = 12, 2.0  # so many, or so much, where nothing comes in order behind them
JUMP_PIECES = 2  # a MiB of them, if they are small
BEGINNING_BYTES = 2 << 20  # of a film, which are due a few pieces at a time: what plays first comes first
FEW_PIECES, FEW_SECONDS = 1, 0.15  # come beside those after a jump: so many, or so long
MOST_HELD_BACK = 50_000  # pieces; to name more of them takes too long for the event loop
RUN_BYTES, RUN_SECONDS = 2 << 20, 4.0  # when less is left of a run, nothing is held back any longer


@dataclass(frozen=True, slots=True)
class Layout:
    """A torrent by its pieces, `count` of `length` bytes.  `wanted`: those of the files that are wanted,
    disjoint and in order; `main`: of the file to watch; `ends`: at its beginning and its end.
    """

    count: int
    length: int
    wanted: Sequence[range]
    main: range
    ends: Sequence[int]

    def missing_bytes(self, have: bytearray, start: int = 0) -> int:
        """Of what is wanted from this piece on, in whole pieces."""
        spans = (range(max(span.start, start), span.stop) for span in self.wanted)
        return sum(have.count(0, span.start, span.stop) for span in spans if span) * self.length


@dataclass(frozen=True, slots=True)
class Aim:
    """Pieces of `first` before all else, those of them that are `due` with a deadline; then `run` in order,
    and `few`.  Nothing else.
    """

    first: Sequence[int]
    due: Sequence[int]
    run: range
    few: Collection[int] = ()


def unwatched(layout: Layout, have: bytearray, speed: int) -> Aim:
    """The ends of the main file, then the rest of its beginning; all else in order."""
    everything, main = range(layout.count), layout.main
    ends = [piece for piece in layout.ends if not have[piece]]
    beginning = main[: max(1, BEGINNING_BYTES // layout.length)]
    first = dict.fromkeys((*ends, *(piece for piece in beginning if not have[piece])))
    if first:
        is_new = len(ends) == len(layout.ends)
        few = list(first)[: len(ends) if is_new else TOP_PIECES]  # for they come in any order
        return Aim(few, few, everything)
    is_slow = speed < order.DUE_BELOW and bool(main)
    return Aim((), order.due(have, main.start, main.stop - 1, layout.length) if is_slow else (), everything)


def after_jump(
    layout: Layout, fresh: Sequence[int], missing: Sequence[int], have: bytearray, speed: int
) -> Aim:
    """`missing`: what is asked for and not here, the first soonest, at least one; `fresh`: those of it that
    were the first when the reader jumped.

    A few more keep all peers busy, and no longer: idle ones are asked for what a slow one was asked for.
    """
    first = fresh or missing[:JUMP_PIECES]
    if speed >= order.DUE_BELOW or not _may_hold_back(layout, have, speed):
        return Aim(first, first, steady(layout, missing, have, speed).run)
    count = max(FEW_PIECES, int(speed * FEW_SECONDS / layout.length))
    next_of_all = order.due(have, layout.main.start, layout.main.stop - 1, layout.length)
    few = islice((x for x in chain(missing, next_of_all) if x not in first), count)
    return Aim(first, first, range(0), tuple(few))


def steady(layout: Layout, missing: Sequence[int], have: bytearray, speed: int) -> Aim:
    """As `after_jump`, for readers that have their first pieces."""
    everything, ahead = range(layout.count), missing[TOP_PIECES:]
    due = missing[:TOP_PIECES] if speed < order.DUE_BELOW else ()
    start = min(ahead, default=0)
    top = max(TOP_PIECES_ALONE, ceil(TOP_SECONDS * speed / layout.length)) if speed else TOP_PIECES
    if not _may_hold_back(layout, have, speed, start):
        return Aim(missing[:top], due, everything)
    if _are_apart(missing[:TOP_PIECES]) and len(missing) > top:
        # nothing in order, for one reader would have all of it
        return Aim(missing[:top], due, range(0))
    return Aim(missing[:TOP_PIECES], due, everything[start:])


def _are_apart(first: Sequence[int]) -> bool:
    """Whether readers far from each other want these."""
    return max(first, default=0) - min(first, default=0) > 2 * TOP_PIECES


def _may_hold_back(layout: Layout, have: bytearray, speed: int, start: int = 0) -> bool:
    """Whether enough is left from `start` on for all else to wait."""
    enough = max(RUN_BYTES, int(RUN_SECONDS * speed))
    return speed > 0 and layout.count <= MOST_HELD_BACK and layout.missing_bytes(have, start) >= enough
