"""Each numbered case and each rule of the queue, by example; `test_schedule_rules` has them for all jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from htdl.core.schedule import (
    Action,
    Block,
    Cancel,
    Complete,
    EndSeeding,
    Facts,
    Fail,
    Halt,
    Limits,
    Pause,
    Queue,
    Seed,
    Start,
    Verify,
    decide,
    is_stalled,
    needed_bytes,
)
from htdl.jobs import ENDED, Blocked, Job, State, Wish
from tests.core.examples import new_job, running

LIMITS = Limits(max_active=2, room=10_000, metadata_seconds=60, stall_seconds=300)
HELD = Facts(is_held=True)
FAULT = ("io_error", "the disk does not answer")


def decided(*jobs: Job, limits: Limits = LIMITS, **facts: Facts) -> list[Action]:
    """`decide` with the facts of each job by its place: decided(job, other, first=HELD)."""
    places = ("first", "second", "third", "fourth")
    known = {job.id: facts[place] for job, place in zip(jobs, places, strict=False) if place in facts}
    return decide(jobs, known, limits)


def test_nothing_to_do_is_an_empty_list() -> None:
    assert decide([], {}, LIMITS) == []


# 1. a wish to cancel


@pytest.mark.parametrize("status", [x for x in State if x not in ENDED])
@pytest.mark.parametrize(
    "facts", [Facts(), HELD, Facts(fault=FAULT), Facts(is_whole=True), Facts(found_disk_full=True)]
)
def test_a_wish_to_cancel_goes_before_all_else(status: State, facts: Facts) -> None:
    job = new_job(status=status, wish=Wish.CANCEL)
    assert decided(job, first=facts) == [Cancel(job.id)]


@pytest.mark.parametrize("status", sorted(ENDED))
def test_an_ended_job_is_cancelled_only_for_its_data_or_its_seeding(status: State) -> None:
    job = new_job(status=status, wish=Wish.CANCEL)
    assert decided(job) == []
    assert decided(replace(job, delete_data=True)) == [Cancel(job.id)]
    assert decided(replace(job, seeding=True)) == [Cancel(job.id)]


# 2. a finished job seeds until its rules are met


def test_a_finished_job_is_handed_to_the_engine_to_seed() -> None:
    job = new_job(status=State.COMPLETED, seeding=True)
    assert decided(job) == [Seed(job.id)]
    assert decided(job, first=HELD) == []


@pytest.mark.parametrize("facts", [Facts(is_held=True, has_seeded_enough=True), Facts(fault=FAULT)])
def test_seeding_ends_by_its_rules_and_by_a_fault(facts: Facts) -> None:
    job = new_job(status=State.COMPLETED, seeding=True)
    assert decided(job, first=facts) == [EndSeeding(job.id)]


@pytest.mark.parametrize("status", sorted(ENDED))
@pytest.mark.parametrize("facts", [Facts(), HELD, Facts(fault=FAULT), Facts(has_seeded_enough=True)])
def test_an_ended_job_that_does_not_seed_is_left_alone(status: State, facts: Facts) -> None:
    assert decided(new_job(status=status), first=facts) == []


def test_seeding_takes_no_slot() -> None:
    seeds = [new_job(number, status=State.COMPLETED, seeding=True) for number in (1, 2, 3)]
    waiting = new_job(4)
    assert decide([*seeds, waiting], {}, LIMITS) == [*(Seed(x.id) for x in seeds), Start(waiting.id)]


# 3. what cannot go on fails


@pytest.mark.parametrize("status", [x for x in State if x not in ENDED])
@pytest.mark.parametrize("wish", [Wish.RUN, Wish.PAUSE])
def test_a_fault_fails_the_job_and_says_why(status: State, wish: Wish) -> None:
    job = new_job(status=status, wish=wish)
    known = Facts(is_held=True, is_whole=True, fault=FAULT)
    if status is State.CONVERTING:  # what it had to fetch is here: only its conversion can fail
        known = replace(known, is_converted=False, fault=None, conversion_fault=FAULT)
    (action,) = decided(job, first=known)
    assert action == Fail(job.id, *FAULT)


def test_a_failed_job_does_not_fail_again() -> None:
    assert decided(new_job(status=State.FAILED), first=Facts(fault=FAULT)) == []


# 4. what is whole is complete


@pytest.mark.parametrize("wish", [Wish.RUN, Wish.PAUSE])
def test_what_is_whole_is_complete_paused_or_not(wish: Wish) -> None:
    job = running(wish=wish)
    assert decided(job, first=Facts(is_held=True, is_whole=True)) == [Complete(job.id)]


def test_a_whole_job_completes_on_a_full_disk() -> None:
    job = running(total_bytes=10)
    full = replace(LIMITS, room=-1)
    assert decided(job, first=Facts(is_held=True, is_whole=True), limits=full) == [Complete(job.id)]


# 5. a wish to pause, and the wish to go on


@pytest.mark.parametrize("status", [State.PENDING, State.DOWNLOADING])
def test_a_wish_to_pause_pauses(status: State) -> None:
    job = new_job(status=status, wish=Wish.PAUSE)
    assert decided(job) == [Pause(job.id)]


def test_a_paused_job_stays_and_a_wish_to_run_queues_it() -> None:
    job = new_job(status=State.PAUSED, wish=Wish.PAUSE)
    assert decided(job) == []
    assert decided(replace(job, wish=Wish.RUN)) == [Queue(job.id)]


def test_wishes_come_before_slots() -> None:
    first, second = new_job(1), new_job(2, status=State.DOWNLOADING, wish=Wish.PAUSE)
    assert decide([first, second], {}, LIMITS) == [Pause(second.id), Start(first.id)]


# slots


def test_slots_go_to_the_first_in_line_and_the_others_learn_why_they_wait() -> None:
    jobs = [new_job(number) for number in (3, 1, 2)]
    third, first, second = jobs
    assert decide(jobs, {}, LIMITS) == [Start(first.id), Start(second.id), Block(third.id, Blocked.QUEUE)]


def test_a_reason_is_told_once() -> None:
    jobs = [running(1), running(2), new_job(3, blocked_by=Blocked.QUEUE)]
    assert decided(*jobs, first=HELD, second=HELD) == []


def test_a_higher_priority_goes_first_and_takes_a_slot_from_the_lowest() -> None:
    low, middle, high = running(1, priority=-1), running(2), new_job(3, priority=5)
    assert decided(low, middle, high, first=HELD, second=HELD) == [
        Start(high.id),
        Halt(low.id, Blocked.QUEUE),
    ]


def test_equals_do_not_push_each_other_out() -> None:
    earlier, later = new_job(1, blocked_by=Blocked.QUEUE), running(2)
    one = replace(LIMITS, max_active=1)
    assert decided(earlier, later, second=HELD, limits=one) == []


def test_what_is_watched_goes_first() -> None:
    high, watched = running(1, priority=9), new_job(2, priority=-9)
    one = replace(LIMITS, max_active=1)
    assert decided(high, watched, first=HELD, second=Facts(is_watched=True), limits=one) == [
        Start(watched.id),
        Halt(high.id, Blocked.QUEUE),
    ]


def test_a_running_job_that_the_engine_does_not_have_is_started_again() -> None:
    """As after a crash: that is all the recovery there is."""
    job = running()
    assert decided(job) == [Start(job.id)]


def test_fewer_slots_halt_the_last() -> None:
    first, second = running(1), running(2)
    one = replace(LIMITS, max_active=1)
    assert decided(first, second, first=HELD, second=HELD, limits=one) == [Halt(second.id, Blocked.QUEUE)]


# stalls

IDLE = Facts(is_held=True, idle_seconds=300)


@pytest.mark.parametrize(
    ("job", "facts", "expected"),
    [
        (running(), Facts(is_held=True, idle_seconds=299.9), False),
        (running(), Facts(is_held=True, idle_seconds=300), True),
        (running(metadata_at=None), Facts(is_held=True, idle_seconds=59.9), False),
        (running(metadata_at=None), Facts(is_held=True, idle_seconds=60), True),
        (running(), Facts(is_held=True, idle_seconds=9999, is_watched=True), False),
        (new_job(), Facts(is_held=True, idle_seconds=9999), False),
    ],
)
def test_who_is_stalled(job: Job, facts: Facts, expected: bool) -> None:
    assert is_stalled(job, facts, LIMITS) is expected


def test_a_stalled_job_keeps_looking_and_holds_no_slot() -> None:
    stalled, waiting = running(1), new_job(2)
    one = replace(LIMITS, max_active=1)
    assert decided(stalled, waiting, first=IDLE, limits=one) == [Start(waiting.id)]


def test_a_stalled_job_that_moves_again_has_its_place_again() -> None:
    awake, other = running(1), running(2)
    one = replace(LIMITS, max_active=1)
    assert decided(awake, other, first=HELD, second=HELD, limits=one) == [Halt(other.id, Blocked.QUEUE)]


def test_more_stalled_jobs_than_may_look_go_to_the_tail() -> None:
    jobs = [running(number, metadata_at=None if number > 21 else "then") for number in range(1, 23)]
    facts = dict.fromkeys((job.id for job in jobs), IDLE)
    assert LIMITS.max_stalled == 20
    assert decide(jobs, facts, LIMITS) == [
        Halt(jobs[20].id, Blocked.NO_PEERS, to_tail=True),
        Halt(jobs[21].id, Blocked.NO_METADATA, to_tail=True),
    ]


def test_more_slots_let_more_look() -> None:
    assert replace(LIMITS, max_active=3).max_stalled == 20
    assert replace(LIMITS, max_active=10).max_stalled == 50


def test_a_stalled_job_that_the_engine_lost_is_not_forgotten() -> None:
    job = running()
    assert decided(job, first=Facts(is_held=False, idle_seconds=9999)) == [Start(job.id)]


# room on the disk


def test_needed_bytes_are_those_still_to_come() -> None:
    assert needed_bytes(new_job(total_bytes=100, done_bytes=30)) == 70
    assert needed_bytes(new_job(total_bytes=0)) == 0
    assert needed_bytes(new_job(total_bytes=10, done_bytes=30)) == 0


def test_a_job_that_does_not_fit_waits_and_a_smaller_one_passes() -> None:
    big, small = new_job(1, total_bytes=10_001), new_job(2, total_bytes=10_000)
    assert decided(big, small) == [Block(big.id, Blocked.DISK_FULL), Start(small.id)]


def test_room_is_promised_only_once() -> None:
    first, second = new_job(1, total_bytes=6_000), new_job(2, total_bytes=6_000)
    assert decided(first, second) == [Start(first.id), Block(second.id, Blocked.DISK_FULL)]


def test_what_a_running_job_still_needs_is_kept_for_it() -> None:
    runs, waits = running(1, total_bytes=9_000, done_bytes=2_000), new_job(2, total_bytes=3_001)
    assert decided(runs, waits, first=HELD) == [Block(waits.id, Blocked.DISK_FULL)]


def test_a_running_job_that_no_longer_fits_halts_and_goes_on_by_itself() -> None:
    job = running(total_bytes=5_000)
    full = replace(LIMITS, room=4_999)
    assert decided(job, first=HELD, limits=full) == [Halt(job.id, Blocked.DISK_FULL)]
    waits = replace(job, status=State.PENDING, blocked_by=Blocked.DISK_FULL)
    assert decided(waits, limits=full) == []
    assert decided(waits) == [Start(job.id)]


@pytest.mark.parametrize("room", [0, -1])
def test_without_any_room_not_even_a_magnet_starts(room: int) -> None:
    job = new_job()
    assert decided(job, limits=replace(LIMITS, room=room)) == [Block(job.id, Blocked.DISK_FULL)]


def test_a_write_that_found_the_disk_full_halts_the_job() -> None:
    job = running(total_bytes=1)
    found = Facts(is_held=True, found_disk_full=True)
    assert decided(job, first=found) == [Halt(job.id, Blocked.DISK_FULL)]


def test_what_waits_for_the_disk_holds_no_slot() -> None:
    full, other = running(1, total_bytes=20_000), new_job(2)
    one = replace(LIMITS, max_active=1)
    assert decided(full, other, first=HELD, limits=one) == [
        Halt(full.id, Blocked.DISK_FULL),
        Start(other.id),
    ]


def test_a_reason_that_changes_is_told() -> None:
    changes: dict[str, Any] = {"blocked_by": Blocked.NO_PEERS}
    jobs = [running(1), running(2), new_job(3, **changes)]
    assert decided(*jobs, first=HELD, second=HELD) == [Block(jobs[2].id, Blocked.QUEUE)]


def test_what_lies_on_disk_needs_no_room_again() -> None:
    job = new_job(1, total_bytes=1000, metadata_at="then")
    short = Limits(max_active=1, room=100, metadata_seconds=60, stall_seconds=300)
    assert decide([job], {job.id: Facts()}, short) == [Block(job.id, Blocked.DISK_FULL)]
    assert decide([job], {job.id: Facts(bytes_on_disk=950)}, short) == [Start(job.id)]


def test_a_full_disk_holds_up_nothing_that_writes_nothing() -> None:
    whole = new_job(1, total_bytes=1000, done_bytes=1000, metadata_at="then")
    unknown = new_job(2)
    full = Limits(max_active=2, room=-5, metadata_seconds=60, stall_seconds=300)
    assert decide([whole, unknown], {}, full) == [Start(whole.id), Block(unknown.id, Blocked.DISK_FULL)]


# what was lost on the disk

LOST = replace(HELD, is_lost=True)


@pytest.mark.parametrize("facts", [LOST, replace(LOST, is_whole=True), replace(LOST, idle_seconds=9999)])
def test_what_was_lost_is_looked_for_before_the_job_is_called_whole_or_stalled(facts: Facts) -> None:
    job = running()
    assert decided(job, first=facts) == [Verify(job.id)]


def test_who_looks_for_what_was_lost_keeps_its_slot() -> None:
    job, other = running(1), new_job(2)
    one = replace(LIMITS, max_active=1)
    assert decided(job, other, first=LOST, limits=one) == [Verify(job.id), Block(other.id, Blocked.QUEUE)]


def test_only_what_runs_is_looked_at() -> None:
    waiting, paused = new_job(1), running(2, wish=Wish.PAUSE)
    assert decided(waiting, paused, first=LOST, second=LOST) == [Pause(paused.id), Start(waiting.id)]
