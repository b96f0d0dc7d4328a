"""What ffmpeg is given, and what it prints."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from htdl.media.process import LINE_CHARACTERS, _Lines
from htdl.media.progress import Course
from htdl.media.source import Source

LINES = st.builds(
    "{}={}".format,
    st.sampled_from(["out_time_us", "total_size", "progress", "speed", "x"]),
    st.sampled_from(["N/A", "continue", "end", "-9", "1e9", "9" * 400, "9" * 480]) | st.integers().map(str),
) | st.text(max_size=30)


@given(st.none() | st.floats(0, 1e6), st.lists(st.tuples(LINES, st.floats(0, 1e9)), max_size=20))
def test_progress_is_always_within_its_bounds(duration: float, said: list[tuple[str, float]]) -> None:
    course = Course(duration, 0.0)
    for line, now in said:
        course.read(line, now)
        if found := course.read("progress=continue", now):
            assert found.seconds >= 0
            assert found.fraction is None or 0 <= found.fraction <= 1
            assert found.eta is None or (found.eta >= 0 and not math.isnan(found.eta))


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_a_line_is_bounded_and_harmless(chunks: list[bytes]) -> None:
    given: list[str] = []
    lines = _Lines(given.append)
    for chunk in chunks:
        lines.feed(chunk)
    lines.close()
    assert all(line.isprintable() and 0 < len(line) <= LINE_CHARACTERS for line in given)


@given(st.text(), st.booleans())
def test_a_name_is_never_an_option_or_another_protocol(target: str, is_url: bool) -> None:
    try:
        *_, mark, last = Source(target, is_url=is_url).arguments
    except ValueError:
        return
    assert mark == "-i"
    assert last.startswith("http://127.0.0.1:" if is_url else "file:/")
    assert is_url or Path(last.removeprefix("file:")).is_absolute()
