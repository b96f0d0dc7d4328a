"""Whether ffmpeg can make what is configured, and read what comes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from htdl.answers import Finding, Level
from htdl.config import Conversion
from htdl.core.conversion import codec_for
from htdl.errors import ConversionFailed
from htdl.media import tools

_ENCODERS = {"h264": {"libx264", "aac"}, "vp9": {"libvpx-vp9", "libopus"}, "av1": {"libsvtav1", "libopus"}}
# what films come in, by any of the names under which ffmpeg reads it
_DECODERS = {
    "H.264": {"h264"},
    "HEVC": {"hevc"},
    "AV1": {"libdav1d", "libaom-av1"},  # its own "av1" needs a graphics card
    "VP9": {"vp9", "libvpx-vp9"},
    "MPEG-4": {"mpeg4"},
    "MPEG-2": {"mpeg2video"},
    "AAC": {"aac"},
    "AC-3": {"ac3"},
    "E-AC-3": {"eac3"},
    "DTS": {"dca"},
    "TrueHD": {"truehd"},
    "FLAC": {"flac"},
    "Opus": {"opus", "libopus"},
}
_OTHER = "take another: conversion.ffmpeg_path, or pip install 'htdl[ffmpeg]'"


async def look(config: Conversion) -> list[Finding]:
    if not config.enabled or config.target_format == "original":
        return [Finding("ffmpeg", Level.OK, "not needed: videos are kept as they come")]
    try:
        found = await tools.find_tools(config.ffmpeg_path, config.ffprobe_path)
    except ConversionFailed as exc:
        words = f"{exc.message}; videos are downloaded, and not converted"
        return [Finding("ffmpeg", Level.FAIL, words, exc.hint or "")]
    return [
        _taken(config, found),
        *lacks(config, found.has, await tools.decoders(found.ffmpeg)),
    ]


def _taken(config: Conversion, found: tools.Tools) -> Finding:
    """Which one serves, and whether that is the one that is named."""
    named = shutil.which(config.ffmpeg_path)
    words = f"{found.version}: {found.ffmpeg}"
    is_packaged = named is None and config.ffmpeg_path == Conversion().ffmpeg_path  # by htdl[ffmpeg]
    if not is_packaged and (named is None or Path(named).absolute() != Path(found.ffmpeg)):
        why = "does not serve" if named else "is not there"
        hint = "mend it, or leave conversion.ffmpeg_path out"
        return Finding("ffmpeg", Level.WARN, f"{words}, for {config.ffmpeg_path} {why}", hint)
    return Finding("ffmpeg", Level.OK, words)


def lacks(config: Conversion, has: frozenset[str], reads: frozenset[str]) -> Iterator[Finding]:
    """What is missing, worst first; nothing said of decoders that ffmpeg did not list at all."""
    # in WebM lies no H.264: then VP9 is made
    codec = codec_for(config)
    if missing := _ENCODERS.get(codec, set()) - has:
        words = f"it cannot make {codec}: no {', '.join(sorted(missing))}"
        yield Finding("encoders", Level.FAIL, words, f"{_OTHER}; or set conversion.target_codec")
    if unread := [name for name, names in _DECODERS.items() if reads and not names & reads]:
        yield Finding("decoders", Level.WARN, f"it cannot read {', '.join(unread)}", _OTHER)
    if not {"zscale", "tonemap"} <= has:
        yield Finding("filters", Level.WARN, "no zscale: colours of HDR films will look pale", _OTHER)
