"""What the system knows of a process: its memory and its time.  Linux, proc(5)."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory, shared libraries included."""
    return _status(pid, "VmRSS")


def private_bytes(pid: int) -> int:
    """Resident memory that is the process's own: its heap and stacks."""
    return _status(pid, "RssAnon")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK  # utime and stime, counted from `state`


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise LookupError(f"no {name} of process {pid}")
