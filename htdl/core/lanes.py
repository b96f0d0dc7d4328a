"""Which conversions run now.  Pure.

Encoding a picture takes all of the machine, and two at once are no sooner done than one after the other
(measured): so `max_active` of them.  Whatever copies the picture has a lane of its own.  What still arrives
waits for bytes most of the time; it costs a process and little else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

MAX_LIGHT = 2  # that copy the picture of a whole file, or put it in place
MAX_ARRIVING = 8  # that do so while it arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A conversion that may run; `encodes` the picture."""

    job_id: str
    file_index: int
    encodes: bool
    is_whole: bool  # its source
    is_watched: bool = False
    priority: int = 0
    position: int = 0


def next_ones(
    waiting: Iterable[Candidate], running: Collection[Candidate], max_encoding: int
) -> list[Candidate]:
    """Those to begin, the most urgent first: what is watched, then the higher priority, then what is whole,
    then the lower position and file.  What runs is never ended for another.
    """
    free = dict(zip(_LANES, (max_encoding, MAX_LIGHT, MAX_ARRIVING), strict=True))
    for one in running:
        free[_lane(one)] -= 1
    chosen = []
    for one in sorted(waiting, key=_rank):
        if free[_lane(one)] > 0:
            free[_lane(one)] -= 1
            chosen.append(one)
    return chosen


_LANES = ("encoding", "light", "arriving")


def _lane(one: Candidate) -> str:
    if one.encodes:
        return "encoding"
    return "light" if one.is_whole else "arriving"


def _rank(one: Candidate) -> tuple[bool, int, bool, int, int]:
    return (not one.is_watched, -one.priority, not one.is_whole, one.position, one.file_index)
