from __future__ import annotations

import pytest

from htdl.stream.readiness import verdict


@pytest.mark.parametrize(
    ("size", "progress", "threshold", "ready"),
    [
        (0, 0.0, 10.0, False),
        (0, 100.0, 0.0, False),
        (1000, 0.0, 10.0, False),
        (1000, 9.99, 10.0, False),
        (1000, 10.0, 10.0, True),
        (1000, 99.0, 100.0, False),
        (1000, 100.0, 100.0, True),
        (1000, 0.0, 0.0, True),
    ],
)
def test_ready_once_the_threshold_is_reached(
    size: int, progress: float, threshold: float, ready: bool
) -> None:
    assert verdict(size, progress, threshold).ready is ready


@pytest.mark.parametrize(
    ("size", "progress", "words"),
    [
        (0, 0.0, "its files are not known yet"),
        (1000, 2.5, "2.5 % of the file is here, 10 % is needed"),
        (1000, 12.0, "12.0 % of the file is here, 10 % is enough"),
        (1000, 100.0, "the whole file is here"),
    ],
)
def test_the_reason_is_in_words(size: int, progress: float, words: str) -> None:
    assert verdict(size, progress, 10.0).reason == words


def test_what_is_not_known_is_not_said() -> None:
    unknown = verdict(0, 0.0, 10.0)
    assert (unknown.buffered_bytes, unknown.buffered_seconds, unknown.index_ok) == (None, None, None)
    known = verdict(2000, 50.0, 12.5)
    assert (known.buffered_bytes, known.threshold) == (1000, 12.5)
