"""What is said when: the text formats of subtitles, each read line by line.  Pure.

A file is read as what it looks like, whatever its name says: WebVTT, SubStation Alpha (ASS, SSA), MicroDVD,
MPL2, and SubRip or SubViewer.  Most come without a specification and from many hands, so a line that makes no
sense is left out and the next one read.  Nothing here fails, and each line is looked at once.

WebVTT: https://www.w3.org/TR/webvtt1/.  ASS: http://www.tcax.org/docs/ass-specs.htm.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, takewhile

MAX_CHARACTERS = 4000  # of one cue; more fits on no screen
MAX_MS = 100 * 3600 * 1000
FRAME_RATE = 24000 / 1001  # of a MicroDVD file that does not say, nor its video: a film's

_HEAD = 64 << 10  # characters in which a file shows what it is


@dataclass(frozen=True, slots=True)
class Cue:
    """`begin` and `end` in milliseconds.  `text` may hold tags as strangers wrote them; `settings` are
    WebVTT's ("line:0").
    """

    begin: int
    end: int
    text: str
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """`lost` says in words what of the file does not come with its cues."""

    cues: Iterator[Cue]
    lost: str = ""


def read(text: str, frame_rate: float | None = None, go_on: Callable[[], bool] = lambda: True) -> Read:
    """The cues of a file, in its order, up to the line at which `go_on` says no.

    `frame_rate`: of the video, for files that count its frames.
    """
    text = text.removeprefix("\ufeff")
    head = text[:_HEAD]
    read_lines = takewhile(lambda _: go_on(), io.StringIO(text, newline=None))
    lines = (line.rstrip("\n") for line in read_lines)
    if head.startswith("WEBVTT"):
        return Read(_sane(_timed(lines, is_web=True)))
    if _SUBSTATION.search(head):
        return Read(_sane(_substation(lines)), lost="styles are lost")
    if match := _FRAMES.search(head):
        guess = "" if frame_rate or _said_rate(match) else "its frame rate is a guess"
        return Read(_sane(_microdvd(lines, frame_rate or FRAME_RATE)), lost=guess)
    if _TENTHS.search(head):
        return Read(_sane(_mpl2(lines)))
    return Read(_sane(_timed(lines, is_web=False)))


def _sane(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Those that have a length."""
    return (cue for cue in cues if 0 <= cue.begin < cue.end <= MAX_MS)


# SubRip, SubViewer and WebVTT

_CLOCK = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMING = re.compile(rf"[ \t]*{_CLOCK}(?:[ \t]*--?>[ \t]*|,){_CLOCK}(?!\d)(.*)")
_SETTING = re.compile(r"(?:vertical|line|position|size|align):[A-Za-z0-9.,%-]{1,40}")
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_AT_TOP = re.compile(r"\\an?[789](?!\d)")


def _timed(lines: Iterator[str], *, is_web: bool) -> Iterator[Cue]:
    """A line with two times, and what follows: to the next such line, for SubRip has been seen with empty
    lines inside a cue, and with one after each line; in WebVTT, to the first empty one.
    """
    timing: re.Match[str] | None = None
    said: list[str] = []
    room = MAX_CHARACTERS
    for line in chain(lines, [None]):
        found = _TIMING.fullmatch(line) if line is not None and ":" in line[:20] else None
        if found or line is None or (is_web and not line):
            if timing:
                yield _cue(timing, said if is_web or line is None else _without_number(said))
            timing, said, room = found, [], MAX_CHARACTERS
        elif timing and room > 0:
            said.append(line[:room])
            room -= len(line) + 1


def _without_number(said: list[str]) -> list[str]:
    """Of the next cue: it stands before its times, and was taken for words."""
    last = next((i for i in reversed(range(len(said))) if said[i].strip()), None)
    return said[:last] if last is not None and said[last].strip().isdecimal() else said


def _cue(timing: re.Match[str], said: list[str]) -> Cue:
    times = timing.groups()
    text = "\n".join(said)
    settings = [x for x in times[8][:200].split() if _SETTING.fullmatch(x)]
    if not settings and _is_at_top(text):
        settings = ["line:0"]
    plain = _OVERRIDE.sub(lambda x: "" if x[0].startswith("{\\") else x[0], text).replace("[br]", "\n")
    return Cue(_ms(*times[:4]), _ms(*times[4:8]), plain, " ".join(settings))


