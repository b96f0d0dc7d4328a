"""The bus: in order, bounded, and never waiting for anyone."""

from __future__ import annotations

import pytest

from htdl import events
from htdl.events import Bus, Event, Kind, Subscription
from htdl.jobs import Job

JOB = Job(id="j", video_id="v", torrent_id="t")


async def rest(subscription: Subscription) -> list[Event]:
    """What is still in it; it must have ended."""
    return [event async for event in subscription]


async def test_every_listener_hears_everything_in_order() -> None:
    bus = Bus()
    with bus.subscribe() as one, bus.subscribe() as two:
        bus.publish(Kind.ADDED, JOB)
        bus.publish(Kind.REMOVED, JOB)
        bus.close()
        heard = [Event(1, Kind.ADDED, JOB), Event(2, Kind.REMOVED, JOB)]
        assert await rest(one) == heard
        assert await rest(two) == heard


async def test_the_sequence_goes_on_though_nobody_listens() -> None:
    bus = Bus()
    bus.publish(Kind.ADDED, JOB)
    with bus.subscribe() as late:
        bus.publish(Kind.CHANGED, JOB)
        bus.close()
        assert [event.seq for event in await rest(late)] == [2]


def test_what_was_missed_is_told_while_it_is_kept() -> None:
    bus = Bus()
    for _ in range(events.KEPT + 3):
        bus.publish(Kind.PROGRESS, JOB)
    last = bus.seq
    assert bus.after(last) == []
    assert [event.seq for event in bus.after(last - 2) or ()] == [last - 1, last]
    assert [event.seq for event in bus.after(3) or ()] == list(range(4, last + 1))
    assert bus.after(2) is None, "the third is not kept any more"
    assert bus.after(last + 1) is None, "nobody has heard what is still to come"


def test_the_observer_is_told_of_each_event_at_once() -> None:
    bus, seen = Bus(), list[Event]()
    bus.observer = seen.append
    bus.publish(Kind.ADDED, JOB)
    assert seen == [Event(1, Kind.ADDED, JOB)]


async def test_a_listener_that_left_hears_nothing_more() -> None:
    bus = Bus()
    with bus.subscribe() as gone:
        pass
    bus.publish(Kind.ADDED, JOB)
    assert gone._queue.empty()


async def test_a_listener_that_falls_behind_is_dropped_with_what_it_had() -> None:
    bus = Bus()
    with bus.subscribe() as slow, bus.subscribe() as quick:
        reader = quick.__aiter__()
        for seq in range(1, events.QUEUE_LENGTH + 10):
            bus.publish(Kind.PROGRESS, JOB)
            assert (await anext(reader)).seq == seq
        assert [event.seq for event in await rest(slow)] == list(range(1, events.QUEUE_LENGTH + 1))
        bus.publish(Kind.PROGRESS, JOB)
        assert (await anext(reader)).seq == events.QUEUE_LENGTH + 10


@pytest.mark.parametrize("published", [0, events.QUEUE_LENGTH])
async def test_closing_ends_an_empty_and_a_full_listener(published: int) -> None:
    bus = Bus()
    with bus.subscribe() as listener:
        for _ in range(published):
            bus.publish(Kind.PROGRESS, JOB)
        bus.close()
        bus.publish(Kind.PROGRESS, JOB)
        assert len(await rest(listener)) == published
