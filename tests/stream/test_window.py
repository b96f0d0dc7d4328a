"""Which pieces come next: by example, and the rules for whatever readers there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.stream import window
from htdl.stream.window import Head, ordered

MIB = 1 << 20
COUNT = 200


def readable(here: set[int], count: int = COUNT) -> Callable[[int], int]:
    def until(piece: int) -> int:
        assert 0 <= piece < count
        return next((x for x in range(piece, count) if x not in here), count)

    return until


def plan(
    *heads: Head, needed: tuple[range, ...] = (), here: set[int] | None = None, length: int = MIB
) -> list[int]:
    return ordered(heads, needed, length, readable(here or set()))


def test_nobody_wants_nothing() -> None:
    assert plan() == []


def test_what_is_needed_comes_while_nobody_reads() -> None:
    assert plan(needed=(range(2), range(198, 200)), here={1}) == [0, 198, 199]


def test_a_new_reader_has_a_small_window() -> None:
    assert plan(Head(10, 199)) == [10, 11, 12, 13]


def test_a_window_grows_with_what_is_read() -> None:
    assert plan(Head(10, 199, taken=2 * MIB)) == list(range(10, 16))
    assert plan(Head(10, 199, taken=100 * MIB)) == list(range(10, 26))


def test_a_window_ends_where_the_reader_does() -> None:
    assert plan(Head(10, 11)) == [10, 11]
    assert plan(Head(199, 199)) == [199]


def test_large_pieces_are_three_at_least() -> None:
    assert plan(Head(0, 199, taken=100 * MIB), length=16 * MIB) == [0, 1, 2]


def test_what_is_here_is_left_out_and_the_window_goes_on_behind_it() -> None:
    assert plan(Head(10, 199), here={10, 12, *range(14, 30)}) == [11, 13, 30]


def test_two_readers_take_turns() -> None:
    assert plan(Head(100, 199), Head(0, 50), length=MIB // 2)[:8] == [100, 0, 101, 1, 102, 2, 103, 3]


def test_what_is_needed_comes_after_the_first_step_of_all() -> None:
    heads = (Head(10, 199), Head(50, 199))
    assert plan(*heads, needed=(range(1), range(199, 200)))[:6] == [10, 50, 0, 199, 11, 51]


def test_who_has_enough_lets_go_before_who_waits() -> None:
    assert plan(Head(10, 199), Head(50, 199), here={10, 11})[0] == 50


def test_an_idle_reader_keeps_a_small_place_at_the_end() -> None:
    idle, waiting = Head(10, 199, taken=100 * MIB, is_idle=True), Head(50, 199)
    assert plan(idle, waiting, needed=(range(1),)) == [50, 0, 10, 51, 52, 53]


def test_many_readers_are_bounded_together_and_each_has_its_turn() -> None:
    heads = [Head(6 * x, 199, taken=100 * MIB) for x in range(32)]
    found = plan(*heads, length=4 * MIB)
    assert found == [head.next for head in heads]


pieces = st.integers(0, COUNT - 1)
spans = st.tuples(pieces, pieces).map(sorted)
heads = st.builds(
    lambda span, taken, is_idle: Head(span[0], span[1], taken, is_idle),
    spans,
    st.integers(0, 40 * MIB),
    st.booleans(),
)
lengths = st.sampled_from([16 << 10, 256 << 10, 512 << 10, MIB, 4 * MIB, 16 * MIB])


@given(
    st.lists(heads, max_size=32),
    st.lists(spans.map(lambda span: range(span[0], span[1] + 1)), max_size=3),
    lengths,
    st.sets(pieces),
)
def test_the_rules(heads: list[Head], needed: list[range], length: int, here: set[int]) -> None:
    found = ordered(heads, needed, length, readable(here))
    asked = {x for head in heads for x in range(head.next, head.last + 1)} | {
        x for part in needed for x in part
    }
    assert len(found) == len(set(found))
    assert set(found) <= asked - here
    assert len(found) <= max(window.LEAST_TOTAL, window.TOTAL_BYTES // length)
    # The piece that each waits for comes before anyone's second, in the order given.
    first = [x for head in heads if not head.is_idle and (x := _first_step(head, length, here)) is not None]
    assert found[: len(set(first))] == list(dict.fromkeys(first))


def _first_step(head: Head, length: int, here: set[int]) -> int | None:
    near = range(head.next, min(head.last + 1, head.next + max(1, window.FIRST_BYTES // length)))
    return next((piece for piece in near if piece not in here), None)


@given(heads, lengths, st.sets(pieces))
def test_one_reader_is_bounded(head: Head, length: int, here: set[int]) -> None:
    found = ordered([head], [], length, readable(here))
    assert found == sorted(found)
    assert len(found) <= max(window.LEAST_PIECES, window.MOST_BYTES // length)
    assert bool(found) == any(x not in here for x in range(head.next, head.last + 1)) or head.is_idle


@pytest.mark.parametrize("length", [16 << 10, MIB, 16 * MIB])
def test_it_is_quick_for_many_readers(length: int) -> None:
    """No more pieces are looked at than are asked for, and a step of each reader."""
    looks = 0

    def until(piece: int) -> int:
        nonlocal looks
        looks += 1
        return piece

    ordered([Head(10_000 * x, 10_000 * x + 9_999) for x in range(100)], [range(10_000)], length, until)
    assert looks <= window.MOST_TOTAL + 100
