"""The verdict on a video that is still arriving, in words; a pure function of `readiness` as JSON.

A field that is null is not known, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htdl.cli import units
from htdl.cli.words import outlook, printable

Verdict = Mapping[str, Any]
"""A readiness object: jobs.Readiness."""


def answer(verdict: Verdict) -> str:
    """Whether it can be watched, in the words of the list, and why."""
    said = outlook(verdict) if verdict["ready"] else "no"
    return f"{said}: {printable(verdict['reason'])}" if verdict["reason"] else said


def buffered(verdict: Verdict) -> str:
    """What is here from the beginning without a gap: "14.2 MiB, 1m32s"."""
    size, seconds = verdict.get("buffered_bytes"), verdict.get("buffered_seconds")
    parts = [units.size(size)] if size is not None else []
    return ", ".join(parts + ([units.duration(seconds)] if seconds is not None else []))


def plays_through(verdict: Verdict) -> str:
    """Whether it would play to its end without a stop, were it begun now."""
    when = verdict.get("plays_through")
    if isinstance(when, int):
        return f"in {units.duration(when)}"
    return printable(when or "")


def index(verdict: Verdict) -> str:
    """Whether the container's index, which a player asks for first, is here."""
    is_here = verdict.get("index_ok")
    return "" if is_here is None else "here" if is_here else "not here yet"


def nearness(verdict: Verdict, size: int) -> float:
    """Percent of the way to "ready", by whichever rule is nearer to it; 100 only when it is."""
    if verdict["ready"]:
        return 100.0
    needed = size * verdict["threshold"] / 100
    by_share = (verdict.get("buffered_bytes") or 0) / needed if needed else 0.0
    have, missing = verdict.get("buffered_seconds") or 0.0, verdict.get("plays_through")
    by_time = have / (have + missing) if isinstance(missing, int) and have + missing > 0 else 0.0
    return min(99.0, 100 * max(by_share, by_time))
