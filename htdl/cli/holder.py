"""Which daemon holds the lock of a state folder; the counterpart of htdl.daemon.lock."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from htdl import paths
from htdl.cli.app import App


@dataclass(frozen=True, slots=True)
class Holder:
    """`pid` and `socket` are None for one that has not told yet: it is just starting."""

    pid: int | None
    socket: Path | None

    def is_elsewhere(self, app: App) -> bool:
        """Whether it answers on another socket than the one that is asked."""
        return self.socket is not None and os.path.realpath(self.socket) != os.path.realpath(app.socket)

    @property
    def hint(self) -> str:
        return f"talk to it with: htdl --socket {shlex.quote(str(self.socket))} ..."


def holder(app: App) -> Holder | None:
    """The daemon that uses this state folder, whether it answers or not; None where none does."""
    import fcntl

    try:
        descriptor = os.open(paths.lock(app.state_dir), os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no lock, no folder, or not ours: a start says what is wrong with it
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return parse(os.read(descriptor, 8192).decode(errors="surrogateescape"))
    finally:
        os.close(descriptor)
    return None


def parse(text: str) -> Holder:
    """The text of a lock: `pid N, socket PATH`."""
    match = re.fullmatch(r"pid (\d+), socket (.+)\n", text, re.DOTALL)
    return Holder(int(match[1]), Path(match[2])) if match else Holder(None, None)
