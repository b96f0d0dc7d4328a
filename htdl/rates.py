"""Speeds as people write them: "500K", "1.5M", "none".  Pure.

A letter counts in 1024s everywhere: 1 KB/s is 1024 bytes a second.
"""

from __future__ import annotations

import re

NONE = -1  # no limit

_SPEED = (
    r"(\d{1,12}(?:\.\d{1,12})?)\s*([KMG]?)(?:i?B)?(?:/s)?"  # not compiled here: most verbs never read one
)
_POWER = {"": 1, "K": 1, "M": 2, "G": 3}
_MOST = 2**31 - 1  # of a limit that can be kept


def parse(text: str) -> int:
    """Bytes a second; -1 for "none".  A bare number is KB/s, as in the configuration file.

    Raises ValueError with words for people.
    """
    cleaned = text.strip()
    if cleaned.lower() in {"none", "unlimited", "-1"}:
        return NONE
    match = re.fullmatch(_SPEED, cleaned, re.IGNORECASE | re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a speed; write it as 500K or 2M (bytes a second), or none")
    number, letter = match.groups()
    limit = int(float(number) * 1024 ** _POWER[letter.upper()])
    if limit <= 0:
        raise ValueError("a limit of 0 would stop it; write none for no limit, or pause the download")
    if limit > _MOST:
        raise ValueError(f"{text!r} is more than any limit can be; write none for no limit")
    return limit
