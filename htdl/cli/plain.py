"""Lines for pipes and files: aligned columns, no colour, nothing but text.  The name comes last."""

from __future__ import annotations

from collections.abc import Sequence

from htdl.cli import units, words
from htdl.cli.words import JobObject

HEADING = ("ID", "STATE", "DONE", "DOWN", "UP", "ETA", "SIZE", "PEERS", "NAME")


def job_table(jobs: Sequence[JobObject]) -> list[str]:
    """A heading and one line a job; an empty cell is "-", so that a column keeps its number."""
    return aligned([HEADING, *(_row(job) for job in jobs)])


def job_line(job: JobObject) -> str:
    """One line of `watch`."""
    return "  ".join(_row(job))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Every column but the last padded to its widest cell."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _row(job: JobObject) -> tuple[str, ...]:
    reason = words.note(job)
    cells = (
        words.short_id(job),
        words.state(job),
        words.percent(job),
        units.short_speed(job["download_speed"]),
        units.short_speed(job["upload_speed"]),
        units.duration(words.eta_seconds(job)),
        units.short_size(job["total_bytes"]) if job["total_bytes"] else "",
        str(job["peers"]),
    )
    return (*(x or units.UNKNOWN for x in cells), words.name(job) + (f"  ({reason})" if reason else ""))
