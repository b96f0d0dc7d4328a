"""How far ffmpeg is, by what it prints."""

from __future__ import annotations

import pytest

from htdl.media.progress import WINDOW_SECONDS, Course, Progress

# as ffmpeg 5.1 prints it; in 9.0 the same keys
BLOCK = """frame=240
fps=120.00
stream_0_0_q=28.0
bitrate=1677.7kbits/s
total_size=2097152
out_time_us={}
out_time_ms={}
out_time=00:00:10.000000
dup_frames=0
drop_frames=0
speed=2.5x
progress={}
"""


def read(course: Course, micro: object, now: float, state: str = "continue") -> Progress:
    steps = [course.read(line, now) for line in BLOCK.format(micro, micro, state).splitlines()]
    assert steps[:-1] == [None] * (len(steps) - 1)
    assert steps[-1] is not None
    return steps[-1]


def test_a_block() -> None:
    assert read(Course(40.0, 100.0), 10_000_000, 105.0) == Progress(
        seconds=10.0, speed=2.0, bytes=2_097_152, fraction=0.25, eta=15.0
    )


@pytest.mark.parametrize("value", ["N/A", "", "-9223372036854775808", "1e999"])
def test_before_there_is_a_time(value: str) -> None:
    step = read(Course(40.0, 0.0), value, 1.0)
    assert (step.seconds, step.fraction, step.eta) == (0.0, 0.0, None)


def test_without_a_duration_the_end_is_not_known() -> None:
    course = Course(None, 0.0)
    step = read(course, 10_000_000, 5.0)
    assert (step.seconds, step.speed, step.fraction, step.eta) == (10.0, 2.0, None, None)
    assert read(course, 10_000_000, 6.0, "end").fraction == 1.0


def test_the_end_is_the_end_though_a_little_is_lacking() -> None:
    step = read(Course(40.0, 0.0), 39_960_000, 10.0, "end")
    assert (step.fraction, step.eta) == (1.0, 0.0)


def test_more_than_was_promised_is_not_more_than_all() -> None:
    step = read(Course(10.0, 0.0), 15_000_000, 10.0)
    assert (step.fraction, step.eta) == (1.0, 0.0)


def test_time_stood_still_is_forgotten() -> None:
    """An hour without bytes, then twice the film's speed again."""
    course = Course(7200.0, 0.0)
    read(course, 60_000_000, 30.0)
    read(course, 60_000_000, 3600.0)
    step = read(course, (60 + 2 * int(WINDOW_SECONDS)) * 1_000_000, 3600.0 + WINDOW_SECONDS)
    assert step.speed == 2.0
    assert step.eta == (7200 - 120) / 2
