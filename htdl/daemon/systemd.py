"""What the daemon and systemd tell each other: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).

Each is a few lines of the socket they are made of.  Without systemd there is no NOTIFY_SOCKET and no
LISTEN_PID, and all of this does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import time
from collections.abc import Mapping

from htdl.errors import BadConfig

log = logging.getLogger("htdl.daemon")

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
PATIENCE_SECONDS = 1.0  # with what systemd waits for; all else in the daemon waits meanwhile
STOP_SECONDS = 2.0  # then a stop lasts, and asks for more time
MORE_SECONDS = 10.0  # is what it asks for
MOST_EXTENSIONS = 15  # one that lasts half a minute hangs
MAX_STATUS = 500  # characters; a line of `systemctl status`


class Notifier:
    """Tells systemd of a service of Type=notify how it is."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._status = ""

    @property
    def is_heard(self) -> bool:
        return self._address is not None

    def ready(self) -> None:
        self._send("READY=1", patience=PATIENCE_SECONDS)

    def reloading(self) -> None:
        """Until the next `ready`; the time tells Type=notify-reload which reload this answers."""
        moment = f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"
        self._send("RELOADING=1", moment, patience=PATIENCE_SECONDS)

    async def tell_stop(self, stopping: asyncio.Event) -> None:
        """That it stops, and while that lasts that it needs more time; runs until it is cancelled."""
        await stopping.wait()
        self._send("STOPPING=1", "STATUS=stopping", patience=PATIENCE_SECONDS)
        for _ in range(MOST_EXTENSIONS):
            await asyncio.sleep(STOP_SECONDS)  # the end cancels it
            self._send(f"EXTEND_TIMEOUT_USEC={int(MORE_SECONDS * 1e6)}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """What `systemctl status` shows; sent only when it says something new."""
        words = " ".join(words.split())[:MAX_STATUS]
        if words != self._status:
            self._status = words
            self._send(f"STATUS={words}")

    def _send(self, *lines: str, patience: float = 0.0) -> None:
        """What comes again soon is not waited for, where systemd is busy; `patience` is seconds."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(patience)
                sock.connect(self._address)  # unix(7): else nothing says when its queue has room again
                sock.send("\n".join(lines).encode())
        except OSError as exc:  # it is busy, or gone
            log.log(
                logging.WARNING if patience else logging.DEBUG,
                "systemd was not told what=%s why=%s",
                lines[0],
                exc,
            )


def _address(value: str) -> str | None:
    """A path, or an abstract name that is written with @; other kinds (vsock) are for virtual machines."""
    if value.startswith("@"):
        return "\0" + value[1:]
    return value if value.startswith("/") else None


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    """How often systemd wants to hear that we live; None where it does not, or means another process."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    with contextlib.suppress(ValueError):
        if (microseconds := int(environ.get("WATCHDOG_USEC", ""))) > 0:
            return microseconds / 1e6
    return None


def listening(environ: Mapping[str, str], pid: int) -> socket.socket | None:
    """The control socket that systemd listens on for us; None where it gave none.

    Raises BadConfig for anything but one listening Unix stream socket.
    """
    if environ.get("LISTEN_PID") != str(pid):  # it was meant for a process before us
        return None
    count = environ.get("LISTEN_FDS", "")
    if count != "1":
        names = environ.get("LISTEN_FDNAMES", "")
        raise _faulty(f"{count or 'no'} sockets ({names})" if names else f"{count or 'no'} sockets")
    try:
        os.set_inheritable(FIRST_DESCRIPTOR, False)  # ffmpeg shall not hold it
        is_socket = stat.S_ISSOCK(os.fstat(FIRST_DESCRIPTOR).st_mode)
    except OSError as exc:
        raise _faulty("a descriptor that is closed") from exc
    if not is_socket:
        raise _faulty("a file that is no socket")
    sock = socket.socket(fileno=FIRST_DESCRIPTOR)
    if fault := _fault_of(sock):
        sock.detach()
        raise _faulty(fault)
    return sock


def _fault_of(sock: socket.socket) -> str | None:
    """What else than a listening Unix stream socket with a path it is."""
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM or not listens:
        return f"a socket of another kind ({sock.family.name}, {sock.type.name})"
    # unix(7): the name of one in the abstract namespace is bytes, and has no mode that keeps others out
    return None if os.fsdecode(sock.getsockname()).startswith("/") else "a socket without a path"


def _faulty(given: str) -> BadConfig:
    return BadConfig(
        f"systemd passed {given}, where one listening Unix socket is wanted",
        hint="the socket's unit needs exactly one ListenStream= with a path, and Accept=no",
    )
