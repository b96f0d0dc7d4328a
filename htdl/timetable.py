"""Speed limits by day and hour, a rule a line: "mon-fri 08:00-18:00 down=500 up=50".  Pure.

Times are those of the clock on the wall.  So they keep their meaning when summer time begins or ends: an hour
that comes twice counts twice, one that is left out never comes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from htdl import rates

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_RULES = 50
MINUTES = 24 * 60

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)
_EXAMPLE = "write it as: mon-fri 08:00-18:00 down=500 up=50"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line.  `days` are 0 for Monday to 6; `start` and `end` are minutes of the day, and where `end` is
    not the later one, what began on one of the days goes on past midnight.  Speeds are bytes a second, -1 for
    no limit, and None where the rule says nothing of them.
    """

    text: str
    days: frozenset[int]
    start: int
    end: int
    download: int | None
    upload: int | None

    def holds(self, at: datetime) -> bool:
        """Whether it holds at this local time."""
        minute, today = at.hour * 60 + at.minute, at.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        began_today = today in self.days and minute >= self.start
        return began_today or ((today - 1) % 7 in self.days and minute < self.end)


def check(rules: Sequence[str]) -> None:
    """Raises ValueError, which names all that cannot be read."""
    if len(rules) > MAX_RULES:
        raise ValueError(f"{len(rules)} rules are too many; {MAX_RULES} are enough for a week")
    faults = []
    for text in rules:
        try:
            parse(text)
        except ValueError as exc:
            faults.append(str(exc))
    if faults:
        raise ValueError("; and ".join(faults))


@lru_cache(maxsize=2 * MAX_RULES)  # they are asked for every second
def parse(text: str) -> Rule:
    """The rule of one line: days, hours, `down=` and `up=`, in any order; every day, or all day, where one of
    the first two is not there.  Raises ValueError with words for people.
    """
    days: frozenset[int] | None = None
    hours: tuple[int, int] | None = None
    speeds: dict[str, int] = {}
    for word in re.sub(r"\s*,\s*", ",", text.lower()).split():
        name, is_speed, value = word.partition("=")
        if is_speed:
            if name not in {"down", "up"} or name in speeds:
                raise ValueError(f"{word!r} in {text!r}: only down= and up=, once each; {_EXAMPLE}")
            speeds[name] = rates.parse(value)
        elif word[0].isdigit() and hours is None:
            hours = _hours(word, text)
        elif word[0].isalpha() and days is None:
            days = _days(word, text)
        else:
            raise ValueError(f"{word!r} in {text!r} is not understood; {_EXAMPLE}")
    if not speeds:
        raise ValueError(f"{text!r} names no speed; {_EXAMPLE}")
    if days is None and hours is None:
        raise ValueError(f"{text!r} names neither days nor hours; {_EXAMPLE}")
    start, end = hours or (0, MINUTES)
    return Rule(text, days or frozenset(range(7)), start, end, speeds.get("down"), speeds.get("up"))


def _hours(word: str, text: str) -> tuple[int, int]:
    """Of "08:00-18:00"; the end may be 24:00."""
    match = _HOURS.fullmatch(word)
    numbers = [int(x) for x in match.groups()] if match else []
    if not numbers or numbers[1] > 59 or numbers[3] > 59:
        raise ValueError(f"{word!r} in {text!r} are no hours; write them as 08:00-18:00")
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if start >= MINUTES or end > MINUTES:
        raise ValueError(f"{word!r} in {text!r}: a day has 24 hours")
    return start, end


def _days(word: str, text: str) -> frozenset[int]:
    """Of "mon-fri", "sat,sun", "daily"; a range may go past Sunday."""
    if word == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in word.split(","):
        first, is_range, last = part.partition("-")
        begin = _day(first, text)
        length = (_day(last, text) - begin) % 7 if is_range else 0
        found |= {(begin + n) % 7 for n in range(length + 1)}
    return frozenset(found)


def _day(word: str, text: str) -> int:
    for number, name in enumerate(DAY_NAMES):
        if len(word) >= 3 and name.startswith(word):
            return number
    raise ValueError(f"{word!r} in {text!r} is no day; write mon, tue, wed, thu, fri, sat, sun or daily")
