"""SubRip as WebVTT, which is what a browser reads.  Pure.

WebVTT: https://www.w3.org/TR/webvtt1/.  SubRip has no specification; what differs is the header, the comma in
a time, and hours of one digit.  Markup that both have (b, i, u) stays; a browser drops other tags.
"""

from __future__ import annotations

import re

_HEADER = "WEBVTT\n\n"
_TIME = r"(\d{1,3}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMING = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}.*$", re.MULTILINE)
_OVERRIDE = re.compile(r"\{\\[^{}\n]*\}")  # {\an8}: a style of SubStation Alpha, which a browser would show


def from_sidecar(data: bytes) -> bytes:
    """A .srt or .vtt file in any usual encoding as WebVTT in UTF-8."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if text.startswith("WEBVTT"):
        return text.encode()
    return (_HEADER + _OVERRIDE.sub("", _TIMING.sub(_timing, text)).strip() + "\n").encode()


def decode(data: bytes) -> str:
    """By the byte order mark, else UTF-8 if it is that, else Windows-1252; never fails."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _timing(line: re.Match[str]) -> str:
    numbers = line.groups()
    return f"{_time(*numbers[:4])} --> {_time(*numbers[4:])}"


def _time(hours: str, minutes: str, seconds: str, thousandths: str) -> str:
    return f"{hours:0>2}:{minutes:0>2}:{seconds:0>2}.{thousandths:0<3}"
