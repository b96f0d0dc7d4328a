"""The table of jobs as rich text: a pure function of the jobs and the width.

Drawn by hand, not by rich.table: a job's "why" runs below its row over the whole width, where a table would
squeeze it into one column.
"""

from __future__ import annotations

import io
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from htdl.cli import conversion, details, units, words
from htdl.cli.bars import FAINT, bar
from htdl.cli.words import JobObject

STYLES = {
    "downloading": "cyan",
    "converting": "magenta",
    "completed": "green",
    "seeding": "green",
    "failed": "red",
    "paused": "yellow",
    "pausing": "yellow",
    "cancelling": "yellow",
}
MIN_NAME = 12
STATE_WIDTH = 11
READY = "▶"


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells; `from_width` is the narrowest terminal that shows it."""

    title: str
    width: int
    cell: Callable[[JobObject], Text]
    right: bool = False
    from_width: int = 0


def job_table(
    jobs: Sequence[JobObject],
    width: int,
    *,
    more: int = 0,
    hint: str = "htdl status --all",
    most_lines: int | None = None,
) -> Text:
    """The jobs below a heading, what is left out, and the totals; every line fits `width` cells.

    `more` is how many jobs exist beyond these, `hint` the command that lists them.  With `most_lines`, later
    jobs are left out so that it fits.
    """
    columns = _columns(jobs, width)
    body: list[Text] = []
    shown = 0
    for job in jobs:
        lines = _job_lines(job, columns, width)
        if most_lines is not None:
            room = max(1, most_lines - 3)
            lines = lines if body else lines[:room]  # one is always shown
            if len(body) + len(lines) > room:
                break
        body += lines
        shown += 1
    left_out = more + len(jobs) - shown
    tail = [Text(words.left_out(shown, left_out, hint), style=FAINT)] if left_out else []
    foot = Text(footer(jobs, width), style="bold")
    lines = [_heading(columns), *body, *tail, foot]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def footer(jobs: Sequence[JobObject], width: int) -> str:
    """The totals and what the mark means: as much of it, in whole words, as `width` cells hold.

    "2 downloading, 1 queued · 2.1 MiB/s down · 1.2 GiB to come · ▶ can be watched now"
    """
    states, down, up, to_come = totals(jobs)
    alive = (
        totals([x for x in jobs if not words.has_ended(x)])[0] if down else states
    )  # speed is rather missed
    is_marked = any(map(words.is_ready, jobs))
    legend, short = (f"{READY} can be watched now", f"{READY} ready") if is_marked else ("", "")
    for parts in (
        (states, down, up, to_come, legend),
        (states, down, up, to_come, short),
        (states, down, to_come, short),
        (states, down, short),
        (alive, down, to_come, short),
        (alive, down, short),
        (states, short),
        (states,),
    ):
        line = " · ".join(filter(None, parts))
        if cell_len(line) <= width:
            return line
    return textwrap.shorten(states, width, placeholder=" …")


def totals(jobs: Sequence[JobObject]) -> tuple[str, str, str, str]:
    """How many in each state, the speeds down and up, and how much is to come; "" for none."""
    states = Counter(words.state(job) for job in jobs)
    down, up = (sum(job[key] for job in jobs) for key in ("download_speed", "upload_speed"))
    to_come = sum(max(0, x["total_bytes"] - x["done_bytes"]) for x in jobs if not words.has_ended(x))
    return (
        ", ".join(f"{count} {state}" for state, count in states.items()),
        f"{units.speed(down)} down" if down else "",
        f"{units.speed(up)} up" if up else "",
        f"{units.size(to_come)} to come" if to_come else "",
    )


def job_details(job: JobObject, width: int) -> list[Text]:
    """`details` with a bar, and the files with a bar each.  Lines that hold a path or a URL are `no_wrap`:
    cut in two they could not be copied.
    """
    rows = details.details(job)
    label_width = max(len(label) for label, _ in rows) + 2
    lines = [line for label, value in rows for line in _detail(label, value, label_width, width)]
    style = STYLES.get(words.state(job), "")
    lines.insert(0, bar(words.share(job), min(width, 60), style))
    made = {x["file_index"]: x for x in conversion.known(job)}
    for file in details.in_order(job):
        lines.append(_file_line(file, style))
        lines += _made_lines(made.get(file["index"]), width)
    return lines


def fit(text: Text, width: int, *, right: bool = False) -> Text:
    """Exactly `width` cells: padded, or cut with an ellipsis, however wide its characters are."""
    padding = " " * (width - cell_len(text.plain))
    if padding:
        return Text.assemble(padding, text) if right else Text.assemble(text, padding)
    cut = text.copy()
    cut.truncate(width, overflow="ellipsis")
    return cut


def _columns(jobs: Sequence[JobObject], width: int) -> list[Column]:
    bar_width = 8 if width < 100 else 12 if width < 140 else 24
    uploads = any(job["upload_speed"] > 0 for job in jobs)
    fixed = [
        Column("STATE", STATE_WIDTH, _state, from_width=40),
        Column("", bar_width, lambda job: _bar(job, bar_width), from_width=72),
        Column("DONE", 4, lambda job: Text(words.percent(job)), right=True),
        Column("", 1, lambda job: Text(READY if words.is_ready(job) else "", style="green")),
        Column(
            "DOWN", 7, lambda job: Text(units.short_speed(job["download_speed"])), right=True, from_width=50
        ),
        Column("UP", 7, lambda job: Text(units.short_speed(job["upload_speed"])), right=True, from_width=100),
        Column("ETA", 6, _eta, right=True, from_width=60),
        Column("SIZE", 5, _size, right=True, from_width=72),
        Column("PEERS", 5, _peers, right=True, from_width=80),
    ]
    fixed = [x for x in fixed if x.from_width <= width and (x.title != "UP" or uploads)]
    name_width = width - words.SHORT_ID - 1 - sum(x.width + 1 for x in fixed)
    return [
        Column("ID", words.SHORT_ID, lambda job: Text(words.short_id(job), style="bold")),
        Column("NAME", max(MIN_NAME, name_width), lambda job: Text(words.name(job))),
        *fixed,
    ]


def _heading(columns: Sequence[Column]) -> Text:
    return Text(" ").join(fit(Text(x.title, style=FAINT), x.width, right=x.right) for x in columns)


def _job_lines(job: JobObject, columns: Sequence[Column], width: int) -> list[Text]:
    row = Text(" ").join(fit(x.cell(job), x.width, right=x.right) for x in columns)
    style = "red" if job["status"] == "FAILED" else FAINT
    below = [Text(x, style=style) for x in [words.why(job) or words.waits_for(job)] if x]
    below += [Text(x, style=STYLES["converting"]) for x in [words.made(job)] if x]
    indent = " " * (words.SHORT_ID + 1) + "└ "
    together = Text(" · ").join(below)
    parts = below if cell_len(indent + together.plain) > width else [together] if below else []
    return [row, *(fit(Text.assemble((indent, FAINT), x), width) for x in parts)]


def _detail(label: str, value: str, label_width: int, width: int) -> list[Text]:
    margin = (label.ljust(label_width), FAINT)
    if label in details.UNBROKEN or " " not in value:
        return [_unbroken(Text.assemble(margin, value))]
    first, *more = _wrapped(value, width - label_width)
    return [Text.assemble(margin, first), *(Text(" " * label_width + x) for x in more)]


def _wrapped(said: str, width: int) -> list[str]:
    """Lines of at most so many cells, or of 20, broken between words."""
    paper = Console(file=io.StringIO())  # rich asks for one, and draws nothing on it
    return [line.plain.rstrip() for line in Text(said).wrap(paper, max(20, width))]


def _unbroken(text: Text) -> Text:
    text.no_wrap = True
    return text


def _file_line(file: JobObject, style: str) -> Text:
    wanted = file["wanted"]
    progress = bar(file["progress"], 8, style) if wanted else Text("left out", style=FAINT)
    head = Text.assemble(
        f"{file['index']:>4} ", progress, f" {int(file['progress']):>3}%" if wanted else " " * 5, " "
    ).append(f"{units.short_size(file['size']):>6}  ")
    return _unbroken(head.append(words.printable(file["path"])))


def _made_lines(one: conversion.Conversion | None, width: int) -> list[Text]:
    """What becomes of the file above: how far it is and why, and where the result is."""
    if one is None:
        return []
    margin, mark = " " * 7, " " * 5 + "└ "
    style = {"RUNNING": STYLES["converting"], "FAILED": STYLES["failed"]}.get(one["status"], "")
    said = _wrapped(conversion.sentence(one), width - len(margin))
    lines = [Text.assemble((mark if n == 0 else margin, FAINT), (x, style)) for n, x in enumerate(said)]
    if path := conversion.output(one):
        lines.append(_unbroken(Text.assemble((mark, FAINT), (path, STYLES["completed"]))))
    return lines


def _state(job: JobObject) -> Text:
    word, place = words.state(job), job.get("queue_position")
    fits = place and len(f"{word} #{place}") <= STATE_WIDTH  # a number that is cut would be another one
    return Text(f"{word} #{place}" if fits else word, style=STYLES.get(word, ""))


def _bar(job: JobObject, width: int) -> Text:
    return bar(words.share(job), width, STYLES.get(words.state(job), FAINT))


def _eta(job: JobObject) -> Text:
    seconds = words.eta_seconds(job)
    return Text(units.duration(seconds) if seconds >= 0 else "")


def _size(job: JobObject) -> Text:
    return Text(units.short_size(job["total_bytes"]) if job["total_bytes"] else "")


def _peers(job: JobObject) -> Text:
    return Text(str(job["peers"]) if job["peers"] else "")
