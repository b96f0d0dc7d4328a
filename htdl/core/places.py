"""The folders that are written to: whether they can be, and how much room there is.

Each look is a real try, since modes tell nothing of a read-only mount, a quota or a share that went away.
All of it may block on a disk that hangs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from htdl.answers import Finding, Level
from htdl.config import Config
from htdl.core import admission, inbox
from htdl.core.cleaning import size

_OWN = "make it a folder that this user may write to, or name another one: {}"


def folders(config: Config, state: Path) -> dict[str, tuple[Path, str]]:
    """Those that htdl writes to, by what they are for, with what names them."""
    storage = config.storage
    named = {
        "jobs": (state, "HTDL_STATE_DIR"),
        "downloads": (config.torrent.download_path, "torrent.download_path"),
        "videos": (storage.base_path, "storage.base_path"),
        "work in progress": (storage.temp_path, "storage.temp_path"),
        "subtitles": (storage.subtitle_path, "storage.subtitle_path"),
    }
    return named | {
        f"watch folder {number}": (path, "watch.paths")
        for number, path in enumerate(config.watch.paths, start=1)
    }


def look(named: Mapping[str, tuple[Path, str]]) -> list[Finding]:
    """One finding of all that are well, and one of each that is not."""
    faults = {what: _fault(path, must_exist=key == "watch.paths") for what, (path, key) in named.items()}
    good = ", ".join(what for what, fault in faults.items() if fault is None)
    bad = [
        Finding("folders", Level.FAIL, f"{what}: {named[what][0]} {fault}", _OWN.format(named[what][1]))
        for what, fault in faults.items()
        if fault
    ]
    return [Finding("folders", Level.OK, f"can be written: {good}"), *bad] if good else bad


def _fault(folder: Path, *, must_exist: bool) -> str | None:
    """Why no file can be written there; a folder that is not there yet is made when it is needed."""
    nearest = folder if must_exist else admission.nearest(folder)
    try:
        if not nearest.is_dir():
            return "is not there" if must_exist else f"cannot be made: {nearest} is no folder"
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"htdl")
        if must_exist:
            return _taken(folder)
    except OSError as exc:
        there = "" if nearest == folder else f" (tried in {nearest})"
        return f"cannot be written: {exc.strerror or exc}{there}"
    return None


def _taken(watched: Path) -> str | None:
    """What else has the name of a folder that is needed below this one; a link is not followed there."""
    for name in (inbox.ADDED, inbox.FAILED):
        path = watched / name
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return f"needs a folder {name}, and something else has that name"
    return None


def disks(config: Config, named: Mapping[str, tuple[Path, str]]) -> Iterator[Finding]:
    """The room on each file system, and whether what plays as it is can be linked instead of copied."""
    by_disk: dict[int, list[Path]] = {}
    for path, _ in named.values():
        try:
            by_disk.setdefault(admission.nearest(path).stat().st_dev, []).append(path)
        except OSError:  # the folder's own finding tells why
            continue
    for paths in by_disk.values():
        try:
            yield _room(paths[0], config.storage.min_free)
        except OSError:
            continue
    yield from _linking(config)


def _room(folder: Path, reserve: int) -> Finding:
    free = admission.free_bytes(folder)
    left, total = os.statvfs(admission.nearest(folder)), size(free)
    inodes_full = left.f_files > 0 and left.f_favail == 0
    if inodes_full:
        hint = "remove some of the many small files there"
        return Finding("space", Level.FAIL, f"no more files can be made at {folder}", hint)
    if free <= reserve:
        words = f"{total} free at {folder}, and storage.min_free keeps {size(reserve)} of it: downloads wait"
        return Finding("space", Level.FAIL, words, "free some space; downloads then go on by themselves")
    if free < 2 * reserve:
        words = f"{total} free at {folder}, of which storage.min_free keeps {size(reserve)}"
        return Finding("space", Level.WARN, words, "free some space before downloads have to wait")
    return Finding("space", Level.OK, f"{total} free at {folder}")


def _linking(config: Config) -> Iterator[Finding]:
    downloads, videos = config.torrent.download_path, config.storage.base_path
    try:
        is_one = admission.same_disk(downloads, videos)
    except OSError:
        return
    if not is_one and config.conversion.enabled:
        words = "downloads and videos lie on two disks: a video that plays as it is is copied, not linked"
        hint = "to save that room, put torrent.download_path and storage.base_path on one disk"
        yield Finding("links", Level.WARN, words, hint)
