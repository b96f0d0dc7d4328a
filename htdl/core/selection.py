"""Which of a torrent's files are wanted, and which is the one to watch.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from htdl.errors import BadRequest
from htdl.jobs import JobFile
from htdl.stream.kinds import is_video, natural, suffix
from htdl.torrent.api import TorrentFile

ALL = ("*",)

SUBTITLE = frozenset((".ass", ".idx", ".smi", ".srt", ".ssa", ".sub", ".sup", ".ttml", ".vtt"))

_JUNK = re.compile(r"(?:^|[^a-z])(?:sample|trailer|proof|rarbg|etrg)(?:[^a-z]|$)", re.IGNORECASE)
EPISODE_SHARE = 0.9  # of the largest video: one that is so large is no less the one to watch
SAMPLE_SHARE = 0.25  # a "sample" that is a quarter of the largest video or more is the video after all


def choose(files: Sequence[TorrentFile], selection: Sequence[str]) -> list[int]:
    """The indices of the wanted files, ascending, never empty where there are files.

    Without a selection: the videos and their subtitles, without samples and junk; everything where there is
    no video.  A selection names files by index or by glob, of the whole path or of the name alone, without
    regard to case.  Raises BadRequest for one that names no file.
    """
    if not selection:
        return _by_kind(files)
    wanted: set[int] = set()
    indices = {file.index for file in files}
    names = [(file.index, _names(file.path)) for file in files]  # once, not once a pattern
    for pattern in selection:
        matched = _matched(pattern, indices, names)
        if not matched:
            raise BadRequest(
                f"no file of this torrent is named by {pattern!r}",
                hint="name files by index or glob, as in --file 0 or --file '*.mkv'",
                code="no_such_file",
            )
        wanted |= matched
    return sorted(wanted)


def main_file(files: Sequence[JobFile]) -> JobFile | None:
    """The largest wanted video, and of several about as large, as a series has, the first by its name; where
    there is none, the same of the wanted files.
    """
    wanted = [file for file in files if file.wanted]
    likely = [file for file in wanted if is_video(file.path)] or wanted
    least = max((file.size for file in likely), default=0) * EPISODE_SHARE
    episodes = [file for file in likely if file.size >= least]
    return min(episodes, key=lambda file: (natural(file.path), file.index), default=None)


def _by_kind(files: Sequence[TorrentFile]) -> list[int]:
    videos = [file for file in files if is_video(file.path)]
    if not videos:
        return [file.index for file in files]
    largest = max(file.size for file in videos)
    chosen = [file for file in videos if not _is_junk(file, largest)]
    subtitles = [file for file in files if suffix(file.path) in SUBTITLE]
    return sorted(file.index for file in (*chosen, *subtitles))


def _is_junk(file: TorrentFile, largest: int) -> bool:
    return bool(_JUNK.search(file.path)) and file.size < largest * SAMPLE_SHARE


def _names(path: str) -> tuple[str, str]:
    """What a glob may name: the whole path, and the name alone."""
    folded = path.casefold()
    return folded, folded.rpartition("/")[2]


def _matched(pattern: str, indices: set[int], names: Sequence[tuple[int, tuple[str, str]]]) -> set[int]:
    if pattern.isascii() and pattern.isdecimal():
        return indices & {int(pattern)}
    folded = pattern.casefold()
    # a name with brackets, [Group] Film.mkv, is meant as it stands
    return {
        index
        for index, own in names
        if folded in own or fnmatchcase(own[0], folded) or fnmatchcase(own[1], folded)
    }
