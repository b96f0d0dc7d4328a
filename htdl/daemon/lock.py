"""One daemon a state folder.

The lock is the kernel's (flock), so it ends with the process however that ends; the file's text only says who
holds it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from htdl.errors import BadConfig, Refused


class Lock:
    """A context manager.  Raises Refused (`already_running`) where another process holds it."""

    def __init__(self, path: Path, socket: Path) -> None:
        self._path = path
        self._socket = socket

    def __enter__(self) -> Lock:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise BadConfig(
                f"cannot use the state folder {self._path.parent}: {exc.strerror}",
                hint="set HTDL_STATE_DIR to a folder of your own",
            ) from exc
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.read(self._descriptor, 4096).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise Refused(
                f"a daemon is already running: {holder}",
                hint="`htdl daemon status` shows it, `htdl daemon stop` ends it",
                code="already_running",
            ) from exc
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"pid {os.getpid()}, socket {self._socket}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
