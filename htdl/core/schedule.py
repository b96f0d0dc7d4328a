"""Who runs next.  Pure: jobs, what is known of them, and the limits in; actions out.

A job that is watched goes first, then the higher priority, then one that runs already (so that equals do not
push each other out), then the lower position.  A job that has found nothing for a while keeps looking but
holds no slot; so a dead magnet never stands in another's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from htdl.jobs import Blocked, Job, State, Wish


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine and the disk say of a job just now."""

    is_held: bool = False  # the engine has its torrent
    is_whole: bool = False  # all that is wanted is verified and on disk
    is_watched: bool = False
    fault: tuple[str, str] | None = None  # code and message of what cannot be mended by waiting
    is_lost: bool = False  # a file is not as it was written
    idle_seconds: float = 0.0  # since it last moved: a byte, the metadata, or its start
    found_disk_full: bool = False  # a write failed for want of room a moment ago
    has_seeded_enough: bool = False
    bytes_on_disk: int = 0  # of its files; looked up only where room is short
    is_converted: bool = True  # every video that is to be
    conversion_fault: tuple[str, str] | None = None  # as `fault`, of its conversion


@dataclass(frozen=True, slots=True)
class Limits:
    max_active: int
    room: int  # bytes that may still be written: free space less the reserve
    metadata_seconds: float
    stall_seconds: float

    @property
    def max_stalled(self) -> int:
        """How many may look for peers without a slot; the rest wait their turn in the queue."""
        return max(20, 5 * self.max_active)


@dataclass(frozen=True, slots=True)
class Action:
    job_id: str


class Start(Action):
    """PENDING to DOWNLOADING; also a DOWNLOADING job whose torrent the engine does not have: a restart."""


class Seed(Action):
    """Hand a finished job's torrent to the engine again."""


class EndSeeding(Action):
    """The seeding rules are met: let go of the torrent."""


class Queue(Action):
    """PAUSED to PENDING."""


class Pause(Action):
    """To PAUSED."""


class Cancel(Action):
    """To CANCELLED, with its data where that was asked for."""


class Verify(Action):
    """DOWNLOADING stays, and keeps its slot: the torrent is let go, and what is on disk is believed only once
    it is verified.
    """


class Convert(Action):
    """DOWNLOADING to CONVERTING: the files are whole, what is made of them is not.  PENDING to CONVERTING
    where there is no torrent.
    """


class Complete(Action):
    """To COMPLETED."""


@dataclass(frozen=True, slots=True)
class Halt(Action):
    """DOWNLOADING to PENDING, to go on by itself; `to_tail` sends it behind all others."""

    blocked_by: Blocked
    to_tail: bool = False


@dataclass(frozen=True, slots=True)
class Block(Action):
    """A PENDING job stays, for this reason."""

    blocked_by: Blocked


@dataclass(frozen=True, slots=True)
class Fail(Action):
    code: str
    message: str


NO_VIDEO = "bad_media"  # the code of what cannot be converted because of what it is

_NOTHING = Facts()


def decide(jobs: Iterable[Job], facts: Mapping[str, Facts], limits: Limits) -> list[Action]:
    """What to do now, wishes first; nothing to do is an empty list.

    `jobs` are those that live or seed.  Acting and deciding again comes to rest: an action is never the
    answer to its own effect.
    """
    actions: list[Action] = []
    contenders: list[Job] = []
    for job in jobs:
        known = facts.get(job.id, _NOTHING)
        action = _settle(job, known)
        if action:
            actions.append(action)
        elif job.wish is Wish.RUN and job.status in {State.PENDING, State.DOWNLOADING, State.PAUSED}:
            contenders.append(job)
    contenders.sort(key=lambda job: _rank(job, facts.get(job.id, _NOTHING)))
    return actions + _share(contenders, facts, limits)


def needed_bytes(job: Job, known: Facts = _NOTHING) -> int:
    """Bytes still to be written; 0 while that is not known.  What lies on disk, verified or not yet, takes no
    more room.
    """
    return max(0, job.total_bytes - max(job.done_bytes, known.bytes_on_disk))


