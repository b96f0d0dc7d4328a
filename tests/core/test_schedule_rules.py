"""The rules of the queue, for whatever jobs there are: act, decide again, and look at what has come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from htdl.core import schedule
from htdl.core.schedule import Facts, Limits, needed_bytes
from htdl.jobs import Blocked, Job, State, Wish
from tests.core.examples import new_job
from tests.core.simulation import World, act, settle

T = TypeVar("T")
FAULT = ("io_error", "the disk does not answer")


class Dice:
    """Choices by bytes: all of a job is one draw, for each takes longer than to judge by a rule."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def pick(self, options: Sequence[T]) -> T:
        return options[next(self._data) % len(options)]


THROWS = 17  # of a job


def job_of(number: int, dice: Dice) -> Job:
    """Only an ended job seeds; only one that is to be cancelled loses its data."""
    status = dice.pick([x for x in State if x is not State.CONVERTING])
    wish = dice.pick([Wish.RUN, Wish.RUN, Wish.RUN, Wish.PAUSE, Wish.CANCEL])
    return new_job(
        number,
        status=status,
        wish=wish,
        priority=dice.pick([0, 1, -1]),
        total_bytes=dice.pick(range(101)),
        done_bytes=dice.pick(range(101)),
        metadata_at=dice.pick([None, "then"]),
        seeding=dice.pick([False, True]) and status is State.COMPLETED,
        delete_data=dice.pick([False, True]) and wish is Wish.CANCEL,
        blocked_by=dice.pick([None, *Blocked]),
    )


@st.composite
def worlds(draw: st.DrawFn, most: int = 7) -> World:
    numbers = draw(st.permutations(range(1, draw(st.integers(1, most)) + 1)))
    dice = Dice(draw(st.binary(min_size=THROWS * len(numbers), max_size=THROWS * len(numbers))))
    drawn = [job_of(number, dice) for number in numbers]
    facts = {job.id: facts_of(job, dice) for job in drawn}
    limits = Limits(
        max_active=draw(st.integers(1, 3)),
        room=draw(st.sampled_from([-1, 0, 30, 100, 10_000])),
        metadata_seconds=60,
        stall_seconds=300,
    )
    return World({job.id: job for job in drawn}, facts, limits)


def facts_of(job: Job, dice: Dice) -> Facts:
    is_downloading = job.status is State.DOWNLOADING
    return Facts(
        is_held=dice.pick([False, True]) and (is_downloading or job.seeding),
        is_whole=dice.pick([False, False, is_downloading]),
        is_watched=dice.pick([False, False, False, True]),
        fault=dice.pick([None, None, None, FAULT]),
        is_lost=dice.pick([False, False, False, True]),
        idle_seconds=dice.pick([0.0, 60.0, 300.0]),
        found_disk_full=dice.pick([False, False, False, True]),
        has_seeded_enough=dice.pick([False, True]),
    )


def many_stalled() -> st.SearchStrategy[World]:
    """More than may look without a slot."""

    def make(patience: list[float]) -> World:
        jobs = [new_job(n, status=State.DOWNLOADING) for n in range(1, len(patience) + 1)]
        facts = {x.id: Facts(is_held=True, idle_seconds=idle) for x, idle in zip(jobs, patience, strict=True)}
        return World({x.id: x for x in jobs}, facts, Limits(1, 10_000, 60, 300))

    return st.lists(st.sampled_from([0.0, 300.0, 300.0, 300.0]), min_size=18, max_size=26).map(make)


def acting_comes_to_rest(world: World) -> None:
    settle(world)


def no_job_is_started_and_halted_again(world: World) -> None:
    _, rounds = settle(world)
    for job_id in world.jobs:
        done = [x for actions in rounds for x in actions if x.job_id == job_id]
        starts = [n for n, x in enumerate(done) if isinstance(x, schedule.Start)]
        halts = [n for n, x in enumerate(done) if isinstance(x, schedule.Halt)]
        assert not (starts and halts and starts[0] < halts[-1]), done


def a_job_gets_one_action_at_a_time(world: World) -> None:
    counts = Counter(action.job_id for action in world.decide())
    assert set(counts.values()) <= {1}


