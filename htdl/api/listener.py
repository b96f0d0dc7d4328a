"""A listening Unix socket that only this user can reach.

The socket gets its mode before it listens: until then nobody can connect, so at no moment can anyone else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from htdl.errors import BadConfig, HtdlError, Refused

# unix(7): sun_path holds 108 bytes with the final NUL; it is 104 on the BSDs and macOS.
MAX_PATH_BYTES = 107 if hasattr(socket, "SO_PEERCRED") else 103
BACKLOG = 1024


def listen(path: Path) -> socket.socket:
    """Listen at `path`, mode 0600.  What a dead daemon left there is replaced.

    Raises BadConfig for a path that cannot hold a socket, Refused when a daemon answers there already or the
    folder is not this user's alone.
    """
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        raise BadConfig(
            f"the socket's path is too long: {path} has {size} bytes, the system takes {MAX_PATH_BYTES}",
            hint="set HTDL_SOCKET, or --socket, to a shorter path",
        )
    try:
        _prepare_folder(path)
        _reject_occupied(path)
        return _bind(path)
    except OSError as exc:
        raise HtdlError(
            f"cannot listen on {path}: {exc.strerror or exc}",
            hint="set HTDL_SOCKET, or --socket, to a path in a folder of your own",
        ) from exc


def remove(path: Path, inode: int) -> None:
    """Take the socket away, unless another daemon has put its own there."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _prepare_folder(path: Path) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if {status.st_uid, folder.lstat().st_uid} != {os.geteuid()}:  # lstat: whoever owns a link can move it
        raise Refused(
            f"the socket's folder {folder} belongs to another user",
            hint="set HTDL_SOCKET, or --socket, to a path in a folder of your own",
        )
    _close_folder(path, stat.S_IMODE(status.st_mode))


def _close_folder(path: Path, mode: int) -> None:
    """Mode 0700 for a folder that holds the socket alone.  A folder of other things (a home, /run) keeps its
    mode: it may serve others, and the socket has a mode of its own; only writers could replace it.
    """
    folder = path.parent
    if not mode & 0o077:
        return
    if not mode & stat.S_ISVTX and set(folder.iterdir()) <= {path}:
        folder.chmod(0o700)
    elif mode & 0o022:
        raise Refused(
            f"other users can write in the socket's folder {folder}",
            hint=f"chmod 700 {folder}, or set HTDL_SOCKET, or --socket, to a path in a folder of its own",
        )


def _reject_occupied(path: Path) -> None:
    """Refused unless nothing is at `path`, or a socket that nobody listens on."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Refused(
            f"{path} exists and is not a socket", hint="move it away, or choose another HTDL_SOCKET"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # its queue of connections is full: it lives
    raise Refused(f"a daemon is already running on {path}", hint="htdl daemon status", code="already_running")


def _bind(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        sock.bind(os.fspath(path))
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
