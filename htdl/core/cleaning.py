"""What of the kept files goes, and why.  Pure.

First whatever nobody has watched for too long, then, while the cache is larger than it may be, sources whose
videos are converted, then whatever was not watched for the longest time.  What is pinned or in use stays.

Where the disk itself is short, sources whose videos are converted go as well, and nothing else: a video is
there once more after each of them.  That the last of its files may go, its owner says by an age or a size; a
new download that does not fit waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Data = tuple[int, int]  # device and inode
Names = Counter[Data | None]  # how many names each has


class Kind(StrEnum):
    SOURCE = "source"  # a video of a torrent
    RESULT = "result"  # a video that was made of one
    SUBTITLE = "subtitle"  # goes with its video, never alone
    SIDE = "side"  # any other file of a torrent; goes with the last of the job's videos


VIDEOS = frozenset({Kind.SOURCE, Kind.RESULT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file.  `bytes` is what it takes on disk, 0 when it is not there.  `data` says what it holds: the
    same for two names of one file, whose bytes are free only when both are gone.  `in_use` is also what is
    being made, downloaded or seeded.  A source is `spare` when what was made of it is there.
    """

    path: str
    home: str  # the folder that it must lie in to be removed
    kind: Kind
    job: str | None
    file: int | None  # its index in the job's torrent, or that of what it was made of
    bytes: int
    data: Data | None
    last_access: datetime
    pinned: bool = False
    in_use: bool = False
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    video: Kept
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is kept, in numbers: a video counts once, however many files it has.  `removable_bytes` is what
    the next cleaning would free.
    """

    videos: int = 0
    bytes: int = 0
    pinned_bytes: int = 0
    removable_bytes: int = 0


def decide(
    videos: Sequence[Kept],
    *,
    now: datetime,
    ttl_days: int,
    max_size: int,
    used: int,
    missing: int = 0,
    disk: int | None = None,
) -> list[Removal]:
    """What is to be removed, in this order.  `ttl_days` 0 is never by age, `max_size` 0 no limit; `used` is
    the bytes of all of `videos`, `missing` how many too few are free on the device `disk`.
    """
    names = Counter(video.data for video in videos)
    may_go = sorted(
        (x for x in videos if x.kind in VIDEOS and not x.pinned and not x.in_use),
        key=lambda x: (x.last_access, x.path),
    )
    expired = [x for x in may_go if ttl_days and _age(x, now) >= ttl_days]
    removals = [Removal(x, f"not watched for {_days(_age(x, now))}") for x in expired]
    over = used - sum(_freed(expired, names)) - max_size
    if max_size and over > 0:
        rest = may_go[len(expired) :]  # the oldest come first
        removals += _make_room(rest, names, over, f"the cache is over its {size(max_size)}")
    if missing > 0:
        gone = {x.video.path for x in removals}
        freed = used_on(videos, disk) - used_on((x for x in videos if x.path not in gone), disk)
        lost = {(x.video.job, x.video.file) for x in removals}  # whose source is all that is left
        rest = [x for x in _spare(videos, disk) if x.path not in gone and (x.job, x.file) not in lost]
        removals += _free(rest, missing - freed)
    return [*removals, *_left_alone(videos, [x.video for x in removals])]


def used(videos: Iterable[Kept]) -> int:
    """Bytes that these take on disk, those with several names counted once."""
    return sum({video.data: video.bytes for video in videos}.values())


def used_on(videos: Iterable[Kept], disk: int | None) -> int:
    """Bytes that these take on one device."""
    return used(x for x in videos if x.data and x.data[0] == disk)


def missing_bytes(videos: Sequence[Kept], room: int, needs: Iterable[int], disk: int | None) -> int:
    """Bytes to free on this device.  `room` may be written still, less than 0 where what is to stay free is
    used; each who needs some is counted in its turn, and not one for whom all that is spare is too little.
    """
    spare, taken = sum(x.bytes for x in _spare(videos, disk)), 0
    for need in needs:
        if taken + need - room <= spare:
            taken += need
    return max(0, taken - room)


def holding(videos: Sequence[Kept], removals: Iterable[Removal]) -> Holding:
    """`removals` are what was decided of these."""
    gone = {x.video.path for x in removals}
    total = used(videos)
    there = [x for x in videos if x.kind in VIDEOS and x.bytes]
    return Holding(
        videos=len({(x.job, x.file) if x.job and x.file is not None else x.path for x in there}),
        bytes=total,
        pinned_bytes=used(x for x in videos if x.pinned),
        removable_bytes=total - used(x for x in videos if x.path not in gone),
    )


def size(count: int) -> str:
    """20 GiB, 1.5 GiB, 300 MiB"""
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):,.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def _make_room(rest: Sequence[Kept], names: Names, over: int, why: str) -> Iterator[Removal]:
    """So many of these that they free `over` bytes; none that would free nothing."""
    removable = Counter(video.data for video in rest)
    useful = [x for x in rest if x.bytes and removable[x.data] == names[x.data]]
    spare = [x for x in useful if x.spare and names[x.data] == 1]
    paths = {x.path for x in spare}
    for video in (*spare, *(x for x in useful if x.path not in paths)):
        if over <= 0:
            return
        over -= sum(_freed([video], names))
        words = "source of what is converted" if video.path in paths else "least recently watched"
        yield Removal(video, f"{why}: {words}")


def _spare(videos: Sequence[Kept], disk: int | None) -> list[Kept]:
    """The sources on this device that may go, and free their bytes, the least recently watched first."""
    names = Counter(video.data for video in videos)
    some = (x for x in videos if x.kind is Kind.SOURCE and x.spare and not x.pinned and not x.in_use)
    found = [x for x in some if x.bytes and x.data and x.data[0] == disk and names[x.data] == 1]
    return sorted(found, key=lambda x: (x.last_access, x.path))


def _free(rest: Iterable[Kept], count: int) -> Iterator[Removal]:
    """So many of these that they free `count` bytes."""
    for video in rest:
        if count <= 0:
            return
        count -= video.bytes
        yield Removal(video, "the disk is short of room: source of what is converted")


def _freed(videos: Iterable[Kept], names: Names) -> Iterator[int]:
    """The bytes that each of these frees as it goes: those of its data with the last of its `names`, which
    are counted down.
    """
    for video in videos:
        names[video.data] -= 1
        yield video.bytes if names[video.data] == 0 else 0


def _left_alone(videos: Sequence[Kept], gone: Sequence[Kept]) -> Iterator[Removal]:
    """What belongs to videos of which nothing stays."""
    paths = {x.path for x in gone}
    stay = [x for x in videos if x.kind in VIDEOS and x.path not in paths]
    files = {(x.job, x.file) for x in gone} - {(x.job, x.file) for x in stay}
    jobs = {x.job for x in gone} - {x.job for x in stay}
    for one in videos:
        if one.kind is Kind.SUBTITLE and (one.job, one.file) in files:
            yield Removal(one, "its video is removed")
        if one.kind is Kind.SIDE and one.job in jobs:
            yield Removal(one, "the videos beside it are removed")


def _age(video: Kept, now: datetime) -> int:
    """Whole days since it was watched."""
    return (now - video.last_access).days


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
