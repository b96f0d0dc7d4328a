"""Which pieces come next, and in which order, when a torrent is being watched.  Pure.

Three steps: what each reader needs at once, what the container's head and index need, and then what each
will read soon.  Within a step readers take turns, a piece each, so that two far apart share what comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

FIRST_BYTES = 1 << 20  # what a player needs to begin; small, so that after a jump it is alone in front
START_BYTES = 4 << 20  # the window of a new reader; it grows by what it took, for most only look at a place
MOST_BYTES = 16 << 20  # of one reader that are not here yet: as in TorrServer (torrstor/cache.go)
LEAST_PIECES = 3  # of one reader, also when pieces are large: several peers have something to do
TOTAL_BYTES = 64 << 20  # of all readers together
LEAST_TOTAL, MOST_TOTAL = 32, 512  # pieces; the swarm is asked for a few things at a time (libtorrent #5891)


@dataclass(frozen=True, slots=True)
class Head:
    """Where one reader is, in pieces of the torrent."""

    next: int  # the one with its next byte
    last: int  # the one with the last byte that it reads
    taken: int = 0  # bytes, since it was opened
    is_idle: bool = False  # it has not asked for a while: a paused player, or one that is gone


def ordered(
    heads: Sequence[Head],
    needed: Sequence[range],
    piece_length: int,
    readable_until: Callable[[int], int],
) -> list[int]:
    """The pieces to fetch before all else, the first soonest, none twice and none that is here.

    `heads`: who is to be served next comes first.  `needed`: pieces of the head and the index, in order.
    `readable_until` is that of `PieceSource`.  An idle reader has its first step only, after those who wait.
    """
    first = max(1, FIRST_BYTES // piece_length)

    def missing(pieces: range) -> Iterator[int]:
        piece = pieces.start
        while piece < pieces.stop and (piece := readable_until(piece)) < pieces.stop:
            yield piece
            piece += 1

    def step(head: Head) -> Iterator[int]:
        return missing(range(head.next, min(head.next + first, head.last + 1)))

    def rest(head: Head) -> Iterator[int]:
        return islice(missing(range(head.next + first, head.last + 1)), _window(head, piece_length) - first)

    active = [head for head in heads if not head.is_idle]
    order = chain(
        _in_turn(map(step, active)),
        chain.from_iterable(map(missing, needed)),
        _in_turn(step(head) for head in heads if head.is_idle),
        _in_turn(map(rest, active)),
    )
    return list(islice(_once(order), _total(piece_length)))


def _window(head: Head, piece_length: int) -> int:
    return max(LEAST_PIECES, min(START_BYTES + head.taken, MOST_BYTES) // piece_length)


def _total(piece_length: int) -> int:
    return min(MOST_TOTAL, max(LEAST_TOTAL, TOTAL_BYTES // piece_length))


def _in_turn(queues: Iterable[Iterator[int]]) -> Iterator[int]:
    """The first of each, then the second of each, and so on."""
    return (piece for row in zip_longest(*queues) for piece in row if piece is not None)


def _once(pieces: Iterable[int]) -> Iterator[int]:
    seen: set[int] = set()
    for piece in pieces:
        if piece not in seen:
            seen.add(piece)
            yield piece
