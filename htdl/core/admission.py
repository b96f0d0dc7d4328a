"""Room on the disk: how much may still be written."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Free for us in the file system of this folder, or of the nearest parent that exists."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - Path's raises where we may not look
        folder = folder.parent
    stat = os.statvfs(folder)
    if not stat.f_blocks:  # /proc and the like: not full, but no place for files, as writing there will say
        return sys.maxsize
    return stat.f_bavail * stat.f_frsize


def room(folder: Path, reserve: int) -> int:
    """Bytes that may be written and still leave the reserve; 0 or less is a full disk."""
    return free_bytes(folder) - reserve