def _is_at_top(text: str) -> bool:
    return any(_AT_TOP.search(x[0]) for x in _OVERRIDE.finditer(text[:200]))


def _ms(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    return (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(f"{fraction:0<3}"[:3])


# SubStation Alpha

_SUBSTATION = re.compile(r"^\[(?:Script Info|V4\+? Styles|Events)\]", re.MULTILINE | re.IGNORECASE)
_FIELDS = "layer,start,end,style,name,marginl,marginr,marginv,effect,text"
_TIME = re.compile(r"\s*(\d{1,3}):(\d{1,2}):(\d{1,2})[.:,](\d{1,3})\s*")
_SWITCH = re.compile(r"\\([ibupr])(\d{0,3})(?![A-Za-z0-9(])")
_BREAKS = re.compile(r"\\[Nnh]")


def _substation(lines: Iterator[str]) -> Iterator[Cue]:
    fields = _FIELDS.split(",")
    for line in lines:
        name, colon, rest = line.partition(":")
        if name == "Format" and "text" in (named := [x.strip().lower() for x in rest[:1000].split(",")]):
            fields = named
        elif colon and name == "Dialogue":
            values = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
            begin, end = (_TIME.fullmatch(values.get(x, "")) for x in ("start", "end"))
            if begin and end:
                text = values.get("text", "")[:MAX_CHARACTERS]
                top = "line:0" if _is_at_top(text) else ""
                yield Cue(_ms(*begin.groups()), _ms(*end.groups()), _spoken(text), top)


def _spoken(text: str) -> str:
    """The words, with b, i and u as tags; without drawings, which are written as text too."""
    done: list[str] = []
    now: dict[str, bool] = {}
    for number, part in enumerate(re.split(r"(\{[^{}]*\})", text)):
        if number % 2 == 0:
            words = "" if now.get("p") else _BREAKS.sub(lambda x: "\u00a0" if x[0] == r"\h" else "\n", part)
            tags = [x for x in "biu" if now.get(x)] if words.strip() else []
            done += [*(f"<{x}>" for x in tags), words, *(f"</{x}>" for x in reversed(tags))]
            continue
        for switch, value in _SWITCH.findall(part):
            now = {"p": now.get("p", False)} if switch == "r" else now | {switch: value not in {"", "0"}}
    return "".join(done)


# Formats that count frames, or tenths of a second

_FRAMES = re.compile(r"\A\s*\{(\d{1,8})\}\{(\d{1,8})\}([^\n]*)")
_TENTHS = re.compile(r"\A\s*\[\d{1,8}\]\[\d{1,8}\]")
_FRAME_LINE = re.compile(r"\s*\{(\d{1,8})\}\{(\d{1,8})\}(.*)")
_TENTHS_LINE = re.compile(r"\s*\[(\d{1,8})\]\[(\d{1,8})\](.*)")
_RATE = re.compile(r"\d{1,3}(?:[.,]\d{1,6})?")


def _microdvd(lines: Iterator[str], rate: float) -> Iterator[Cue]:
    """`{begin}{end}words|next line`; a first cue of frame 0 or 1 may tell the rate."""
    for match in filter(None, map(_FRAME_LINE.fullmatch, _short(lines))):
        if said := _said_rate(match):
            rate = said
            continue
        begin, end = (round(int(x) * 1000 / rate) for x in match.groups()[:2])
        yield Cue(begin, end, _OVERRIDE.sub("", match[3])[:MAX_CHARACTERS].replace("|", "\n"))


def _said_rate(match: re.Match[str]) -> float | None:
    words = match[3].strip()
    if int(match[1]) > 1 or int(match[2]) > 1 or not _RATE.fullmatch(words):
        return None
    rate = float(words.replace(",", "."))
    return rate if 1 <= rate <= 1000 else None


def _mpl2(lines: Iterator[str]) -> Iterator[Cue]:
    """`[begin][end]words|/next line in italics`."""
    for match in filter(None, map(_TENTHS_LINE.fullmatch, _short(lines))):
        parts = match[3][:MAX_CHARACTERS].split("|")
        text = "\n".join(f"<i>{x[1:]}</i>" if x.startswith("/") else x for x in parts)
        yield Cue(int(match[1]) * 100, int(match[2]) * 100, text)


def _short(lines: Iterator[str]) -> Iterator[str]:
    """Such a line is short: a match need not see a megabyte."""
    return (line[: 2 * MAX_CHARACTERS] for line in lines)
