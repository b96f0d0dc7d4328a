"""What a request asks for: RFC 9110 sections 13 and 14, case by case and against a slow model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.stream.ranges import MOST_RANGES, Outcome, content_range, evaluate, http_date, parse

SIZE = 1000
ETAG = '"abc-1-1000"'
THEN = 784111777.6  # Sun, 06 Nov 1994 08:49:37 GMT, and a bit
AT, BEFORE, AFTER = (f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in (37, 36, 38))


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-499", [range(500)]),
        ("bytes=500-", [range(500, 1000)]),
        ("bytes=0-", [range(1000)]),
        ("bytes=999-", [range(999, 1000)]),
        ("bytes=-1", [range(999, 1000)]),
        ("bytes=-500", [range(500, 1000)]),
        ("bytes=-5000", [range(1000)]),  # the whole file, but as a range: 206
        ("bytes=900-5000", [range(900, 1000)]),
        ("BYTES=0-0", [range(1)]),
        ("bytes= 0-0 ,\t5-5", [range(1), range(5, 6)]),
        ("bytes=,0-0,,", [range(1)]),
        ("bytes=5-9,0-3", [range(5, 10), range(4)]),  # in the order asked
        ("bytes=0-4,3-9", [range(10)]),
        ("bytes=0-4,5-9", [range(10)]),
        ("bytes=0-1,10-11,2-9", [range(12)]),
        ("bytes=0-0,2000-,-0", [range(1)]),  # what can be satisfied of it
        (f"bytes=0-{'9' * 3000}", [range(1000)]),
    ],
)
def test_a_range_is_read(header: str, ranges: list[range]) -> None:
    assert parse(header, SIZE) == ranges


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", f"bytes={'9' * 3000}-"])
def test_what_lies_outside_is_unsatisfiable(header: str) -> None:
    assert parse(header, SIZE) == []


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5",
        "bytes=5-4",
        "bytes=0-1,5-4",
        "bytes=0-1,x",
        "bytes=1 - 2",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1_0-20",
        "bytes=٣-٤",
        "bytes=0-1\n",
        "bytes:0-1",
        "items=0-1",
        f"bytes={'9' * 5000}-",
        "bytes=" + ",".join(f"{x}-{x}" for x in range(0, 2 * MOST_RANGES + 2, 2)),
    ],
)
def test_what_is_invalid_or_too_much_is_ignored(header: str | None) -> None:
    assert parse(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-1", "bytes=-0", "bytes=5-9"])
def test_an_empty_file_is_sent_whole(header: str) -> None:
    assert parse(header, 0) is None


def test_the_answer_names_the_range() -> None:
    assert content_range(range(500, 1000), SIZE) == "bytes 500-999/1000"
    assert content_range(None, SIZE) == "bytes */1000"


numbers = st.integers(0, 30).map(str) | st.just("")
specs = st.tuples(numbers, st.sampled_from(["-", "-", "-", "-", "", "--", "x"]), numbers).map("".join)


def model(specs: list[str], size: int) -> set[int] | None:
    """The bytes asked for one by one; None where one of the ranges is invalid."""
    asked: set[int] = set()
    for spec in specs:
        first, dash, last = spec.partition("-")
        digits = (first or "0") + (last or "0")
        if not dash or not (first or last) or not digits.isdecimal():
            return None
        if first and last and int(first) > int(last):
            return None
        for byte in range(size):
            after = byte >= int(first) if first else byte >= size - int(last)
            asked |= {byte} if after and not (first and last and byte > int(last)) else set()
    return asked


@given(st.lists(specs, min_size=1, max_size=6), st.integers(1, 40))
def test_ranges_are_what_the_model_says(specs: list[str], size: int) -> None:
    asked = model([spec for spec in specs if spec], size) if any(specs) else None
    found = parse("bytes=" + ",".join(specs), size)
    assert (found is None) == (asked is None)
    assert sorted(byte for one in found or [] for byte in one) == sorted(asked or [])  # and no byte twice
    for one in found or []:
        assert not [x for x in found or [] if x is not one and x.start <= one.stop and one.start <= x.stop]


@given(st.text(), st.integers(0, 1 << 50))
def test_any_text_is_taken(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        assert all(0 <= one.start < one.stop <= size for one in parse(header, size) or [])
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"):
        assert evaluate("GET", {name: text}, ETAG, THEN) in Outcome


PROCEED, WHOLE, KNOWN, FAILED = Outcome.PROCEED, Outcome.WHOLE, Outcome.NOT_MODIFIED, Outcome.FAILED


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({}, PROCEED),
        ({"If-Match": ETAG}, PROCEED),
        ({"If-Match": f'"x,y", {ETAG}'}, PROCEED),
        ({"If-Match": "*"}, PROCEED),
        ({"If-Match": f"W/{ETAG}"}, FAILED),  # strong comparison
        ({"If-Match": '"other"'}, FAILED),
        ({"If-Match": "abc-1-1000"}, FAILED),
        ({"If-Unmodified-Since": AT}, PROCEED),
        ({"If-Unmodified-Since": AFTER}, PROCEED),
        ({"If-Unmodified-Since": BEFORE}, FAILED),
        ({"If-Unmodified-Since": "yesterday"}, PROCEED),
        ({"If-None-Match": ETAG}, KNOWN),
        ({"If-None-Match": f'"x", W/{ETAG}'}, KNOWN),  # weak comparison
        ({"If-None-Match": " * "}, KNOWN),
        ({"If-None-Match": '"other"'}, PROCEED),
        ({"If-Modified-Since": AT}, KNOWN),
        ({"If-Modified-Since": AFTER}, KNOWN),
        ({"If-Modified-Since": BEFORE}, PROCEED),
        ({"If-Modified-Since": "yesterday"}, PROCEED),
        ({"If-Range": ETAG}, PROCEED),
        ({"If-Range": AT}, PROCEED),
        ({"If-Range": f"W/{ETAG}"}, WHOLE),
        ({"If-Range": '"other"'}, WHOLE),
        ({"If-Range": AFTER}, WHOLE),  # the very date, no later one
        # which goes before which: section 13.2.2
        ({"If-Match": ETAG, "If-Unmodified-Since": BEFORE}, PROCEED),
        ({"If-Match": '"other"', "If-None-Match": ETAG}, FAILED),
        ({"If-None-Match": '"other"', "If-Modified-Since": AFTER}, PROCEED),
        ({"If-None-Match": ETAG, "If-Range": '"other"'}, KNOWN),
    ],
)
def test_conditions(headers: dict[str, str], outcome: Outcome) -> None:
    assert evaluate("GET", headers, ETAG, THEN) is outcome


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_dates_count_for_nothing_while_a_file_arrives(name: str) -> None:
    assert evaluate("GET", {name: BEFORE}, ETAG, None) is PROCEED
    assert evaluate("GET", {"If-Range": AT}, ETAG, None) is WHOLE


def test_ranges_are_for_get_alone() -> None:
    assert evaluate("HEAD", {}, ETAG, THEN) is WHOLE
    assert evaluate("HEAD", {"If-None-Match": ETAG}, ETAG, THEN) is KNOWN


def test_other_methods_fail_on_a_match() -> None:
    assert evaluate("PUT", {"If-None-Match": "*"}, ETAG, THEN) is FAILED
    assert evaluate("PUT", {"If-Modified-Since": AFTER}, ETAG, THEN) is WHOLE


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert http_date(text) == 784111777


@pytest.mark.parametrize(
    "text", [None, "", "0", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 32 Nov 1994 08:49:37 GMT"]
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert http_date(text) is None
