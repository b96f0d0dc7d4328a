"""Readers of files that are still arriving."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.stream.arrival import CHUNK, IDLE_SECONDS, Arrival, Reader
from htdl.stream.source import Span, Stalled, StreamEnded
from tests.fakes.pieces import FakePieces

LENGTH = 1 << 20
FILE = Span(Path("film.mkv"), 50 * LENGTH, 0)
SOON, LONG = 0.01, 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pieces() -> FakePieces:
    return FakePieces(50, LENGTH)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrival(pieces: FakePieces, clock: Clock) -> Arrival:
    return Arrival(pieces, clock)


async def settled(condition: Callable[[], object]) -> None:
    """Let the loop turn until it is so; the test's own time limit ends it."""
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 - any state at all, not only what tells of itself
            await asyncio.sleep(0)


async def turns() -> None:
    """A few turns of the loop: what was to happen soon has happened."""
    for _ in range(5):
        await asyncio.sleep(0)


async def rest_of(reader: Reader) -> list[range]:
    found = []
    while (part := await reader.next(LONG)) is not None:
        found.append(part)
    return found


async def test_what_is_here_is_given_at_once_and_no_more(arrival: Arrival, pieces: FakePieces) -> None:
    pieces.arrive(0)
    with arrival.open(FILE, 100, FILE.size) as reader:
        assert await reader.next(LONG) == range(100, LENGTH)
        with pytest.raises(Stalled, match=r"film\.mkv"):
            await reader.next(SOON)


async def test_it_is_given_in_small_parts_up_to_the_end(arrival: Arrival, pieces: FakePieces) -> None:
    pieces.arrive(*range(50))
    with arrival.open(FILE, 5, 3 * LENGTH) as reader:
        parts = await rest_of(reader)
        assert [x.stop - x.start for x in parts] == [CHUNK, CHUNK, CHUNK - 5]
        assert (parts[0].start, parts[-1].stop) == (5, 3 * LENGTH)
        assert await reader.next(SOON) is None


async def test_a_piece_that_comes_wakes_who_waits_for_it(arrival: Arrival, pieces: FakePieces) -> None:
    with arrival.open(FILE, 0, FILE.size) as one, arrival.open(FILE, 0, FILE.size) as other:
        waiting = [asyncio.ensure_future(reader.next(LONG)) for reader in (one, other)]
        await settled(lambda: pieces.waiting == 3)  # both, and the plan
        pieces.arrive(7)  # which neither waits for
        await turns()
        pieces.arrive(0)
        assert await asyncio.gather(*waiting) == [range(LENGTH)] * 2


async def test_files_need_not_begin_with_a_piece() -> None:
    pieces = FakePieces(4, 1000)
    first, second = Span(Path("a"), 1500, 0), Span(Path("b"), 2100, 1500)
    arrival = Arrival(pieces)
    pieces.arrive(1)
    with arrival.open(first, 0, 1500) as a, arrival.open(second, 0, 2100) as b:
        await turns()
        assert pieces.wanted == [0, 2, 3]
        assert await b.next(LONG) == range(500)  # half of the piece they share
        pieces.arrive(0)
        assert await rest_of(a) == [range(1500)]
        pieces.arrive(3)
        with pytest.raises(Stalled):
            await b.next(SOON)
        pieces.arrive(2)
        assert await rest_of(b) == [range(500, 2100)]


async def test_the_window_moves_with_the_reader(arrival: Arrival, pieces: FakePieces) -> None:
    with arrival.open(FILE, 0, FILE.size) as reader:
        await turns()
        assert pieces.wants == [[0, 1, 2, 3]]
        pieces.arrive(0, 1)
        await turns()
        assert pieces.wanted == [2, 3, 4]  # pieces came
        await reader.next(LONG)
        await reader.next(LONG)
        await turns()
        assert pieces.wanted == [2, 3, 4, 5, 6, 7]  # it has read some


async def test_a_piece_that_comes_in_the_very_turn_of_the_plan_is_seen(
    arrival: Arrival, pieces: FakePieces
) -> None:
    with arrival.open(FILE, 0, FILE.size):
        asyncio.get_running_loop().call_soon(pieces.arrive, 0)  # right after the plan
        await settled(lambda: pieces.wanted == [1, 2, 3])


