"""What is wrong with the configuration, told all at once.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from htdl import toml_lines
from htdl.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: the key (`torrent.max_connections`) or the variable; `line` is in the file."""

    where: str
    what: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.what}"


def faulty(faults: Sequence[Fault], origin: str) -> BadConfig:
    """The error that names them all, a line each."""
    return BadConfig(
        f"the configuration ({origin}) has {len(faults)} fault{'s' if len(faults) > 1 else ''}:\n"
        + "\n".join(f"  {x}" for x in faults),
        hint="mend that; `htdl config check` tries again",
    )


def with_lines(faults: Iterable[Fault], text: str) -> list[Fault]:
    """The faults with the lines they stand on, in the order of the file; the environment's last."""
    lines = {".".join(key): line for key, line in toml_lines.lines(text).items()}

    def placed(fault: Fault) -> Fault:
        name = fault.where.strip("[]")
        return replace(fault, line=lines.get(name) or lines.get(name.partition(".")[0]))

    return sorted(map(placed, faults), key=lambda fault: (fault.line is None, fault.line))
