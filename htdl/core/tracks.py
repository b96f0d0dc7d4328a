"""Reads the subtitle tracks of one video, as far as it is here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htdl.config import Conversion as Settings
from htdl.errors import ConversionFailed
from htdl.media.probe import probe
from htdl.media.signature import HEAD_BYTES, identify
from htdl.media.source import Source
from htdl.media.subtitles import Extracted, extract
from htdl.media.tools import find_tools
from htdl.stream.opening import open_regular

log = logging.getLogger(__name__)

READ_SECONDS = 600.0  # a film of 50 GB, from a disk of 100 MB/s
SO_FAR = "as far as the video was here"


@dataclass(frozen=True, slots=True)
class Tracks:
    """`has_some`: whether the video has tracks at all; `frame_rate` is that of its picture."""

    made: tuple[Extracted, ...] = ()
    has_some: bool = False
    frame_rate: float | None = None


async def read(
    home: Path, path: Path, folder: Path, settings: Settings, *, here: int | None, taken: Sequence[str]
) -> Tracks:
    """Of the video at `path`, which lies in `home`, into `folder`; `here` and `taken` as in `extract`.  Of a
    video that still arrives, what does not come out yet is not told.

    Raises OSError where the video is not there.
    """
    if not await asyncio.to_thread(_is_media, home, path):
        return Tracks()
    source = Source(str(path))
    try:
        tools = await find_tools(settings.ffmpeg_path, settings.ffprobe_path)
        found = await probe(tools, source)
    except ConversionFailed as exc:
        log.info("no subtitles path=%s: %s", path, exc.message)
        return Tracks()
    made = await extract(tools, source, found.streams, folder, seconds=READ_SECONDS, here=here, taken=taken)
    told = made if here is None else [_so_far(x) for x in made if x.path]
    return Tracks(tuple(told), bool(made), found.video.frame_rate if found.video else None)


def _so_far(made: Extracted) -> Extracted:
    return replace(made, note="; ".join(filter(None, (made.note, SO_FAR))))


def _is_media(home: Path, path: Path) -> bool:
    """By its first bytes: what is of no known kind has no tracks of text.  Raises OSError."""
    with open_regular(home, path) as file:
        return identify(file.read(HEAD_BYTES)).kind is not None
