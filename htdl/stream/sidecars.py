"""Which subtitle files of a torrent belong to which of its videos.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from htdl.jobs import JobFile
from htdl.stream.kinds import is_video, suffix

# Those of text, and of pictures, which are named where they are left out.
SUBTITLES = frozenset((".ass", ".idx", ".smi", ".srt", ".ssa", ".sub", ".sup", ".ttml", ".vtt"))
MOST_SUBTITLES = 100  # of one video: each view of its job has them


def subtitles_of(video: JobFile, files: Sequence[JobFile]) -> list[JobFile]:
    """The wanted subtitles of a video: all where it is the only one, else those that carry its name, in
    their own or in their folder's (Subs/Film.2020/2_English.srt).  The first MOST_SUBTITLES of them.
    """
    subtitles = [file for file in files if file.wanted and suffix(file.path) in SUBTITLES]
    if not subtitles or sum(file.wanted and is_video(file.path) for file in files) <= 1:
        return subtitles[:MOST_SUBTITLES]
    name = PurePosixPath(video.path).stem.casefold()
    likely = [file for file in subtitles if name in file.path.casefold()]  # a look at each path takes long
    return [file for file in likely if _carries(name, PurePosixPath(file.path))][:MOST_SUBTITLES]


def _carries(name: str, path: PurePosixPath) -> bool:
    own = path.stem.casefold()
    is_own = own == name or (own.startswith(name) and not own[len(name)].isalnum())
    return is_own or name in (folder.casefold() for folder in path.parts[:-1])
