from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli import units


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1023 KiB"),
        (1 << 20, "1.0 MiB"),
        (200 << 20, "200 MiB"),
        (1 << 40, "1.0 TiB"),
    ],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert units.size(count) == words


@given(st.integers(0, 1 << 59))
def test_short_forms_fit_their_columns(count: int) -> None:
    assert len(units.short_size(count)) <= 5
    assert len(units.short_speed(count)) <= 7


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "-"), (0, "0s"), (59.9, "59s"), (60, "1m00s"), (252, "4m12s"), (3900, "1h05m"), (183_600, "2d03h")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert units.duration(seconds) == words


@given(st.floats(0, 8_640_000 - 1))
def test_durations_fit_their_column(seconds: float) -> None:
    assert len(units.duration(seconds)) <= 6


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600), ("2D", 172_800)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:02:03", 3723),
        ("2:03", 123),
        ("90:00", 5400),
        ("0:00:01.5", 1.5),
        ("90", 90),
        ("90.5s", 90.5),
        ("1h2m", 3720),
        ("1H2M3S", 3723),
        ("5m", 300),
        (" 0 ", 0),
    ],
)
def test_moments_are_read(text: str, seconds: float) -> None:
    assert units.parse_moment(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", ":", "1:", "1:60", "1:2:3:4", "-5", "2m1h", "h", "nan", "1e9", "٣", "9" * 400]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a moment"):
        units.parse_moment(text)


@given(st.floats(0, 10**8))
def test_a_moment_for_other_programs_is_plain_digits(seconds: float) -> None:
    told = units.decimal(seconds)
    assert set(told) <= set("0123456789.")
    assert abs(float(told) - seconds) < 0.001


@pytest.mark.parametrize("text", ["", "soon", "-1", "5w", "inf", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        units.parse_duration(text)
