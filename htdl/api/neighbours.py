"""Whose program is at the other end of a connection over loopback.

TCP does not tell, as a Unix socket does; the system's table of connections does, proc_net(5).
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

# /proc/net hides where only processes are shown (systemd's ProcSubset=pid); our own is always there
TABLE = Path("/proc/self/net/tcp")

_LOCAL, _REMOTE, _UID = 1, 2, 7  # columns


def is_ours(client: tuple[str, int], server: tuple[str, int], table: Path = TABLE) -> bool:
    """Whether the program at `client`, connected to our `server`, is run by this user; both are an IPv4
    address and a port.  True also where the system has no such table.
    """
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return True
    ends = (_end(*client), _end(*server))
    rows = (line.split() for line in lines)
    return any((row[_LOCAL], row[_REMOTE]) == ends and int(row[_UID]) == os.geteuid() for row in rows)


def _end(address: str, port: int) -> str:
    """As the table has it: the address as this machine's integer, both in hex."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
