"""A listening Unix socket that only this user can reach, and where it is wanted a group.

The socket gets its mode before it listens: until then nobody can connect, so at no moment can anyone else.
"""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat
from pathlib import Path

from htdl.errors import BadConfig, HtdlError, Refused

# unix(7): sun_path holds 108 bytes with the final NUL; it is 104 on the BSDs and macOS.
MAX_PATH_BYTES = 107 if hasattr(socket, "SO_PEERCRED") else 103
BACKLOG = 1024


def listen(path: Path, group: int | None = None) -> socket.socket:
    """Listen at `path`, mode 0600, or 0660 for the members of `group`.  What a dead daemon left there is
    replaced.

    Raises BadConfig for a path that cannot hold a socket or a group that is not this user's, Refused when a
    daemon answers there already or the folder is not this user's alone.
    """
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        raise BadConfig(
            f"the socket's path is too long: {path} has {size} bytes, the system takes {MAX_PATH_BYTES}",
            hint="set HTDL_SOCKET, or --socket, to a shorter path",
        )
    try:
        _prepare_folder(path, group)
        _reject_occupied(path)
        return _bind(path, group)
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


def group_id(name: str) -> int | None:
    """Of the group that may use the socket, None for no name.  Raises BadConfig where there is none."""
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as exc:
        raise BadConfig(
            f"daemon.socket_group: there is no group {name!r}", hint=f"make it with: groupadd {name}"
        ) from exc


def group_of(sock: socket.socket) -> int | None:
    """The group that whoever made this socket lets connect; None where that is nobody.

    Raises BadConfig where everybody may, and where its file has gone.
    """
    try:
        status = Path(sock.getsockname()).stat()
    except OSError as exc:
        raise BadConfig(
            f"the socket {sock.getsockname()} is not there any more: {exc.strerror}",
            hint="its unit makes it anew: systemctl restart htdl.socket",
        ) from exc
    if status.st_mode & stat.S_IWOTH:
        raise BadConfig(
            f"everybody may use the socket {sock.getsockname()}",
            hint="its unit needs SocketMode=0600, or 0660 for the members of SocketGroup=",
        )
    return status.st_gid if status.st_mode & stat.S_IWGRP else None


def _prepare_folder(path: Path, group: int | None) -> None:
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if {status.st_uid, folder.lstat().st_uid} != {os.geteuid()}:  # lstat: whoever owns a link can move it
        raise Refused(
            f"the socket's folder {folder} belongs to another user",
            hint="set HTDL_SOCKET, or --socket, to a path in a folder of your own",
        )
    _close_folder(path, stat.S_IMODE(status.st_mode), group)


def _close_folder(path: Path, mode: int, group: int | None) -> None:
    """Mode 0700, or 0750 with a group, for a folder that holds the socket alone.  A folder of other things (a
    home, /run) keeps its mode: it may serve others, and the socket has a mode of its own; only writers could
    replace it.
    """
    folder = path.parent
    if group is None and not mode & 0o077:
        return
    if not mode & stat.S_ISVTX and set(folder.iterdir()) <= {path}:
        _share(folder, group, 0o700 if group is None else 0o750)
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


def _share(path: Path, group: int | None, mode: int) -> None:
    if group is not None and path.stat().st_gid != group:
        try:
            os.chown(path, -1, group)
        except PermissionError as exc:
            raise BadConfig(
                f"daemon.socket_group: {path} cannot be given to group {group}, for this user is not in it",
                hint="add the daemon's user to that group, or name another",
            ) from exc
    path.chmod(mode)


def _bind(path: Path, group: int | None) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        sock.bind(os.fspath(path))
        _share(path, group, 0o600 if group is None else 0o660)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