async def test_a_torrent_that_is_gone_is_asked_no_more(arrival: Arrival, pieces: FakePieces) -> None:
    pieces.end()
    with arrival.open(FILE, 0, FILE.size):
        await turns()
        looks = pieces.looks
        await turns()
        assert pieces.looks == looks  # it does not go round and round
        with pytest.raises(StreamEnded):
            await arrival.open(FILE, 0, FILE.size).next(LONG)


async def test_a_jump_is_planned_in_one_turn_of_the_loop(arrival: Arrival, pieces: FakePieces) -> None:
    before = arrival.open(FILE, 0, FILE.size)
    await turns()
    pieces.wants.clear()
    before.close()
    after = arrival.open(FILE, 25 * LENGTH, FILE.size)
    assert pieces.wants == []
    await asyncio.sleep(0)
    assert pieces.wants == [[25, 26, 27, 28]]
    after.close()


async def test_many_changes_in_a_turn_of_the_loop_are_one_plan(arrival: Arrival, pieces: FakePieces) -> None:
    async def looks(changes: int) -> int:
        before = pieces.looks
        for _ in range(changes):
            arrival.replan()
        await turns()
        return pieces.looks - before

    with arrival.open(FILE, 0, FILE.size):
        await turns()
        assert await looks(20) == await looks(1) > 0


async def test_nothing_is_asked_for_twice(arrival: Arrival, pieces: FakePieces) -> None:
    with arrival.open(FILE, 0, LENGTH), arrival.open(FILE, 5, LENGTH):
        await turns()
        pieces.arrive(40)
        await turns()
        assert pieces.wants == [[0]]


async def test_when_the_last_reader_closes_nothing_is_wanted(arrival: Arrival, pieces: FakePieces) -> None:
    one, other = (arrival.open(FILE, x * LENGTH, FILE.size) for x in (0, 20))
    await turns()
    one.close()
    one.close()
    await turns()
    assert arrival.readers == 1
    assert pieces.wanted == [20, 21, 22, 23]
    other.close()
    await turns()
    assert (arrival.readers, pieces.wanted) == (0, [])
    assert pieces.waiting == 0  # and nothing watches any more
    assert await other.next(SOON) is None


async def test_a_reader_at_its_end_wants_nothing(arrival: Arrival, pieces: FakePieces) -> None:
    pieces.arrive(3)
    with arrival.open(FILE, 3 * LENGTH, 4 * LENGTH) as reader, arrival.open(FILE, 9, 9) as empty:
        assert await rest_of(reader) == [range(3 * LENGTH, 4 * LENGTH)]
        assert await empty.next(SOON) is None
        await turns()
        assert pieces.wanted == []


async def test_a_reader_that_is_cancelled_leaves_no_window(arrival: Arrival, pieces: FakePieces) -> None:
    async def serve() -> None:
        with arrival.open(FILE, 0, FILE.size) as reader:
            await reader.next(LONG)

    task = asyncio.ensure_future(serve())
    await settled(lambda: pieces.wanted)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await turns()
    assert (arrival.readers, pieces.wanted, pieces.waiting) == (0, [], 0)


async def test_the_index_is_fetched_while_nobody_reads(arrival: Arrival, pieces: FakePieces) -> None:
    outside = range(FILE.size, FILE.size + 100 * LENGTH)
    arrival.need(
        [(FILE, range(10)), (FILE, range(0)), (FILE, outside), (FILE, range(FILE.size - 10, 1 << 60))]
    )
    await turns()
    assert pieces.wanted == [0, 49]
    pieces.arrive(49)
    await turns()
    assert pieces.wanted == [0]
    arrival.need([])
    await turns()
    assert (pieces.wanted, pieces.waiting) == ([], 0)


async def test_the_index_comes_before_what_is_read_later(arrival: Arrival, pieces: FakePieces) -> None:
    arrival.need([(FILE, range(FILE.size - 10, FILE.size))])
    with arrival.open(FILE, 0, FILE.size):
        await turns()
        assert pieces.wanted == [0, 49, 1, 2, 3]


