from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.jobs import Readiness
from htdl.stream.container.container import Container
from htdl.stream.readiness import gone, place, verdict, whole

MB = 1 << 20
SIZE, SECONDS = 100 * MB, 100.0  # one MB a second
EVEN = tuple((float(t), t * MB) for t in range(101))
INDEXED = Container(kind="mp4", needed=(range(MB),), index_ok=True, duration=SECONDS, points=EVEN)
SPREAD = Container(kind="ts", needed=(range(MB),), index_ok=True, duration=SECONDS)
UNKNOWN = Container(kind="", needed=(range(MB),), index_ok=True)


def judged(container: Container | None = INDEXED, **given: Any) -> Readiness:
    """A file of which nothing but the head is here."""
    known = {"size": SIZE, "head": 0, "speed": 0.0, "threshold": 10.0} | given
    return verdict(container=container, **{"done": known["head"], **known})


def test_a_file_that_is_not_known_is_not_ready() -> None:
    assert judged(size=0) == Readiness(ready=False, reason="its files are not known yet", threshold=10.0)


def test_a_whole_file_is_ready_whatever_its_container_says() -> None:
    found = judged(None, head=SIZE)
    assert (found.ready, found.reason, found.plays_through) == (True, "the whole file is here", "yes")
    assert (found.index_ok, found.buffered_bytes, found.buffered_seconds) == (True, SIZE, None)
    assert judged(head=SIZE).buffered_seconds == SECONDS
    assert whole(10.0).ready
    assert not gone(10.0).ready


@pytest.mark.parametrize("container", [INDEXED, SPREAD, UNKNOWN])
@pytest.mark.parametrize(
    ("head", "threshold", "ready"),
    [(10 * MB - 1, 10, False), (10 * MB, 10, True), (99 * MB, 100, False), (0, 0, True)],
)
def test_ready_once_the_threshold_is_reached(
    container: Container, head: int, threshold: float, ready: bool
) -> None:
    assert judged(container, head=head, threshold=threshold).ready is ready


def test_bytes_behind_a_gap_are_no_part_of_the_share() -> None:
    assert not judged(head=MB, done=50 * MB).ready


@pytest.mark.parametrize("container", [INDEXED, SPREAD])
def test_a_fast_download_is_ready_long_before_the_threshold(container: Container) -> None:
    found = judged(container, head=2 * MB, speed=3.2 * MB)
    assert (found.ready, found.plays_through, found.buffered_seconds) == (True, "yes", 2.0)
    assert found.reason.startswith("plays through: 3.2 MiB/s come, 1.")
    # a player reads some seconds ahead, and may wait for the last of them itself
    assert not judged(container, head=MB, speed=3.2 * MB).ready
    assert not judged(container, head=3 * MB, speed=1.5 * MB).ready


def test_without_an_index_more_speed_is_asked_for() -> None:
    assert judged(INDEXED, head=8 * MB, speed=1.1 * MB).plays_through == "yes"
    assert judged(SPREAD, head=8 * MB, speed=1.1 * MB).plays_through == 7  # 92 MB take 84 s, not 77
    assert judged(SPREAD, head=8 * MB, speed=1.3 * MB).plays_through == "yes"


def test_a_slower_one_says_when_it_would_play_through() -> None:
    found = judged(head=6 * MB, speed=0.8 * MB)
    assert not found.ready
    assert found.plays_through == math.ceil(94 / 0.8 - 100 / 1.1)
    assert found.reason == "starts in about 5 s, with 10 % here: 0.8 MiB/s come, 1.0 are needed"
    enough = judged(head=12 * MB, speed=0.8 * MB)
    assert enough.ready
    assert enough.reason == (
        "12.0 % is here, 10 % is enough to start, but it will stop on the way: 0.8 MiB/s come, 1.0 are needed"
    )


@pytest.mark.parametrize("container", [INDEXED, SPREAD])
def test_one_slow_peer_will_not_do(container: Container) -> None:
    found = judged(container, head=2 * MB, speed=50 * 1024.0)
    assert (found.ready, found.plays_through) == (False, "no")
    assert found.reason.startswith("starts in about 3 min, with 10 % here: 0.05 MiB/s come, 1.")
    still = judged(container, head=2 * MB, speed=0.0)
    assert (still.plays_through, still.reason) == (
        "no",
        "2.0 % is here, 10 % is needed to start; nothing comes at the moment",
    )


def test_words_of_a_wait_that_more_speed_than_needed_does_not_spare() -> None:
    found = judged(head=1 * MB, speed=3.0 * MB)
    assert (found.ready, found.reason) == (
        False,
        "starts in about 1 s: its first seconds are still coming",
    )
    late = judged(head=6 * MB, speed=0.9 * MB, threshold=40)
    assert late.reason == (
        "starts in about 14 s, with enough to play through: 0.9 MiB/s come, 1.0 are needed"
    )


