"""Who listens on a port, of the processes that we may look at.  Linux alone: /proc/net/tcp, /proc/PID/fd."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LISTENING = "0A"  # TCP_LISTEN in the kernel's net/tcp_states.h
PROC = Path("/proc")


def holder(port: int, proc: Path = PROC) -> str | None:
    """`name, pid N`; None where nobody listens there, or nobody whom we may look at.  Blocks for a moment."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(proc, port)}
    if not sockets:
        return None
    for folder in proc.glob("[0-9]*"):
        if folder.name != str(os.getpid()) and sockets & _open_files(folder):
            return f"{_name(folder)}, pid {folder.name}"
    return None


def _inodes(proc: Path, port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(folder: Path) -> set[str]:
    """What they are links to; none of another user's process, or one that has ended meanwhile."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in (folder / "fd").iterdir():
            found.add(str(descriptor.readlink()))
    return found


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a program"
