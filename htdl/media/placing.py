"""Puts a file that was made in its place, and never over somebody else's.  Blocks."""

from __future__ import annotations

import os
from pathlib import Path


def put(part: Path, target: Path) -> None:
    """Give the file `part` the name `target`, wholly or not at all.

    Raises FileExistsError where something has that name, also since a moment ago; OSError.
    """
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: nobody else can take a name that is there
        target.touch(exist_ok=False)
        try:
            part.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        part.unlink()
    flush(target.parent)


def put_over(part: Path, target: Path) -> None:
    """The same in place of what has that name.  Raises OSError."""
    part.replace(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Onto the disk; of a folder, its names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
