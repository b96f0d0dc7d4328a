"""Bytes, speeds and times for people, and back again.

A letter counts in 1024s everywhere, as in the configuration: 1K is 1024 bytes, 1 KB/s is 1024 bytes a second.
"""

from __future__ import annotations

import re

UNKNOWN = "-"

_LETTERS = "KMGTP"
_TIME = r"(\d+(?:\.\d+)?)\s*([smhd]?)"  # not compiled here: most verbs never read one
_MOMENT = (
    r"(?:(?:(?P<h>\d{1,4}):)?(?P<m>\d{1,6}):(?P<s>[0-5]?\d(?:\.\d+)?)"
    r"|(?=.)(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,8}(?:\.\d+)?)s?)?)"
)
_MOMENT_PARTS = (("h", "hours"), ("m", "minutes"), ("s", "seconds"))
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def size(count: int) -> str:
    """1536 is "1.5 KiB"."""
    number, letter = _scaled(count)
    return f"{number} {letter}iB" if letter else f"{number} B"


def speed(bytes_a_second: int) -> str:
    return f"{size(bytes_a_second)}/s"


def short_size(count: int) -> str:
    """1536 is "1.5K"; at most five characters up to a pebibyte."""
    return "".join(_scaled(count))


def short_speed(bytes_a_second: int) -> str:
    """At most seven characters; nothing moving is no text."""
    return f"{short_size(bytes_a_second)}/s" if bytes_a_second > 0 else ""


def duration(seconds: float) -> str:
    """At most six characters below 100 days: "42s", "4m12s", "1h05m", "2d03h"; negative is unknown."""
    whole = int(seconds)
    if seconds < 0:
        return UNKNOWN
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole // 60 % 60:02}m"
    return f"{whole // 86_400}d{whole // 3600 % 24:02}h"


def decimal(seconds: float) -> str:
    """For other programs: 3723.5 is "3723.5", to the millisecond and without an exponent."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def parse_duration(text: str) -> float:
    """Seconds, of "90", "90s", "5m", "1h" or "2d".  Raises ValueError with words for people."""
    match = re.fullmatch(_TIME, text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is not a time; write it as 90, 90s, 5m or 1h")
    number, letter = match.groups()
    return float(number) * _SECONDS[letter.lower()]


def parse_moment(text: str) -> float:
    """Seconds from the beginning, of "1:02:03", "2:03", "90", "90.5" or "1h2m3s".  Raises ValueError with
    words for people.
    """
    match = re.fullmatch(_MOMENT, text.strip(), re.IGNORECASE | re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a moment of a video; write it as 1:02:03, 90 or 1h2m")
    hours, minutes, seconds = (match[x] or match[y] or 0 for x, y in _MOMENT_PARTS)
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _scaled(count: int) -> tuple[str, str]:
    """The number with at most three digits before the point, and the letter of its power of 1024."""
    if count < 1024:
        return str(count), ""
    value, power = float(count), -1
    while value >= 1024 and power < len(_LETTERS) - 1:
        value /= 1024
        power += 1
    # cut, never rounded up: 1023.99K must not become 1024.0K, nor a disk look fuller than it is
    return (f"{int(value * 10) / 10:.1f}" if value < 100 else str(int(value))), _LETTERS[power]
