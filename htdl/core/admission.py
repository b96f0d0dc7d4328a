"""Room on the disk: how much may still be written."""

from __future__ import annotations

import os
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Free for us in the file system of this folder, or of the nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def room(folder: Path, reserve: int) -> int:
    """Bytes that may be written and still leave the reserve; 0 or less is a full disk."""
    return free_bytes(folder) - reserve
