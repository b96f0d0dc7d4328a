"""Speeds as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl import rates


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("500", 500 << 10),
        ("500K", 500 << 10),
        ("500KB/s", 500 << 10),
        ("2m", 2 << 20),
        ("1.5M", 3 << 19),
        ("1.5 MiB", 3 << 19),
        ("1G", 1 << 30),
        ("none", -1),
        ("Unlimited", -1),
        ("-1", -1),
    ],
)
def test_speeds_are_read(text: str, limit: int) -> None:
    assert rates.parse(text) == limit


@pytest.mark.parametrize("text", ["", "fast", "-5", "0", "0.0001", "1e9", "5X", "K", "5G", "９", "9" * 13])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"speed|limit"):
        rates.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_limit_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        speed = rates.parse(text)
        assert speed == -1 or 1 <= speed < 2**31
