"""Cues as WebVTT, which is what a browser reads.  Pure.

https://www.w3.org/TR/webvtt1/.  What goes in was written by strangers; what comes out holds their words, and
of their markup bold, italics, underline and ruby alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from htdl.media.cues import Cue

MAX_CUES = 100_000  # a film has 2,000; one whose signs move from frame to frame 50,000
MAX_BYTES = 20 << 20

_TAG = re.compile(r"<(/?)\s*+([A-Za-z][A-Za-z0-9]*+)[^<>]*+>|<\d[\d:.]*+>|</>")
_KEPT = frozenset({"b", "i", "u", "ruby", "rt"})
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm|#\d{1,7}|#x[0-9A-Fa-f]{1,6});)")
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # tab and newline are none


def render(cues: Iterable[Cue]) -> tuple[bytes, int]:
    """The file, and how many cues it has: in the order of time, each once.  Within MAX_CUES and MAX_BYTES."""
    blocks = [b"WEBVTT\n"]
    size = len(blocks[0])
    for cue in sorted(dict.fromkeys(islice(cues, MAX_CUES)), key=lambda x: (x.begin, x.end)):
        block = _block(cue)
        size += len(block)
        if size > MAX_BYTES:
            break
        if block:
            blocks.append(block)
    return b"".join(blocks), len(blocks) - 1


def _block(cue: Cue) -> bytes:
    """Nothing where no words are."""
    text = clean(cue.text)
    timing = f"{clock(cue.begin)} --> {clock(cue.end)} {cue.settings}".rstrip()
    return f"\n{timing}\n{text}\n".encode() if _TAG.sub("", text).strip() else b""


def clean(text: str) -> str:
    """No tag but the kept, no arrow, no empty line, which would end the cue, and no control character."""
    parts: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        name = (tag[2] or "").lower()
        parts += [_escaped(text[end : tag.start()]), f"<{tag[1]}{name}>" if name in _KEPT else ""]
        end = tag.end()
    lines = "".join([*parts, _escaped(text[end:])]).split("\n")
    return "\n".join(x for line in lines if (x := line.strip()))


def clock(ms: int) -> str:
    """ "01:02:03.456"."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _escaped(text: str) -> str:
    plain = _ENTITY.sub("&amp;", _CONTROL.sub("", text))
    return plain.replace("<", "&lt;").replace(">", "&gt;")
