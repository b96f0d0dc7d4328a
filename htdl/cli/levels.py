"""Priorities in words."""

from __future__ import annotations

import re

LEVELS = {"high": 10, "normal": 0, "low": -10}
MOST = 1000  # either way, as the daemon has it


def parse(text: str) -> int:
    """Of "high", "normal", "low" or a number; higher goes first.  Raises ValueError with words for people."""
    cleaned = text.strip().lower()
    if cleaned in LEVELS:
        return LEVELS[cleaned]
    if not re.fullmatch(r"[+-]?[0-9]{1,4}", cleaned) or abs(int(cleaned)) > MOST:
        raise ValueError(
            f"{text!r} is no priority; use high, normal, low, or a number from -{MOST} to {MOST}"
        )
    return int(cleaned)


def word(priority: int) -> str:
    """ "high (10)" """
    name = next((name for name, value in LEVELS.items() if value == priority), "")
    return f"{name} ({priority})" if name else str(priority)
