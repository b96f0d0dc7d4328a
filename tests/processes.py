"""What the system knows of a process; any may end while it is looked at.  Linux, proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_STATE, _PARENT, _UTIME, _STIME, _CUTIME, _CSTIME = 0, 1, 11, 12, 13, 14  # fields of `stat` after the name


def exists(pid: int) -> bool:
    """Also as a zombie, which is one too many."""
    return Path(f"/proc/{pid}").exists()


def lives(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    fields = _stat(pid)
    return bool(fields) and fields[_STATE] != "Z"


def children(pid: int) -> list[int]:
    every = [int(x.name) for x in Path("/proc").iterdir() if x.name.isdigit()]
    return [x for x in every if (fields := _stat(x)) and int(fields[_PARENT]) == pid]


def command(pid: int) -> bytes:
    """Its arguments, each with a zero byte behind it; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def open_files(pid: int) -> int:
    return len(list(_descriptors(pid)))


def sockets(pid: int) -> int:
    """How many it has open."""
    return sum(target.startswith("socket:") for target in _descriptors(pid))


def rss_bytes(pid: int) -> int:
    """Resident memory, shared libraries included."""
    return _kilobytes(pid, "VmRSS")


def private_bytes(pid: int) -> int:
    """Resident memory that is the process's own: its heap and stacks."""
    return _kilobytes(pid, "RssAnon")


def status(pid: int, name: str) -> str:
    """What /proc/PID/status says under this name."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    raise LookupError(f"no {name} of process {pid}")


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """User and system time of all its threads; on request of its children that have ended too."""
    counted = [_UTIME, _STIME, *([_CUTIME, _CSTIME] if with_children else [])]
    fields = _stat(pid)
    return sum(int(fields[x]) for x in counted) / _TICK


def _stat(pid: int) -> list[str]:
    """From `state` on, since the name before may hold spaces; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _descriptors(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(descriptor.readlink())
        except OSError:  # closed since
            continue


def _kilobytes(pid: int, name: str) -> int:
    return int(status(pid, name).split()[0]) * 1024
