"""Whether a video can be watched while it is still arriving, and why.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from htdl.jobs import Readiness
from htdl.stream.container.container import Container
from htdl.stream.container.course import course, offset_at, seconds_at
from htdl.stream.container.found import Points

START_SECONDS = 5.0  # so much a player reads before its first picture, at most (measured: 2-5 s)
PATIENCE_SECONDS = 1.0  # it may wait for the last of that itself, which shows no picture later
INDEXED_MARGIN = 1.1  # speeds swing: the course is run this much faster than it will be played
SPREAD_MARGIN = 1.3  # the same without an index: a film's beginning may need more than its average
UNTIMED_BYTES = 4 << 20  # of a file whose course is not known, to begin with
KEYFRAME_SECONDS = 5.0  # a player goes back to the last whole picture, which lies so far back, about

LOOKING = "looking at what is here"  # until the container was read for the first time
_FAST = 1 << 40  # bytes a second: no film needs so much, but a container may say anything
_UNITS = (("GiB", 1 << 30, 1.0), ("MiB", 1 << 20, 0.1), ("KiB", 1 << 10, 0.0))  # each from so many of it on


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """In bytes, and bytes a second; see `verdict`."""

    size: int
    head: int
    done: int
    speed: float

    def lacking(self, offset: int) -> int:
        """How many bytes must still come until all before `offset` are here, at most."""
        return max(0, min(offset - self.head, self.size - self.done))

    def seconds_for(self, count: float) -> float:
        """Until so many bytes have come, at the speed of now; inf when nothing comes."""
        if count <= 0:
            return 0.0
        return count / self.speed if self.speed >= 1.0 else float("inf")


def gone(threshold: float) -> Readiness:
    """The verdict on a finished job whose files were removed."""
    return idle("its files were removed", threshold)


def idle(reason: str, threshold: float) -> Readiness:
    """The verdict on a job of which nothing can be watched: `reason` says why."""
    return Readiness(ready=False, reason=reason, threshold=threshold)


def whole(threshold: float, size: int | None = None, duration: float | None = None) -> Readiness:
    return Readiness(
        ready=True,
        reason="the whole file is here",
        threshold=threshold,
        buffered_bytes=size,
        buffered_seconds=duration,
        index_ok=True,
        plays_through="yes",
    )


def place(container: Container, size: int, seconds: float) -> range:
    """The bytes of a file that must be here to begin playing at that time; its beginning where its duration
    is not known.
    """
    points = course(container, size)
    if not points:
        return range(min(size, UNTIMED_BYTES))
    start = offset_at(points, seconds - KEYFRAME_SECONDS) if seconds > KEYFRAME_SECONDS else 0
    return range(min(start, size), min(size, offset_at(points, seconds + START_SECONDS)))


def verdict(
    *,
    size: int,
    head: int,
    done: int,
    container: Container | None,
    speed: float,
    threshold: float,
    was_ready: bool = False,
) -> Readiness:
    """The verdict on a file that is arriving.  Bytes that are here are verified and on disk: `head` without a
    gap from the file's beginning, `done` in all.  `speed` is bytes a second, smoothed, 0 when nothing comes;
    `container` is None while nobody has looked at it; `threshold` is percent of the file.

    Ready when the container's head and index are here, and either `threshold` percent without a gap or so
    much that it would play through.  What was ready stays so while its head and index are here: a speed that
    falls later changes `plays_through` and the words alone.

    `plays_through` is "yes" when starting now would not stop; else the seconds until that is so, counting
    what is here and the speed of now; "no" when nothing comes, or when that wait is half of all the time the
    rest takes, or more: the speed is about half of what the video needs.  None while that is not known.
    """
    if size <= 0:
        return idle("its files are not known yet", threshold)
    points = course(container, size) if container else ()
    if done >= size:
        return whole(threshold, size, round(points[-1][0], 3) if points else None)
    file = _File(size=size, head=head, done=done, speed=speed)
    index_ok = container is not None and container.index_ok
    pace = _pace(file, points, is_indexed=bool(container and container.points)) if points else None
    pace = pace if index_ok else None
    has_share = head * 100 >= size * threshold
    ready = index_ok and (has_share or was_ready or (pace is not None and pace.wait <= 0))
    return Readiness(
        ready=ready,
        reason=_reason(file, pace, threshold, ready=ready) if index_ok else _missing(head, container),
        threshold=threshold,
        buffered_bytes=head,
        buffered_seconds=round(seconds_at(points, head), 3) if points else None,
        index_ok=index_ok if container else None,
        plays_through=_plays_through(file, pace),
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    """`wait`: seconds until starting would not stop, inf when nothing comes; `needed`: the bytes a second
    with which it would not stop if it began now.
    """

    wait: float
    needed: float


def _pace(file: _File, points: Points, *, is_indexed: bool) -> _Pace:
    """W = max over t of b(t)/r - t, b(t) less what is here already, and the time until a player can begin."""
    margin = INDEXED_MARGIN if is_indexed else SPREAD_MARGIN
    wait = file.seconds_for(file.lacking(offset_at(points, START_SECONDS))) - PATIENCE_SECONDS
    needed = 0.0
    for seconds, offset in points:
        lacking = file.lacking(offset)
        if lacking > 0 and seconds > 0:
            wait = max(wait, file.seconds_for(lacking) - seconds / margin)
            needed = max(needed, lacking * margin / seconds)
    return _Pace(max(0.0, wait), needed)


def _plays_through(file: _File, pace: _Pace | None) -> str | int | None:
    if pace is None:
        return None
    if pace.wait <= 0:
        return "yes"
    is_hopeless = 2 * pace.wait >= file.seconds_for(file.size - file.done)
    return "no" if is_hopeless else ceil(pace.wait)


def _missing(head: int, container: Container | None) -> str:
    """What of the container's head and index is not here."""
    if container is None:
        return LOOKING
    if head <= 0:
        return "the beginning of the file is still missing"
    end = 0
    for part in sorted(container.needed, key=lambda part: part.start):
        if part.start > max(end, head):
            break
        end = max(end, part.stop)
    if end > head:
        here, needed, unit = _amounts(head, end)
        return f"{here} of the {needed} {unit} needed to start are here"
    return "the index at the end of the file is still missing"


