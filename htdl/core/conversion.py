"""One conversion: find out what is to be done with a video, and do it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from htdl.config import Conversion as Settings
from htdl.jobs import Wanted
from htdl.media.convert import Place, convert, part_for
from htdl.media.plan import ORIGINAL, Effort, Plan, Target, plan
from htdl.media.probe import Probe, probe, refuse_fake
from htdl.media.progress import Progress
from htdl.media.signature import HEAD_BYTES
from htdl.media.source import Source
from htdl.media.tools import Tools, find_tools
from htdl.stream.opening import open_regular

_CODECS = {"webm": "vp9"}  # where none is asked for; else h264
COPY_BLOCK = 64 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    tools: Tools
    probe: Probe
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is made of what.  `name` is unique among all that are made at a time."""

    source: Source
    original: Path  # the source as a file, once it is whole
    target: Path
    temp: Path
    name: str
    stall_seconds: float  # without a step forward: then it hangs
    playlist: Path | None = None  # for who watches meanwhile


async def prepare(source: Source, settings: Settings, wanted: Wanted | None = None) -> Prepared:
    """Look at a source, and decide.  Raises ConversionFailed: no_ffmpeg, bad_media, conversion_failed."""
    tools = await find_tools(settings.ffmpeg_path, settings.ffprobe_path)
    found = await probe(tools, source)
    audio = wanted.audio if wanted else ()
    return Prepared(tools, found, plan(found, target_for(settings, wanted), has=tools.has, audio=audio))


def target_for(settings: Settings, wanted: Wanted | None) -> Target:
    """What is wanted, and as configured where nothing is said.  Who asks for a conversion wants one, also
    where files are kept as they are.
    """
    if wanted is None:
        return Target(settings.target_format, codec_for(settings))
    configured = settings.target_format if settings.target_format != ORIGINAL else Target().format
    chosen = wanted.format or configured
    usual = codec_for(settings) if chosen == settings.target_format else _CODECS.get(chosen, Target().codec)
    return Target(chosen, wanted.codec or usual)


def codec_for(settings: Settings) -> str:
    """As configured; but WebM holds no H.264, which is what is set where only the format was."""
    is_webm_alone = (settings.target_format, settings.target_codec) == ("webm", "h264")
    return _CODECS["webm"] if is_webm_alone else settings.target_codec


async def check_beginning(folder: Path, path: str) -> None:
    """Raises ConversionFailed (bad_media) for what is surely no video, by its first bytes."""
    refuse_fake(await asyncio.to_thread(_beginning, folder, folder / path), PurePosixPath(path).name)


async def perform(
    task: Task,
    prepared: Prepared,
    progress: Callable[[Progress], None],
    is_waiting: Callable[[], bool],
    place: Place,
) -> None:
    """Make the target, and have it put in `place` whole.  What plays as it is is linked there, or copied.

    Raises ConversionFailed, DiskFull, OSError, and what `place` raises.
    """
    await asyncio.to_thread(_make_folders, task)
    part = await asyncio.to_thread(part_for, task.target, task.temp, task.name)
    if prepared.plan.effort is Effort.NONE:
        try:
            await _link(task.original, part, progress)
            await place(part)
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        return
    await convert(
        prepared.tools,
        task.source,
        prepared.plan,
        part,
        place,
        duration=prepared.probe.duration,
        progress=progress,
        stall_seconds=task.stall_seconds,
        is_waiting=is_waiting,
        hls=task.playlist,
    )


def show_folder(temp: Path, name: str) -> Path:
    """Where the playlist for who watches meanwhile is, and all it names."""
    return temp / f"hls-{name}"


def sweep(task: Task) -> None:
    """Remove what a run that was cut off may have left, where that can be done.  Blocks."""
    shutil.rmtree(show_folder(task.temp, task.name), ignore_errors=True)
    for folder in (task.temp, task.target.parent):
        with contextlib.suppress(OSError):  # a disk that is not there just now: its next run writes over it
            (folder / f".htdl-{task.name}.part{task.target.suffix}").unlink(missing_ok=True)


def _beginning(folder: Path, path: Path) -> bytes:
    with open_regular(folder, path) as file:
        return file.read(HEAD_BYTES)


def _make_folders(task: Task) -> None:
    for folder in (task.target.parent, task.temp):
        folder.mkdir(parents=True, exist_ok=True)


async def _link(original: Path, part: Path, progress: Callable[[Progress], None]) -> None:
    """What plays as it is takes no room where it can have a second name."""
    await asyncio.to_thread(part.unlink, missing_ok=True)
    try:
        await asyncio.to_thread(os.link, original, part, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        await _copy(original, part, progress)


async def _copy(original: Path, part: Path, progress: Callable[[Progress], None]) -> None:
    """Block by block, so that it can be cut off."""
    with (
        await asyncio.to_thread(open_regular, original.parent, original) as source,
        part.open("xb") as copy,  # not in a thread, which would make it after it was cut off
    ):
        size, done = os.fstat(source.fileno()).st_size, 0
        progress(Progress(seconds=0.0, bytes=size))  # what it needs, should the disk be too full for it
        while count := await asyncio.to_thread(_copy_block, source.fileno(), copy.fileno()):
            done += count
            progress(Progress(seconds=0.0, bytes=size, fraction=done / size))
        await asyncio.to_thread(os.fsync, copy.fileno())


def _copy_block(source: int, copy: int) -> int:
    return os.sendfile(copy, source, None, COPY_BLOCK)
