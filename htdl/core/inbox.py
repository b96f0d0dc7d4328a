"""A watched folder on disk: what lies in it, and where it is put away.  Blocks; OSError says what went wrong.

Who may write into the folder may not be who runs the daemon: a link is never followed, a pipe never waited
for, nothing is written over, and nothing is moved out of the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from htdl.core import dropped
from htdl.core.dropped import MAX_BYTES, REASON, Look

ADDED, FAILED = "added", "failed"
MAX_LOOKS = 10_000  # files in one sweep
_MAX_NAMES = 100_000  # of one name, put away

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def look(folder: Path) -> list[Look]:
    """The .torrent and .magnet files, those that are there longest first."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if dropped.kind(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
    files = [(name, x) for name, x in found if not stat.S_ISDIR(x.st_mode)]
    files.sort(key=lambda file: (file[1].st_mtime_ns, file[0]))
    return [Look(name, _stamp(x), stat.S_ISREG(x.st_mode)) for name, x in files[:MAX_LOOKS]]


def read(folder: Path, file: Look) -> bytes | None:
    """Its bytes, one more than are taken where it is too large; None where it does not look so any more."""
    limit = MAX_BYTES[dropped.kind(file.name) or ""] + 1
    descriptor = os.open(folder / file.name, _FILE)
    try:
        if _stamp(os.fstat(descriptor)) != file.stamp:
            return None
        with open(descriptor, "rb", closefd=False) as content:
            data = content.read(limit)
        return data if _stamp(os.fstat(descriptor)) == file.stamp else None
    finally:
        os.close(descriptor)


def check(folder: Path) -> None:
    """Raises OSError where nothing can be put away: what stays would be added once more."""
    with _open(folder) as here, _below(here, ADDED) as there:
        for descriptor in (here, there):
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
                raise PermissionError(errno.EACCES, "nothing can be moved here", str(folder))


def put_away(folder: Path, file: Look, to: str, reason: str = "") -> str | None:
    """Move a file to the folder `to` below, for good, with the reason in a text beside it where there is one.

    Returns its new name; None where another file is in its place by now.
    """
    with _open(folder) as here, _below(here, to) as there:
        name = _free_name(file.name, there)
        with contextlib.suppress(FileNotFoundError):
            if _stamp(os.lstat(file.name, dir_fd=here)) == file.stamp:
                os.rename(file.name, name, src_dir_fd=here, dst_dir_fd=there)
                if reason:
                    _write(name + REASON, reason, there)
                _sync(there)
                _sync(here)
                return name
    return None


def _free_name(name: str, folder: int) -> str:
    for number in range(1, _MAX_NAMES):
        free = dropped.put_away_as(name, number)
        if not _exists(free, folder) and not _exists(free + REASON, folder):
            return free
    raise FileExistsError(errno.EEXIST, "too many of this name are there", name)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextlib.contextmanager
def _open(path: str | Path, flags: int = 0, dir_fd: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, _FOLDER | flags, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _below(here: int, name: str) -> Iterator[int]:
    """The folder of this name, made where there is none."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=here)
    with _open(name, os.O_NOFOLLOW, here) as descriptor:
        yield descriptor


def _exists(name: str, folder: int) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _write(name: str, text: str, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o644, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(f"{text}\n".encode(errors="backslashreplace"))
        file.flush()
        _sync(descriptor)


def _sync(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # some network shares know no fsync of a folder
        os.fsync(descriptor)
