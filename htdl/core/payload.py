"""A job's files on disk: make them last, and remove them.  Run off the event loop."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from htdl.jobs import JobFile

log = logging.getLogger(__name__)

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not make us wait


def is_filled(path: Path, size: int) -> bool:
    """Whether a file is there in this length and without holes, lseek(2) SEEK_HOLE; also True where a file
    system cannot tell.  Zeros that were written are no hole.
    """
    if not size:
        return True
    try:
        descriptor = os.open(path, _OPEN)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            return end >= size and os.lseek(descriptor, 0, os.SEEK_HOLE) >= size
        finally:
            os.close(descriptor)
    except OSError as exc:
        return exc.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESPIPE}


def reject_links(root: Path, save_path: Path, paths: Iterable[str]) -> None:
    """Raises OSError (ELOOP) for the first symbolic link between `root` and a file, the file included: the
    engine would write through it, and somebody else may have put it there.
    """
    top = root if save_path.is_relative_to(root) else save_path.parent
    ways: set[Path] = set()
    for way in (save_path, *(save_path / path for path in paths)):
        while way != top and way not in ways:
            ways.add(way)
            way = way.parent
    for way in sorted(ways):
        if way.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link, and nothing is written through one", str(way))


def is_whole(save_path: Path, files: Iterable[JobFile]) -> bool:
    """Whether all that is wanted of these is there, by length and holes: nothing is read."""
    return all(is_filled(save_path / file.path, file.size) for file in files if file.wanted)


def sync(save_path: Path, paths: Iterable[str]) -> bool:
    """Bring files to the disk itself, so that they outlast a power cut.  False when one could not be."""
    try:
        for path in paths:
            descriptor = os.open(save_path / path, _OPEN)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as exc:
        log.warning("cannot sync path=%s: %s", save_path, exc)
        return False
    return True


def delete(save_path: Path, paths: Iterable[str], info_hash: str) -> int:
    """Remove these files of a job, the part file, and the folders that are empty then.  Returns how many.

    A file is removed only where its folder, with every link followed, lies inside the job's own: a link to
    elsewhere is never followed.
    """
    home = save_path.resolve()
    named = [save_path / path for path in paths] + [save_path / f".{info_hash}.parts"]
    targets = [target for target in named if _is_inside(target, home)]
    removed = 0
    for target in targets:
        try:
            target.unlink()
            removed += 1
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as exc:
            log.warning("cannot remove %s: %s", target, exc)
    _prune({target.parent for target in targets}, save_path)
    return removed


def _is_inside(target: Path, home: Path) -> bool:
    try:
        inside = target.parent.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # links that go round in circles; which of the two differs by Python
        inside = False
    if not inside:
        log.warning("not removed, since it lies elsewhere: %s", target)
    return inside


def _prune(folders: Iterable[Path], save_path: Path) -> None:
    """Remove empty folders from the deepest up to the job's own."""
    chains = {parent for folder in folders for parent in (folder, *folder.parents)}
    inside = [folder for folder in chains if folder.is_relative_to(save_path)]
    for folder in sorted(inside, key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):  # not empty, or gone: both are fine
            folder.rmdir()
