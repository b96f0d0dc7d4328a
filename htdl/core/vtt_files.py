"""The WebVTT files below the folder of the subtitles: read, looked for, and removed.  All of it blocks."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from htdl.core import payload
from htdl.core.beside import is_there
from htdl.jobs import Subtitle
from htdl.media.webvtt import MAX_BYTES
from htdl.stream.opening import open_regular

log = logging.getLogger(__name__)


def content(root: Path, path: Path) -> bytes | None:
    """None where no plain file lies below `root` at this path; no link is followed."""
    try:
        with open_regular(root, path) as file:
            return file.read(MAX_BYTES)
    except OSError as exc:  # somebody removed it, or put something else there
        log.warning("cannot read subtitles path=%s: %s", path, exc.strerror)
        return None


def remove(root: Path, paths: Iterable[str], folders: Iterable[Path] = ()) -> None:
    """These files below `root`, what a run that was killed left in these folders, and the folders that are
    empty then.
    """
    left: list[Path] = []
    for folder in folders:
        shutil.rmtree(folder / ".tracks", ignore_errors=True)
        left += [folder / ".tracks", *folder.glob(".*.vtt.part")]
    for path in (*map(Path, paths), *left):
        parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
        if len(parts) > 1 and ".." not in parts:
            payload.delete(root / parts[0], [str(Path(*parts[1:]))], "")


def unfinished(every: Mapping[str, Sequence[Subtitle]]) -> list[str]:
    """The jobs of which there is more to come, or a file is gone."""
    return [job_id for job_id, some in every.items() if not all(is_there(x) for x in some)]