def never_more_running_than_there_are_slots(world: World) -> None:
    after = act(world, world.decide())
    assert sum(map(after.is_running, after.jobs.values())) <= world.limits.max_active


def what_runs_has_room_on_the_disk(world: World) -> None:
    rest, _ = settle(world)
    running = [x for x in rest.jobs.values() if rest.is_running(x)]
    assert rest.limits.room > 0 or all(job.has_metadata and not needed_bytes(job) for job in running)
    assert sum(map(needed_bytes, running)) <= max(0, rest.limits.room)


def none_waits_for_a_slot_while_a_lower_one_holds_one(world: World) -> None:
    rest, _ = settle(world)
    waiting = [
        x
        for x in rest.jobs.values()
        if x.status is State.PENDING and x.wish is Wish.RUN and x.blocked_by is Blocked.QUEUE
    ]
    running = [x for x in rest.jobs.values() if rest.is_running(x)]
    for job in waiting:
        assert len(running) == world.limits.max_active, "a slot is free, and it waits"
        for other in running:
            assert _standing(rest, other) >= _standing(rest, job)


def _standing(world: World, job: Job) -> tuple[bool, int]:
    return world.known(job).is_watched, job.priority


def equals_do_not_push_each_other_out(world: World) -> None:
    rest, _ = settle(world)
    for job in world.jobs.values():
        now = rest.jobs[job.id]
        if world.is_running(job) and now.status is State.PENDING and now.blocked_by is Blocked.QUEUE:
            newcomers = [
                x for x in rest.jobs.values() if rest.is_running(x) and not _was_downloading(world, x)
            ]
            assert all(_standing(rest, x) > _standing(rest, now) for x in newcomers)


def _was_downloading(world: World, job: Job) -> bool:
    return world.jobs[job.id].status is State.DOWNLOADING


def wishes_always_win(world: World) -> None:
    rest, _ = settle(world)
    for before in world.jobs.values():
        job, known = rest.jobs[before.id], world.known(before)
        if before.wish is Wish.CANCEL:
            assert job.has_ended
            assert not job.delete_data
            assert not job.seeding
            assert not rest.known(job).is_held
        elif before.wish is Wish.PAUSE and not before.has_ended and not known.fault and not known.is_whole:
            assert job.status is State.PAUSED
            assert not rest.known(job).is_held


def who_waits_knows_why(world: World) -> None:
    rest, _ = settle(world)
    for job in rest.jobs.values():
        if job.status is State.PENDING:
            assert job.blocked_by in {Blocked.QUEUE, Blocked.DISK_FULL}


def ended_jobs_that_do_not_seed_are_left_alone(world: World) -> None:
    quiet = {x.id for x in world.jobs.values() if x.has_ended and not x.seeding and x.wish is not Wish.CANCEL}
    assert not [x for x in world.decide() if x.job_id in quiet]


def what_is_watched_is_never_sent_to_the_tail(world: World) -> None:
    watched = {x.id for x in world.jobs.values() if world.known(x).is_watched}
    assert not [
        x for x in world.decide() if isinstance(x, schedule.Halt) and x.to_tail and x.job_id in watched
    ]


RULES = (
    acting_comes_to_rest,
    no_job_is_started_and_halted_again,
    a_job_gets_one_action_at_a_time,
    never_more_running_than_there_are_slots,
    what_runs_has_room_on_the_disk,
    none_waits_for_a_slot_while_a_lower_one_holds_one,
    equals_do_not_push_each_other_out,
    wishes_always_win,
    who_waits_knows_why,
    ended_jobs_that_do_not_seed_are_left_alone,
    what_is_watched_is_never_sent_to_the_tail,
)


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_every_rule_holds_for_all_jobs(world: World) -> None:
    """One test for all rules, since making a world costs more than judging it."""
    for rule in RULES:
        rule(world)


@settings(max_examples=50, deadline=None)
@given(many_stalled())
def test_many_stalled_jobs_come_to_rest_and_no_more_than_allowed_look(world: World) -> None:
    rest, _ = settle(world)
    stalled = [x for x in rest.jobs.values() if x.status is State.DOWNLOADING and not rest.is_running(x)]
    assert len(stalled) <= rest.limits.max_stalled
