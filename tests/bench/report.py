"""What a measurement says: rows of numbers, medians, and the target each is held against."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number, in `unit`.  `target` is the most it may be, None where it only informs."""

    name: str
    value: float | None  # None: it could not be measured
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        if self.target is None or self.value is None:
            return None
        return self.value <= self.target


@dataclass(frozen=True, kw_only=True)
class Report:
    """A table; `raw` keeps every single run behind it."""

    title: str
    rows: Sequence[Row]
    raw: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        cells = [("", "value", "unit", "target", "", "")] + [_cells(row) for row in self.rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        lines = [self.title]
        for name, value, *rest in cells:
            right = [f"{name:<{widths[0]}}", f"{value:>{widths[1]}}"]
            lines.append(
                "  "
                + "  ".join(right + [f"{x:<{w}}" for x, w in zip(rest, widths[2:], strict=True)]).rstrip()
            )
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": [asdict(row) | {"is_met": row.is_met} for row in self.rows],
            "raw": self.raw,
        }


def median(values: Iterable[float | None]) -> float | None:
    """Of those that were measured; None when none was."""
    there = [x for x in values if x is not None]
    return statistics.median(there) if there else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank: the smallest value that `percent` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _cells(row: Row) -> tuple[str, ...]:
    value = "-" if row.value is None else f"{row.value:,.2f}" if abs(row.value) < 100 else f"{row.value:,.0f}"
    target = "" if row.target is None else f"<= {row.target:g}"
    verdict = {True: "ok", False: "MISSED", None: ""}[row.is_met]
    return row.name, value, row.unit, target, verdict, row.note
