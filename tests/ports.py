"""Ports that are free on loopback."""

from __future__ import annotations

import random
import socket

_BELOW_EPHEMERAL = range(10_000, 32_768)  # ip_local_port_range(7): from there on any connection may take one


def free_port() -> int:
    """One that nobody has just now, for TCP and UDP, and that no outgoing connection is given."""
    for port in random.SystemRandom().sample(_BELOW_EPHEMERAL, 100):
        if _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port
    raise AssertionError("of a hundred ports none was free")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
