"""A conversion before it is made, for people: a pure function of the plan's JSON object.

Its text comes in part from a file that a stranger made (languages, titles, codecs), so all of it is escaped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from htdl.cli import plain, units
from htdl.cli.words import printable

if TYPE_CHECKING:
    from rich.text import Text

PlanObject = dict[str, Any]
"""`effort`, `reason`, `streams` (`index`, `kind`, `codec`, `becomes`, `is_copied`, `reason`, `language`,
`title`), `container`, `seconds`, `bytes`, `while_downloading`, `warnings`; `is_here` where the command line
knows that the source is whole.
"""

_EFFORTS = {
    "none": "nothing",
    "remux": "copy it into {}",
    "audio": "encode the sound, copy the picture into {}",
    "transcode": "encode the picture for {}",
}
_CONTAINERS = {"mp4": "MP4", "webm": "WebM"}
_FAINT = "dim default"  # bars.FAINT, without the price of importing it
_STYLES = {"copy": "green", "encode": "yellow", "leave out": _FAINT}
HEADING = ("STREAM", "NAME", "CODEC", "DO", "WHY")


def summary(plan: PlanObject) -> list[tuple[str, str]]:
    """Labels and values; what is not known has no line."""
    has_work = plan["effort"] != "none"
    size, seconds = plan["bytes"], plan["seconds"]
    rows = [
        ("to do", effort(plan)),
        ("why", printable(plan["reason"])),
        ("begins", _begins(plan) if has_work and not plan.get("is_here") else ""),
        ("takes", _takes(seconds) if has_work and seconds is not None else ""),
        ("result", f"about {units.size(size)}" if has_work and size is not None else ""),
    ]
    return [(label, value) for label, value in rows if value]


def effort(plan: PlanObject) -> str:
    """What is done, in one line: "copy it into MP4"."""
    words = _EFFORTS.get(plan["effort"], printable(plan["effort"]))
    container = str(plan["container"])
    if plan["effort"] == "audio" and not any(x["kind"] == "video" and x["becomes"] for x in plan["streams"]):
        words = "encode the sound for {}"
    return words.format(_CONTAINERS.get(container, printable(container)))


def streams(plan: PlanObject) -> list[tuple[str, str, str, str, str]]:
    """A row each: its number and kind, its language and title, its codec, what is done, and why."""
    return [
        (
            f"{stream['index']} {printable(stream['kind'])}",
            _called(stream),
            _codec(stream),
            _done(stream),
            printable(stream["reason"]),
        )
        for stream in plan["streams"]
    ]


def lines(plan: PlanObject) -> list[str]:
    """Plain text, in columns."""
    return [
        *plain.aligned(summary(plan)),
        "",
        *plain.aligned([HEADING, *([x or units.UNKNOWN for x in row] for row in streams(plan))]),
        *([""] if plan["warnings"] else []),
        *(f"warning: {printable(x)}" for x in plan["warnings"]),
    ]


def drawing(plan: PlanObject, width: int) -> Iterator[Text]:
    """Lines of at most `width` cells: the reason stands below its stream, where there is room for it."""
    from rich.text import Text

    for label, value in summary(plan):
        yield from _wrapped(f"{label:8}", value, "bold" if label == "to do" else "", width)
    yield Text()
    for number, called, codec, done, reason in streams(plan):
        head = Text(f"{number}  ", style="bold")
        head.append(f"{codec}  ")
        head.append(done, style=_STYLES[done])
        if called:
            head.append(f"  {called}", style=_FAINT)
        head.truncate(width, overflow="ellipsis")
        yield head
        yield from _wrapped("  ", reason, _FAINT, width)
    for warning in plan["warnings"]:
        yield from _wrapped("! ", printable(warning), "yellow", width)


def _wrapped(label: str, words: str, style: str, width: int) -> Iterator[Text]:
    """Broken between words, and below each other."""
    from rich.cells import cell_len
    from rich.text import Text

    room = max(10, width - len(label))
    for number, line in enumerate(textwrap.wrap(words, room) or [""]):
        text = Text(label if number == 0 else " " * len(label), style=_FAINT)
        text.append(line, style=style)
        if cell_len(text.plain) > width:
            text.truncate(width, overflow="ellipsis")
        yield text


def _begins(plan: PlanObject) -> str:
    return "while it downloads" if plan["while_downloading"] else "when the download is whole"


def _takes(seconds: float) -> str:
    return f"about {units.duration(seconds)} of computing" if seconds >= 1 else "no time to speak of"


def _called(stream: PlanObject) -> str:
    return ", ".join(printable(stream[x]) for x in ("language", "title") if stream.get(x))


def _codec(stream: PlanObject) -> str:
    codec, becomes = printable(stream["codec"] or "unknown"), stream["becomes"]
    return codec if stream["is_copied"] or not becomes else f"{codec} → {printable(becomes)}"


def _done(stream: PlanObject) -> str:
    if stream["is_copied"]:
        return "copy"
    return "encode" if stream["becomes"] else "leave out"
