"""What a request for a file asks: ranges and conditions (RFC 9110).  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum

MOST_RANGES = 16  # of one request; RFC 9110 section 14.2 lets us ignore what asks for more
MOST_CHARACTERS = 4000  # of one field; below the digits that int() takes (4300)

_SPEC = re.compile(r"(?:(?P<first>\d+)-(?P<last>\d*)|-(?P<suffix>\d+))\Z", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')  # section 8.8.3; it may hold a comma
_DATES = (  # section 5.6.7: a recipient accepts all three
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
)


class Outcome(Enum):
    """What the conditions of a request leave to do."""

    PROCEED = "proceed"
    WHOLE = "whole"  # proceed, but as if there were no Range
    NOT_MODIFIED = "not modified"  # 304
    FAILED = "failed"  # 412


def parse(header: str | None, size: int) -> list[range] | None:
    """The bytes that a Range field asks for, of a file of `size` bytes (RFC 9110 sections 14.1.2, 14.2).

    None: the whole file, for there is no field, or one to ignore: another unit, invalid syntax, too many
    ranges; and an empty file has no range to name.  An empty list: no range can be satisfied, 416.
    Else each byte once, in the order asked; what overlaps or touches is one range (section 15.3.7.2).
    """
    if header is None or len(header) > MOST_CHARACTERS or size == 0:
        return None
    unit, _, listed = header.partition("=")
    specs = [spec for text in listed.split(",") if (spec := text.strip(" \t"))]  # section 5.6.1
    if unit.strip(" \t").lower() != "bytes" or not 0 < len(specs) <= MOST_RANGES:
        return None
    found: list[range] = []
    for spec in specs:
        one = _range(spec, size)
        if one is None:
            return None
        found = _joined(found, one) if one else found
    return found


def _range(spec: str, size: int) -> range | None:
    """The bytes of one range; empty when it cannot be satisfied, None when it is invalid (section 14.1.1)."""
    match = _SPEC.match(spec)
    if match is None:
        return None
    if match["suffix"] is not None:
        return range(max(0, size - int(match["suffix"])), size)
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else max(first, size - 1)
    return range(first, min(last + 1, size)) if first <= last else None


def _joined(ranges: Sequence[range], new: range) -> list[range]:
    """`ranges`, none of which touch, with one more; joined, it stands where the first it touches stood."""
    touched = [old for old in ranges if old.start <= new.stop and new.start <= old.stop]
    if not touched:
        return [*ranges, new]
    both = range(
        min(new.start, *(old.start for old in touched)), max(new.stop, *(old.stop for old in touched))
    )
    return [both if old is touched[0] else old for old in ranges if old is touched[0] or old not in touched]


def content_range(part: range | None, size: int) -> str:
    """The Content-Range field (section 14.4) of a part; None: of a 416."""
    return f"bytes {part.start}-{part.stop - 1}/{size}" if part is not None else f"bytes */{size}"


def evaluate(method: str, headers: Mapping[str, str], etag: str, modified: float | None) -> Outcome:
    """Weigh the conditions of a request, in the order of RFC 9110 section 13.2.2.

    `headers` has one value a name (lines of the same name joined by commas).  `etag` is strong, with its
    quotes.  `modified` is in seconds since the epoch, None where no Last-Modified is sent.
    """
    if _has_failed(headers, etag, modified):
        return Outcome.FAILED
    reads = method in {"GET", "HEAD"}
    if _is_known(headers, etag, modified if reads else None):
        return Outcome.NOT_MODIFIED if reads else Outcome.FAILED
    # Ranges are defined for GET alone (section 14.2).
    wants_part = method == "GET" and _if_range(headers.get("If-Range"), etag, modified)
    return Outcome.PROCEED if wants_part else Outcome.WHOLE


def _has_failed(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    """If-Match (section 13.1.1, strong comparison); without it If-Unmodified-Since (13.1.4)."""
    if (match := headers.get("If-Match")) is not None:
        return match.strip() != "*" and etag not in _ETAG.findall(match)
    until = http_date(headers.get("If-Unmodified-Since"))
    return until is not None and modified is not None and int(modified) > until


def _is_known(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    """If-None-Match (section 13.1.2, weak comparison); without it If-Modified-Since (13.1.3)."""
    if (match := headers.get("If-None-Match")) is not None:
        return match.strip() == "*" or etag in [x.removeprefix("W/") for x in _ETAG.findall(match)]
    since = http_date(headers.get("If-Modified-Since"))
    return since is not None and modified is not None and int(modified) <= since


def _if_range(value: str | None, etag: str, modified: float | None) -> bool:
    """If-Range (section 13.1.5): whether Range counts, for it names the etag or the very date, or is absent.

    A date is a strong validator here (section 8.8.2.2): a file that is whole does not change any more.
    """
    if value is None or value.strip() == etag:
        return True
    return modified is not None and http_date(value) == int(modified)


def http_date(value: str | None) -> int | None:
    """A date in seconds since the epoch (section 5.6.7); None for none, or what is no date."""
    for form in _DATES:
        try:
            # strptime reads English names, for nothing here calls setlocale.
            return int(datetime.strptime(value or "", form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    return None
