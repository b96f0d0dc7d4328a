"""Which subtitle files of a torrent belong to which of its videos.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from htdl.jobs import JobFile
from htdl.stream.kinds import is_video, suffix

SUBTITLES = frozenset((".ass", ".srt", ".ssa", ".vtt"))
WEB = frozenset((".srt", ".vtt"))  # those that a browser can be given
MOST_SUBTITLES = 100  # of one video: each view of its job has them

_LANGUAGE = re.compile(r"[._ -]([a-z]{2,3}(?:-[a-z]{2,4})?)$", re.IGNORECASE)


def subtitles_of(video: JobFile, files: Sequence[JobFile]) -> list[JobFile]:
    """The wanted text subtitles of a video: all where it is the only one, else those that carry its name, in
    their own or in their folder's (Subs/Film.2020/2_English.srt).  The first MOST_SUBTITLES of them.
    """
    subtitles = [file for file in files if file.wanted and suffix(file.path) in SUBTITLES]
    if not subtitles or sum(file.wanted and is_video(file.path) for file in files) <= 1:
        return subtitles[:MOST_SUBTITLES]
    name = PurePosixPath(video.path).stem.casefold()
    likely = [file for file in subtitles if name in file.path.casefold()]  # a look at each path takes long
    return [file for file in likely if _carries(name, PurePosixPath(file.path))][:MOST_SUBTITLES]


def language(file: JobFile) -> str:
    """The code at the end of its name (Film.en.srt, Film.pt-BR.srt), or nothing."""
    found = _LANGUAGE.search(PurePosixPath(file.path).stem)
    return found[1].lower() if found else ""


def label(file: JobFile, video: JobFile) -> str:
    """What its name says beyond the video's."""
    own, name = PurePosixPath(file.path).stem, PurePosixPath(video.path).stem
    return own.removeprefix(name).strip("._- ") or own


def _carries(name: str, path: PurePosixPath) -> bool:
    own = path.stem.casefold()
    is_own = own == name or (own.startswith(name) and not own[len(name)].isalnum())
    return is_own or name in (folder.casefold() for folder in path.parts[:-1])
