"""What a file is, by its name.  Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import splitext

OCTETS = "application/octet-stream"

# By name: the names in a torrent are a stranger's, so none of these is one that a browser would run (HTML,
# SVG, XML, a script).  A table of our own, for Python's differs with its version and lacks the half.
_TYPES = {
    "video/3gpp": "3gp",
    "video/3gpp2": "3g2",
    "video/mp2t": "ts m2ts mts",
    "video/mp4": "mp4 m4v f4v",
    "video/mpeg": "mpg mpeg mpe m2v vob",
    "video/ogg": "ogv ogm",
    "video/quicktime": "mov qt",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv mk3d",
    "video/x-ms-asf": "asf",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi divx",
    "video/x-yuv4mpeg": "y4m",
    "application/mxf": "mxf",
    "application/vnd.rn-realmedia": "rm rmvb",
    "audio/aac": "aac",
    "audio/ac3": "ac3",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/x-matroska": "mka",
    "image/jpeg": "jpg jpeg",
    "image/png": "png",
    "image/webp": "webp",
    "application/x-subrip": "srt",
    "text/plain": "nfo sub txt",
    "text/vtt; charset=utf-8": "vtt",  # WebVTT is UTF-8 always
    "text/x-ssa": "ass ssa",
}
_TYPE_OF = {f".{ending}": kind for kind, endings in _TYPES.items() for ending in endings.split()}

# Video of which not every media type says so.
VIDEO = frozenset(x for x, kind in _TYPE_OF.items() if kind.startswith("video/")) | {".mxf", ".rm", ".rmvb"}


def media_type(name: str) -> str:
    return _TYPE_OF.get(suffix(name), OCTETS)


def is_video(name: str) -> bool:
    return suffix(name) in VIDEO


@lru_cache(1 << 14)  # a view of a series asks it of each episode
def natural(name: str) -> str:
    """A key that sorts names as people number them: E2 before E10."""
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(20), name.casefold())


def suffix(name: str) -> str:
    """In small letters, with its dot; "" where there is none."""
    return splitext(name)[1].lower()  # a third of the time of a PurePath; a view of 10,000 files asks each
