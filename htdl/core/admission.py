"""Room on the disk: how much may still be written."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from htdl.jobs import JobFile


def free_bytes(folder: Path) -> int:
    """Free for us in the file system of this folder, or of the nearest parent that exists."""
    stat = os.statvfs(nearest(folder))
    if not stat.f_blocks:  # /proc and the like: not full, but no place for files, as writing there will say
        return sys.maxsize
    return stat.f_bavail * stat.f_frsize


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders are, or would be, in the same file system."""
    return device(one) == device(other)


def device(folder: Path) -> int:
    """The number of its file system, as stat(2) gives it."""
    return nearest(folder).stat().st_dev


def bytes_on_disk(save_path: Path, files: Iterable[JobFile]) -> int:
    """What the wanted files take there already; holes of a sparse file do not count."""
    total = 0
    for file in files:
        if file.wanted:
            with contextlib.suppress(OSError):  # not there, or not to be looked at: then nothing is
                stat = os.lstat(save_path / file.path)
                total += min(file.size, stat.st_blocks * 512)  # stat(2): in units of 512 bytes
    return total


def nearest(folder: Path) -> Path:
    """The folder, or the nearest parent that exists."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - Path's raises where we may not look
        folder = folder.parent
    return folder


def room(folder: Path, reserve: int) -> int:
    """Bytes that may be written and still leave the reserve; 0 or less is a full disk."""
    return free_bytes(folder) - reserve