def _reason(file: _File, pace: _Pace | None, threshold: float, *, ready: bool) -> str:
    """Head and index are here.  It plays through, or starts all the same, or must wait."""
    if pace and pace.wait <= 0:
        if not pace.needed:
            return "plays through: the rest of the video is here"
        return f"plays through: {_rates(file, pace)}"
    here = _share(file, threshold, ready=ready)
    if file.speed < 1.0:
        return f"{here}; nothing comes at the moment"
    if pace is None:
        return here
    if ready:
        return f"{here}, but it will stop on the way: {_rates(file, pace)}"
    until_share = file.seconds_for(file.size * threshold / 100 - file.head)
    starts = f"starts in about {_time(min(pace.wait, until_share))}"
    if file.speed >= pace.needed:
        return f"{starts}: its first seconds are still coming"
    enough = f"with {threshold:g} % here" if until_share <= pace.wait else "with enough to play through"
    return f"{starts}, {enough}: {_rates(file, pace)}"


def _share(file: _File, threshold: float, *, ready: bool) -> str:
    """How much is here, and whether that is enough; it is for what was ready at a better speed."""
    share = 100 * file.head / file.size
    if ready and share < threshold:
        return f"{share:.1f} % of the file is here"
    return f"{share:.1f} % is here, {threshold:g} % is {'enough' if ready else 'needed'} to start"


def _rates(file: _File, pace: _Pace) -> str:
    come, needed, unit = _amounts(file.speed, min(pace.needed, _FAST))
    if pace.needed >= _FAST:
        return f"{come} {unit}/s come, far more is needed"
    return f"{come} {unit}/s come, {needed} are needed"


def _amounts(some: float, more: float) -> tuple[str, str, str]:
    """Two counts of bytes for people in one unit, of 1024s as everywhere: that of the larger."""
    largest = max(some, more)
    unit, size = next((unit, size) for unit, size, least in _UNITS if largest >= least * size)
    first, second = (_count(x / size, is_small=unit == "KiB") for x in (some, more))
    return first, second, unit


def _count(number: float, *, is_small: bool) -> str:
    return f"{number:.0f}" if is_small else f"{number:.1f}" if number >= 0.1 else f"{number:.2f}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
