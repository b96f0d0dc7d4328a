"""Which ffmpeg and ffprobe serve: what is configured, else what is on PATH, else the packaged one.

A program serves when it runs, is new enough and has what every conversion needs.  It is asked once, and again
when its file has changed.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from htdl.errors import ConversionFailed
from htdl.media.process import Limits, run

OLDEST = (5, 1)  # what the arguments of this room were measured with, up to 9.0
NEEDED = frozenset({"libx264", "aac", "hls", "mp4"})

_ENCODERS = "libx264 aac libopus libvpx-vp9 libsvtav1 libmp3lame webvtt mov_text"
_FILTERS = "zscale tonemap bwdif scale format"
_MUXERS = "mp4 webm hls tee"
_LOOKED_FOR = {
    "-encoders": frozenset(_ENCODERS.split()),
    "-filters": frozenset(_FILTERS.split()),
    "-muxers": frozenset(_MUXERS.split()),
}
_OLDEST_PYAV = (18, 1)
_VERSION = re.compile(r"^ff\w+ version (\S+)")
_NUMBERS = re.compile(r"n?(\d+)\.(\d+)")  # a build of a snapshot has none: "N-118372-g…", "2026-01-02-git-…"
_LIMITS = Limits(seconds=20, memory=4 << 30, nice=0)
_HINT = "pip install 'htdl[ffmpeg]', or install your system's ffmpeg package (5.1 or newer)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Paths are absolute.  `has`: of the encoders, filters and muxers looked for, those that ffmpeg has."""

    ffmpeg: str
    ffprobe: str | None  # None: PyAV, in a child process
    version: str
    has: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """What a file turned out to be; `fault` says in words why it does not serve."""

    path: str
    version: str = ""
    has: frozenset[str] = frozenset()
    fault: str | None = None


_known: dict[tuple[str, int], _Program] = {}  # by path and time of change: each is asked once


async def find_tools(ffmpeg_path: str, ffprobe_path: str) -> Tools:
    """`ffmpeg_path`, `ffprobe_path`: names on PATH, or paths.

    Raises ConversionFailed (no_ffmpeg), which says what is wrong with each that was found.
    """
    faults: list[str] = []
    for path in [*_on_path(ffmpeg_path, "ffmpeg"), None]:
        found = path or await asyncio.to_thread(_packaged)
        if found and (program := await _ask_ffmpeg(found)).fault is None:
            ffprobe = await _find_ffprobe(ffprobe_path, found)
            return Tools(ffmpeg=found, ffprobe=ffprobe, version=program.version, has=program.has)
        if found:
            faults.append(f"{found} {program.fault}")
    raise _missing("ffmpeg", "; ".join(faults) or "none is installed")


async def _find_ffprobe(configured: str, ffmpeg: str) -> str | None:
    """The one beside ffmpeg comes after the one that is configured."""
    beside = str(Path(ffmpeg).with_name("ffprobe"))
    faults = []
    for path in _on_path(configured, beside, "ffprobe"):
        program = await _ask(path, needed=False)
        if program.fault is None:
            return path
        faults.append(f"{path} {program.fault}")
    if has_pyav():
        return None
    raise _missing("ffprobe", "; ".join(faults) or "neither it nor PyAV 18.1 is installed")


def has_pyav() -> bool:
    """Whether a PyAV is here, and tells all we ask: before 18.1 it knew no levels.  It is not loaded."""
    try:
        numbers = _NUMBERS.match(importlib.metadata.version("av"))
    except importlib.metadata.PackageNotFoundError:
        return False
    return numbers is not None and (int(numbers.group(1)), int(numbers.group(2))) >= _OLDEST_PYAV


def _missing(what: str, why: str) -> ConversionFailed:
    return ConversionFailed(f"no {what} that serves was found: {why}", hint=_HINT, code="no_ffmpeg")


def _on_path(*names: str) -> list[str]:
    """Absolute paths of the programs that exist, each once, in order."""
    found = (shutil.which(name) for name in names)
    return list(dict.fromkeys(str(Path(path).absolute()) for path in found if path))


def _packaged() -> str | None:
    """The binary of the package imageio-ffmpeg.  Blocks: it may run what it finds."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return str(Path(shutil.which(imageio_ffmpeg.get_ffmpeg_exe()) or "").absolute())
    except RuntimeError:  # a wheel without a binary, on a platform it does not know
        return None


async def _ask_ffmpeg(path: str) -> _Program:
    return await _ask(path, needed=True)


async def _ask(path: str, *, needed: bool) -> _Program:
    try:
        key = (path, Path(path).stat().st_mtime_ns)
    except OSError as exc:
        return _Program(path=path, fault=f"cannot be read: {exc.strerror}")
    if key not in _known:
        _known[key] = await (_examine(path) if needed else _version(path))
    return _known[key]


async def _version(path: str) -> _Program:
    done = await run([path, "-hide_banner", "-version"], _LIMITS)
    first = done.stdout.decode(errors="replace").partition("\n")[0]
    match = _VERSION.match(first)
    if not done.is_good or match is None:
        return _Program(path=path, fault=f"does not work: {done.last_words}")
    version = match.group(1)
    if is_too_old(version):
        return _Program(path=path, fault=f"is version {version}, and {OLDEST[0]}.{OLDEST[1]} is needed")
    return _Program(path=path, version=version)


async def _examine(path: str) -> _Program:
    program = await _version(path)
    if program.fault:
        return program
    lists = await asyncio.gather(*(run([path, "-hide_banner", option], _LIMITS) for option in _LOOKED_FOR))
    has = frozenset[str]().union(
        *(names_in(done.stdout.decode(errors="replace")) & looked_for
          for done, looked_for in zip(lists, _LOOKED_FOR.values(), strict=True))
    )  # fmt: skip
    lacks = ", ".join(sorted(NEEDED - has))
    return _Program(
        path=path, version=program.version, has=has, fault=f"was built without {lacks}" if lacks else None
    )


def is_too_old(version: str) -> bool:
    """A snapshot's version says nothing: what it has decides."""
    match = _NUMBERS.match(version)
    return match is not None and (int(match.group(1)), int(match.group(2))) < OLDEST


def names_in(listing: str) -> frozenset[str]:
    """Of `ffmpeg -encoders`, `-filters` or `-muxers`: flags, the name, and words."""
    rows = (line.split() for line in listing.splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


async def decoders(ffmpeg: str) -> frozenset[str]:
    """All that it can read, by ffmpeg's names; empty where it does not say."""
    done = await run([ffmpeg, "-hide_banner", "-decoders"], _LIMITS)
    return names_in(done.stdout.decode(errors="replace"))