def test_a_sentence_has_one_unit() -> None:
    partial = Container(kind="mp4", needed=(range(4 * MB),))
    assert judged(partial, head=40 * 1024).reason == "0.04 of the 4.0 MiB needed to start are here"
    small = Container(kind="mp4", needed=(range(64 * 1024),))
    assert judged(small, head=20 * 1024).reason == "20 of the 64 KiB needed to start are here"


def test_the_wait_counts_down_as_bytes_come() -> None:
    waits = [judged(head=head * MB, speed=0.8 * MB).plays_through for head in range(6, 100, 8)]
    numbers = [wait for wait in waits if isinstance(wait, int)]
    assert numbers == sorted(numbers, reverse=True)
    assert waits[-1] == "yes"


def test_a_film_that_begins_with_its_heaviest_part_waits_for_it() -> None:
    front = ((0.0, 0), (20.0, 60 * MB), (100.0, 100 * MB))
    heavy = Container(kind="mp4", index_ok=True, duration=SECONDS, points=front)
    found = judged(heavy, head=6 * MB, speed=2.0 * MB)
    assert found.plays_through == math.ceil(54 / 2 - 20 / 1.1)
    assert judged(INDEXED, head=6 * MB, speed=2.0 * MB).plays_through == "yes"


def test_what_lies_behind_a_gap_need_not_come_again() -> None:
    assert judged(head=6 * MB, done=98 * MB, speed=0.5 * MB).plays_through == "yes"
    assert judged(head=6 * MB, done=50 * MB, speed=0.5 * MB).plays_through != "yes"


def test_nothing_is_ready_without_head_and_index() -> None:
    parts = (range(4 * MB), range(99 * MB, SIZE))
    partial = Container(kind="mp4", needed=parts, duration=SECONDS, points=EVEN)
    head = judged(partial, head=int(2.1 * MB), speed=9.0 * MB)
    assert (head.ready, head.index_ok, head.plays_through) == (False, False, None)
    assert head.reason == "2.1 of the 4.0 MiB needed to start are here"
    tail = judged(partial, head=50 * MB)
    assert (tail.ready, tail.reason) == (False, "the index at the end of the file is still missing")
    nothing = judged(None, head=50 * MB)
    assert (nothing.ready, nothing.index_ok) == (False, None)
    assert nothing.reason == "looking at what is here"


def test_an_unknown_container_says_nothing_of_time() -> None:
    found = judged(UNKNOWN, head=12 * MB, speed=9.0 * MB)
    assert (found.ready, found.buffered_seconds, found.plays_through) == (True, None, None)
    assert found.reason == "12.0 % is here, 10 % is enough to start"


def test_what_was_ready_stays_so_when_the_speed_falls() -> None:
    slow: dict[str, Any] = {"head": 6 * MB, "speed": 0.3 * MB}
    assert not judged(**slow).ready
    found = judged(**slow, was_ready=True)
    assert (found.ready, found.plays_through) == (True, "no")
    assert found.reason.startswith("6.0 % of the file is here, but it will stop on the way: ")
    none_comes = judged(head=6 * MB, was_ready=True)
    assert (none_comes.ready, none_comes.reason) == (
        True,
        "6.0 % of the file is here; nothing comes at the moment",
    )


def test_what_was_ready_is_so_no_more_when_its_index_is_lost() -> None:
    lost = Container(kind="mp4", needed=(range(MB),), index_ok=False, duration=SECONDS, points=EVEN)
    found = judged(lost, head=0, was_ready=True)
    assert (found.ready, found.reason) == (False, "the beginning of the file is still missing")
    assert not judged(None, head=0, was_ready=True).ready


def test_a_time_is_found_in_the_file() -> None:
    assert place(INDEXED, SIZE, 0) == range(5 * MB)
    assert (
        place(INDEXED, SIZE, 50) == place(SPREAD, SIZE, 50) == range(45 * MB, 55 * MB)
    )  # from a little before
    assert place(INDEXED, SIZE, 10**6) == range(SIZE, SIZE)
    assert place(UNKNOWN, SIZE, 50).start == 0


numbers = st.floats(0, 1e12, allow_nan=False)
courses = st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 2**50)), max_size=20).map(
    lambda points: tuple(zip(sorted(t for t, _ in points), sorted(b for _, b in points), strict=True))
)


@given(st.integers(0, 2**50), numbers, numbers, courses, st.floats(0, 1e6), st.booleans(), st.floats(0, 100))
def test_any_numbers_get_a_verdict(
    size: int, head: float, speed: float, points: Any, duration: float, index_ok: bool, threshold: float
) -> None:
    container = Container(kind="mp4", index_ok=index_ok, duration=duration, points=points)
    here = min(size, int(head))
    found = judged(container, size=size, head=here, speed=speed, threshold=threshold)
    assert 0 < len(found.reason) <= 120
    assert found.ready <= (index_ok or here == size)
    assert found.plays_through in ("yes", "no", None) or int(found.plays_through or 0) >= 1
