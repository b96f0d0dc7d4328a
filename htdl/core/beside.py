"""What lies beside each video of a job as WebVTT: from which files, under which names, and what is made of it
already.  Decides; writes nothing.

Rows say it.  One whose path is absolute is a file that was made; one whose path is none stands for a track or
file of which nothing came, as its note says; and one without an origin is the mark of a video of which there
is more to come, so that an end of the daemon loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from pathlib import Path, PurePosixPath

from htdl.jobs import Job, JobFile, Subtitle
from htdl.media.subtitles import Extracted, Sidecar, sidecars
from htdl.stream.kinds import is_video, suffix
from htdl.stream.sidecars import subtitles_of

ARRIVING = "it is still arriving"
_TEXTS = frozenset((".ass", ".srt", ".ssa", ".vtt"))
_MOST_NAME = 100  # characters of a folder


class Stage(IntEnum):
    """How much of a video its tracks were last read from."""

    NOTHING = 0
    BEGINNING = 1  # its head and index
    HALF = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class Beside:
    """A video, the files that came with it, and where both become WebVTT."""

    video: JobFile
    files: tuple[tuple[JobFile, Sidecar], ...]
    folder: Path

    @property
    def names(self) -> list[str]:
        return [sidecar.name for _, sidecar in self.files]


@dataclass(slots=True)
class Video:
    """What is known of one video: how far its tracks were read, and what came of them and of its files."""

    beside: Beside
    stage: Stage
    tracks: tuple[Subtitle, ...]
    files: dict[int, Subtitle]
    frame_rate: float | None = None
    rests_until: float = 0.0
    reads_tracks: bool = False
    reads_files: bool = False

    @property
    def is_complete(self) -> bool:
        is_idle = not (self.reads_tracks or self.reads_files)
        return is_idle and self.stage is Stage.ALL and len(self.files) == len(self.beside.files)

    @property
    def rows(self) -> tuple[Subtitle, ...]:
        return (*(self.files[index] for index in sorted(self.files)), *self.tracks)

    @property
    def told(self) -> tuple[Subtitle, ...]:
        """With what is still to come, and surely is text."""
        texts = [x for file, x in self.missing() if suffix(file.path) in _TEXTS]
        return (*self.rows, *(coming(self.beside, x) for x in texts))

    def missing(self) -> list[tuple[JobFile, Sidecar]]:
        """The files that were not read."""
        return [x for x in self.beside.files if x[0].index not in self.files]


@dataclass(slots=True)
class Work:
    """A job's videos, for the files that were wanted when it was taken up."""

    job: Job
    home: Path
    wanted: tuple[bool, ...]
    videos: list[Video] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return all(x.is_complete for x in self.videos)

    @property
    def rows(self) -> tuple[Subtitle, ...]:
        return told(chain.from_iterable(x.told for x in self.videos))


def is_made(row: Subtitle) -> bool:
    """Whether it stands for a file."""
    return row.path.startswith("/")


def is_there(row: Subtitle) -> bool:
    """Whether what it stands for is there, if anything.  Blocks."""
    return bool(row.origin) and (not is_made(row) or Path(row.path).is_file())


def mark(index: int) -> Subtitle:
    return Subtitle(file_index=index, path=f"{index}/")


def told(rows: Iterable[Subtitle]) -> tuple[Subtitle, ...]:
    """Those that stand for something, by file and name: "en.vtt" before "en.2.vtt"."""
    some = [row for row in rows if row.origin]
    return tuple(sorted(some, key=lambda x: (x.file_index, x.path.removesuffix(".vtt"))))


def plan(files: Sequence[JobFile], save_path: Path, home: Path) -> list[Beside]:
    """Of each wanted video.  `home` is the job's folder; of several videos each has its own in it."""
    videos = [x for x in files if x.wanted and x.size and is_video(x.path)]
    names = _folders(videos) if len(videos) > 1 else ["" for _ in videos]
    return [_beside(video, files, save_path, home / name) for video, name in zip(videos, names, strict=True)]


def _beside(video: JobFile, files: Sequence[JobFile], save_path: Path, folder: Path) -> Beside:
    some = subtitles_of(video, files)
    named = sidecars(save_path / x.path for x in some)
    return Beside(video, tuple(zip(some, named, strict=True)), folder)


def _folders(videos: Iterable[JobFile]) -> list[str]:
    """One for each, in their order: its name without its ending, and a number where that is taken."""
    names: list[str] = []
    used: set[str] = set()
    for video in videos:
        name = clean = _clean(PurePosixPath(video.path).stem)
        number = 1
        while name.casefold() in used:
            number += 1
            name = f"{clean} ({number})"
        used.add(name.casefold())
        names.append(name)
    return names


def _clean(name: str) -> str:
    """A stranger's, fit to be a folder's: nothing hidden, nothing that cannot be read or is too long."""
    plain = "".join(x if x.isprintable() else " " for x in name)[:_MOST_NAME]
    short = plain.encode(errors="replace")[: 2 * _MOST_NAME].decode(errors="ignore")
    return short.strip(". ") or "video"


def row(beside: Beside, made: Extracted, key: str) -> Subtitle:
    """`key` is unique among what is beside this video."""
    return Subtitle(
        file_index=beside.video.index,
        path=str(made.path) if made.path else f"{beside.video.index}/{key}",
        language=made.kind.language,
        title=made.title,
        origin=made.origin,
        note=made.note,
    )


def coming(beside: Beside, sidecar: Sidecar) -> Subtitle:
    """What stands for a file that is not here yet: where it will be."""
    return Subtitle(
        file_index=beside.video.index,
        path=str(beside.folder / sidecar.name),
        language=sidecar.kind.language,
        origin=sidecar.path.name,
        note=ARRIVING,
    )


def known(beside: Beside, rows: Iterable[Subtitle]) -> Video:
    """What need not be made again.  Looks at the disk: for a thread."""
    own = [x for x in rows if x.file_index == beside.video.index]
    rest = list(told(own))
    is_marked = len(rest) < len(own)
    files: dict[int, Subtitle] = {}
    for file, sidecar in beside.files:
        if found := next((x for x in rest if _is_of(x, sidecar, beside.folder)), None):
            rest.remove(found)
            files |= {file.index: found} if is_there(found) else {}
    tracks = tuple(x for x in rest if is_there(x) and _is_free(x, beside))
    is_whole = bool(own) and not is_marked and len(tracks) == len(rest)
    return Video(beside, Stage.ALL if is_whole else Stage.NOTHING, tracks, files)


def without_guesses(video: Video, frame_rate: float | None) -> dict[int, Subtitle]:
    """The files that were read, but those that count frames, of a rate that was not known then."""
    if video.frame_rate or not frame_rate:
        return dict(video.files)
    frames = {file.index for file, _ in video.beside.files if suffix(file.path) == ".sub"}
    return {index: row for index, row in video.files.items() if index not in frames}


def _is_free(track: Subtitle, beside: Beside) -> bool:
    """Whether a track may have this name: not where another file came with the video since."""
    path = Path(track.path)
    return not is_made(track) or (path.parent == beside.folder and path.name not in beside.names)


def _is_of(row: Subtitle, sidecar: Sidecar, folder: Path) -> bool:
    return row.origin == sidecar.path.name and (not is_made(row) or Path(row.path) == folder / sidecar.name)
