"""Rules by day and hour."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl import timetable

MONDAY = datetime.fromisoformat("2026-11-23")  # a Monday, midnight


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def days(text: str) -> set[int]:
    return set(timetable.parse(f"{text} down=1").days)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat,sun", {5, 6}),
        ("sat, sun", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("Monday", {0}),
        ("tues,thur-fri", {1, 3, 4}),
        ("daily", set(range(7))),
        ("08:00-18:00", set(range(7))),
        ("mon-mon", {0}),
    ],
)
def test_days_are_read(text: str, expected: set[int]) -> None:
    assert days(text) == expected


def test_speeds_are_those_of_the_rest_of_the_configuration() -> None:
    rule = timetable.parse("mon-fri 08:00-18:00 down=500 up=1.5M")
    assert (rule.download, rule.upload) == (500 << 10, 3 << 19)
    assert timetable.parse("sat up=none").upload == -1
    assert timetable.parse("sat up=none").download is None


def test_the_order_of_the_words_is_free() -> None:
    one, other = timetable.parse("up=5 8:00-9:30 mon"), timetable.parse("mon 08:00-09:30 up=5")
    assert (one.days, one.start, one.end, one.upload) == (other.days, other.start, other.end, other.upload)


def test_it_holds_from_its_first_minute_to_the_one_before_its_end() -> None:
    rule = timetable.parse("mon-fri 08:00-18:00 down=500")
    assert [rule.holds(at(0, *time)) for time in ((7, 59), (8, 0), (17, 59), (18, 0))] == [
        False,
        True,
        True,
        False,
    ]
    assert not rule.holds(at(5, 12)), "a Saturday"


def test_past_midnight_it_belongs_to_the_day_it_began_on() -> None:
    rule = timetable.parse("fri 22:00-06:00 up=none")
    assert rule.holds(at(4, 22))
    assert rule.holds(at(5, 5, 59))
    assert not rule.holds(at(5, 6))
    assert not rule.holds(at(4, 5)), "that night began on Thursday"
    sunday = timetable.parse("sun 23:00-01:00 up=none")
    assert sunday.holds(at(7, 0, 30)), "the week begins anew"


def test_a_day_without_hours_is_all_of_it() -> None:
    for text in ("sat down=1", "sat 00:00-24:00 down=1", "sat 0:00-00:00 down=1"):
        rule = timetable.parse(text)
        assert rule.holds(at(5, 0))
        assert rule.holds(at(5, 23, 59))
        assert not rule.holds(at(6, 0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no speed"),
        ("mon-fri 08:00-18:00", "names no speed"),
        ("down=500", "neither days nor hours"),
        ("mon-fry down=5", "'fry' in"),
        ("mo down=5", "is no day"),
        ("mon down=fast", "not a speed"),
        ("mon down=0", "write none"),
        ("mon down=5 down=6", "once each"),
        ("mon speed=5", "only down= and up="),
        ("mon tue down=5", "'tue' in"),
        ("8:00-9:00 9:00-10:00 down=5", "not understood"),
        ("24:00-25:00 down=5", "24 hours"),
        ("08:60-09:00 down=5", "no hours"),
        ("08-18 down=5", "no hours"),
        ("mon- down=5", "is no day"),
        ("mon,,tue down=5", "is no day"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        timetable.parse(text)


def test_too_many_are_refused() -> None:
    timetable.check(["mon down=5"] * timetable.MAX_RULES)
    with pytest.raises(ValueError, match="too many"):
        timetable.check(["mon down=5"] * (timetable.MAX_RULES + 1))


@given(st.text(max_size=60) | st.text("mon-fri 0123456789:,=downup", max_size=60))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        rule = timetable.parse(text)
        assert rule.days
        assert 0 <= rule.start < rule.end <= 1440 or rule.end <= rule.start < 1440


_MINUTE = st.integers(0, 1439)


@given(st.sets(st.sampled_from(range(7)), min_size=1), _MINUTE, _MINUTE)
def test_it_holds_for_as_long_as_it_says_on_each_of_its_days(chosen: set[int], start: int, end: int) -> None:
    names = ",".join(timetable.DAY_NAMES[day] for day in chosen)
    rule = timetable.parse(f"{names} {start // 60}:{start % 60:02}-{end // 60}:{end % 60:02} down=1")
    length = (end - start) % 1440 or 1440
    for day in chosen:
        for offset in (0, length // 2, length - 1):
            assert rule.holds(at(day, 0, start) + timedelta(minutes=offset))
    outside = at(min(chosen), 0, start) - timedelta(minutes=1)
    covered = any(
        at(day - 7 * week, 0, start) <= outside < at(day - 7 * week, 0, start) + timedelta(minutes=length)
        for day in chosen
        for week in (0, 1, -1)
    )
    assert rule.holds(outside) == covered
