"""Places of the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.core import queue
from htdl.jobs import Job, State, Wish


def waiting(name: str, position: int, priority: int = 0) -> Job:
    return Job(id=name, video_id=name, torrent_id=name, info_hash=name, position=position, priority=priority)


def after(jobs: list[Job], name: str, before: str | None) -> list[Job]:
    """All jobs once `name` was moved."""
    by_id = {x.id: x for x in jobs}
    changed = queue.moved(jobs, by_id[name], by_id.get(before or ""))
    assert len({x.id for x in changed}) == len(changed)
    by_id |= {x.id: x for x in changed}
    return queue.in_order(by_id.values())


def names(jobs: list[Job]) -> str:
    return "".join(x.id for x in jobs)


FOUR = [waiting(name, place) for place, name in enumerate("abcd", 1)]


def test_places_count_what_waits_alone() -> None:
    a, b, c, d = FOUR
    jobs = [
        replace(a, status=State.DOWNLOADING),
        replace(b, wish=Wish.PAUSE),
        d,
        c,
        waiting("e", 9, priority=5),
        replace(waiting("f", 0), info_hash=""),
        replace(waiting("g", 0), status=State.COMPLETED),
    ]
    assert queue.places(jobs) == {"e": 1, "c": 2, "d": 3}


@pytest.mark.parametrize(
    ("name", "before", "order"),
    [
        ("d", "a", "dabc"),
        ("a", None, "bcda"),
        ("a", "d", "bcad"),
        ("d", "b", "adbc"),
        ("b", "c", "abcd"),
        ("d", None, "abcd"),
    ],
)
def test_a_job_comes_where_it_is_put(name: str, before: str | None, order: str) -> None:
    assert names(after(FOUR, name, before)) == order


def test_a_free_position_moves_nobody_else() -> None:
    assert [x.id for x in queue.moved(FOUR, FOUR[3], FOUR[0])] == ["d"]
    assert [x.id for x in queue.moved(FOUR, FOUR[0], None)] == ["a"]
    wide = [waiting("a", 10), waiting("b", 20), waiting("c", 30)]
    assert [x.id for x in queue.moved(wide, wide[2], wide[1])] == ["c"]


def test_its_priority_changes_only_as_far_as_the_place_asks() -> None:
    jobs = [waiting("h", 3, 10), waiting("n", 1), waiting("m", 2), waiting("l", 0, -10)]
    assert after(jobs, "n", "h")[0].priority == 10
    assert after(jobs, "h", None)[-1].priority == -10
    assert after(jobs, "h", "m")[1].priority == 0
    five = [*jobs, waiting("f", 9, 5)]
    moved = {x.id: x for x in after(five, "f", "n")}
    assert moved["f"].priority == 5, "it fits between 10 and 0"


def test_the_one_at_a_place() -> None:
    a, b, _, d = FOUR
    assert queue.at_place(FOUR, d, 1) is a
    assert queue.at_place(FOUR, a, 1) is b, "itself does not count"
    assert queue.at_place(FOUR, a, 4) is None
    assert queue.at_place(FOUR, a, -1) is None


_JOBS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-3, 3)), min_size=2, max_size=9).map(
    lambda some: [waiting(chr(97 + n), position, priority) for n, (priority, position) in enumerate(some)]
)


@given(_JOBS, st.data())
def test_the_others_keep_their_order(jobs: list[Job], data: st.DataObject) -> None:
    order = queue.in_order(jobs)
    job = data.draw(st.sampled_from(order))
    rest = [x for x in order if x.id != job.id]
    before = data.draw(st.sampled_from([*rest, None]))
    index = rest.index(before) if before else len(rest)
    expected = names([*rest[:index], job, *rest[index:]])
    result = after(jobs, job.id, before.id if before else None)
    assert names(result) == expected
    assert {x.id: x.priority for x in result if x.id != job.id} == {x.id: x.priority for x in rest}


@given(_JOBS)
def test_the_place_of_one_is_that_among_all(jobs: list[Job]) -> None:
    different = [replace(job, position=n) for n, job in enumerate(jobs)]  # equals are in any order
    waiting = [replace(x, status=State.PAUSED) if n % 3 == 2 else x for n, x in enumerate(different)]
    places = queue.places(waiting)
    assert {x.id: queue.place(waiting, x) for x in waiting} == {x.id: places.get(x.id) for x in waiting}