async def test_who_was_served_last_is_served_next_time_after_the_others(
    arrival: Arrival, pieces: FakePieces, clock: Clock
) -> None:
    with arrival.open(FILE, 0, FILE.size) as one:
        clock.now = 1.0
        with arrival.open(FILE, 20 * LENGTH, FILE.size) as other:
            await turns()
            assert pieces.wanted[:2] == [0, 20]
            clock.now = 2.0
            pieces.arrive(0)
            await one.next(LONG)
            await turns()
            assert pieces.wanted[:2] == [20, 1]
            clock.now = 3.0
            pieces.arrive(20)
            await other.next(LONG)
            await turns()
            assert pieces.wanted[:2] == [1, 21]


async def test_a_paused_player_lets_those_who_wait_go_before(
    arrival: Arrival, pieces: FakePieces, clock: Clock
) -> None:
    paused = arrival.open(FILE, 0, FILE.size)
    with paused, arrival.open(FILE, 20 * LENGTH, FILE.size) as watched:
        waiting = asyncio.ensure_future(watched.next(LONG))
        await settled(lambda: pieces.waiting == 2)
        clock.now = IDLE_SECONDS + 1
        pieces.arrive(40)
        await turns()
        assert pieces.wanted == [20, 0, 21, 22, 23]
        goes_on = asyncio.ensure_future(paused.next(LONG))
        await turns()
        assert pieces.wanted == [0, 20, 1, 21, 2, 22, 3, 23]
        pieces.arrive(0, 20)
        assert await asyncio.gather(goes_on, waiting)


async def test_the_end_of_the_torrent_is_told_after_what_is_here(
    arrival: Arrival, pieces: FakePieces
) -> None:
    pieces.arrive(0)
    with arrival.open(FILE, 0, FILE.size) as reader, arrival.open(FILE, 9 * LENGTH, FILE.size) as waiting:
        ends = asyncio.ensure_future(waiting.next(LONG))
        await settled(lambda: pieces.waiting == 2)
        pieces.end()
        with pytest.raises(StreamEnded):
            await ends
        assert await reader.next(LONG) == range(LENGTH)
        with pytest.raises(StreamEnded):
            await reader.next(LONG)


async def test_a_request_after_one_that_stalled_goes_on(arrival: Arrival, pieces: FakePieces) -> None:
    with pytest.raises(Stalled), arrival.open(FILE, 0, FILE.size) as reader:
        await reader.next(SOON)
    await turns()
    assert (arrival.readers, pieces.wanted) == (0, [])
    with arrival.open(FILE, 0, LENGTH) as later:
        waiting = asyncio.ensure_future(later.next(LONG))
        await settled(lambda: pieces.wanted)
        pieces.arrive(0)
        assert await waiting == range(LENGTH)


async def test_bytes_that_the_file_does_not_have_are_refused(arrival: Arrival) -> None:
    for start, stop in [(-1, 5), (5, 4), (0, FILE.size + 1)]:
        with pytest.raises(ValueError, match="no bytes"):
            arrival.open(FILE, start, stop)


async def test_many_readers_all_get_everything_and_nothing_before_it_is_here() -> None:
    """Pieces come as they are wanted, now and then another; each reader reads at its own pace."""
    chance = random.Random(7)
    count, length = 40, 1000
    pieces = FakePieces(count, length)
    here: set[int] = set()
    span = Span(Path("film"), count * length - 300, 150)
    arrival = Arrival(pieces)

    async def swarm() -> None:
        while len(here) < count:
            await asyncio.sleep(0)
            new = chance.choice(pieces.wanted) if pieces.wanted else chance.randrange(count)
            here.add(new)
            pieces.arrive(new)

    async def read(start: int, stop: int) -> None:
        position = start
        with arrival.open(span, start, stop) as reader:
            while (part := await reader.next(LONG)) is not None:
                assert part.start == position
                assert {(span.offset + x) // length for x in part} <= here
                position = part.stop
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
        assert position == stop

    places = [sorted(chance.sample(range(span.size + 1), 2)) for _ in range(20)]
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group:
        for start, stop in places:
            group.create_task(read(start, stop))
        group.create_task(swarm())
    await turns()
    assert (arrival.readers, pieces.wanted, pieces.waiting) == (0, [], 0)