def is_stalled(job: Job, known: Facts, limits: Limits) -> bool:
    """Whether a running job has found nothing for so long that it holds no slot."""
    if job.status is not State.DOWNLOADING or not known.is_held or known.is_watched or known.is_lost:
        return False
    patience = limits.stall_seconds if job.has_metadata else limits.metadata_seconds
    return known.idle_seconds >= patience


def _settle(job: Job, known: Facts) -> Action | None:
    """What follows from this job alone, in this order:

    1. a wish to cancel, also of the data of a job that has ended;
    2. a finished job seeds until its rules are met;
    3. what cannot go on fails;
    4. what is whole is complete, paused or not;
    5. a wish to pause;
    6. what needs no torrent waits for none.
    """
    if job.wish is Wish.CANCEL:
        return Cancel(job.id) if not job.has_ended or job.seeding or job.delete_data else None
    if job.has_ended:
        return _settle_seed(job, known)
    if fault := _fault(job, known):
        return Fail(job.id, *fault)
    if known.is_whole and not known.is_lost and job.status is State.DOWNLOADING:
        return Complete(job.id) if known.is_converted else Convert(job.id)
    if job.status is State.CONVERTING and known.is_converted:
        return Complete(job.id)
    if job.wish is Wish.PAUSE:
        return None if job.status is State.PAUSED else Pause(job.id)
    if job.is_local:
        return _settle_local(job)
    return _settle_seed(job, known) if job.status is State.CONVERTING else None


def _settle_local(job: Job) -> Action | None:
    """Its conversion waits for its turn in a queue of its own."""
    if job.status is State.PAUSED:
        return Queue(job.id)
    return Convert(job.id) if job.status is State.PENDING else None


def _fault(job: Job, known: Facts) -> tuple[str, str] | None:
    """What ends a job.  Of one that converts, all is here; and one that arrives goes on whatever becomes of
    its conversion, unless it is no video at all.
    """
    if job.status is State.CONVERTING:
        return known.conversion_fault
    is_fake = known.conversion_fault and known.conversion_fault[0] == NO_VIDEO
    return known.fault or (known.conversion_fault if is_fake else None)


def _settle_seed(job: Job, known: Facts) -> Action | None:
    if not job.seeding:
        return None
    if known.has_seeded_enough or known.fault:
        return EndSeeding(job.id)
    return None if known.is_held else Seed(job.id)


def _rank(job: Job, known: Facts) -> tuple[bool, int, bool, int]:
    return (not known.is_watched, -job.priority, job.status is not State.DOWNLOADING, job.position)


def _share(ranked: list[Job], facts: Mapping[str, Facts], limits: Limits) -> list[Action]:
    """Slots and room on the disk, to the first who can use them.

    A job that was paused takes its place at once, though it is only queued now and starts in the next turn:
    nobody is started in its stead, to be halted again.
    """
    actions: list[Action] = []
    slots, room, stalled = limits.max_active, limits.room, 0
    for job in ranked:
        known = facts.get(job.id, _NOTHING)
        needed = needed_bytes(job, known)
        is_short = needed > max(0, room) or (room <= 0 and not job.has_metadata)
        if known.found_disk_full or is_short:
            actions += _withhold(job, Blocked.DISK_FULL)
        elif is_stalled(job, known, limits):
            stalled += 1
            if stalled > limits.max_stalled:
                reason = Blocked.NO_PEERS if job.has_metadata else Blocked.NO_METADATA
                actions.append(Halt(job.id, reason, to_tail=True))
        elif slots == 0:
            actions += _withhold(job, Blocked.QUEUE)
        else:
            slots -= 1
            room -= needed
            if job.status is State.PAUSED:
                actions.append(Queue(job.id))
            elif job.status is State.PENDING or not known.is_held:
                actions.append(Start(job.id))
            elif known.is_lost:
                actions.append(Verify(job.id))
    return actions


def _withhold(job: Job, reason: Blocked) -> list[Action]:
    if job.status is State.PAUSED:
        return [Queue(job.id)]
    if job.status is State.DOWNLOADING:
        return [Halt(job.id, reason)]
    return [] if job.blocked_by is reason else [Block(job.id, reason)]
