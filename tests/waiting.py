"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = 30.0, what: str | Callable[[], object] = "") -> T:
    """The first true answer of `condition`, asked every 20 ms; fails after `timeout` seconds.

    `what` tells of the failure; a function is asked for it then, and so may tell of what was seen last.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            told = what() if callable(what) else what
            raise AssertionError(f"not so within {timeout} s: {told or condition}; last answer {answer!r}")
        time.sleep(0.02)
