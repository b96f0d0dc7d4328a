"""One daemon a state folder.

The lock is the kernel's (flock), so it ends with the process however that ends; the file's text only says who
holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from htdl.errors import BadConfig, Refused

_OURS = ("htdl.", "daemon.log", "bug-")  # how the names of what lies there begin


class Lock:
    """A context manager.  Raises Refused (`already_running`) where another process holds it, and where others
    can write in its folder.
    """

    def __init__(self, path: Path, socket: Path) -> None:
        self._path = path
        self._socket = socket

    def __enter__(self) -> Lock:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _close(self._path.parent)
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
        with contextlib.suppress(OSError):  # a full disk: it holds all the same, and only does not say who
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"pid {os.getpid()}, socket {self._socket}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def _close(folder: Path) -> None:
    """Mode 0700 for a folder of the daemon's state alone.  One of other things keeps its mode, since the
    files have modes of their own; but who can write there could put others in their place.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & 0o077:
        return
    if not mode & stat.S_ISVTX and all(path.name.startswith(_OURS) for path in folder.iterdir()):
        folder.chmod(0o700)
    elif mode & 0o022:
        raise Refused(
            f"other users can write in the state folder {folder}",
            hint=f"chmod 700 {folder}, or set HTDL_STATE_DIR to a folder of its own",
        )
