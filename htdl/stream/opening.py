"""Opens a job's file, and nothing else: no symlink below the job's folder is followed.

A torrent may hold symlinks (BEP 47), and what lies on a disk may have been exchanged since it was written.
"""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not make us wait


def open_regular(folder: Path, path: Path) -> FileIO:
    """The regular file at `path`, which lies in `folder`, to read.  `folder` itself may be reached by links:
    those are the user's own.  May block for as long as the disk does.

    Raises OSError; its errno is ELOOP or ENOTDIR for a symlink, EINVAL for what is not a regular file.
    """
    if not path.is_relative_to(folder) or ".." in path.parts or path == folder:
        raise OSError(errno.EINVAL, "it lies outside its folder", str(path))
    fd = _open_at(folder.resolve(), path.relative_to(folder).parts)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return FileIO(fd)


def _open_at(folder: Path, parts: tuple[str, ...]) -> int:
    at = os.open(folder, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(parts[-1], _FILE, dir_fd=at)
    finally:
        os.close(at)
