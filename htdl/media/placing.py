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


def mount_of(folder: Path) -> tuple[int, str]:
    """Equal of two folders between which a file can be renamed: the disk, and the place where it is mounted.

    One disk may be mounted several times, as the folders of a systemd unit are, and from one mount to another
    no file is renamed.  Raises OSError where there is no such folder.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        told = Path(f"/proc/self/fdinfo/{handle}").read_text()  # proc_pid_fdinfo(5)
    except OSError:  # only Linux has it, and mounts of that kind
        told = ""
    finally:
        os.close(handle)
    mount = next((x for x in told.splitlines() if x.startswith("mnt_id:")), "")
    return folder.stat().st_dev, mount


def flush(path: Path) -> None:
    """Onto the disk; of a folder, its names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
