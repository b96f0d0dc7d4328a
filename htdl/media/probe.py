"""What a media file holds, as ffprobe (or PyAV in its place) says it.

The values come from a file that strangers made: each is checked and bounded, and what makes no sense counts
as not known.  Only a file of which nothing can be read is an error.
"""

from __future__ import annotations

import asyncio
import errno
import json
import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from htdl.errors import ConversionFailed
from htdl.media.process import Finished, Limits, run
from htdl.media.signature import HEAD_BYTES, UNKNOWN, identify
from htdl.media.source import Source
from htdl.media.tools import Tools

MAX_STREAMS = 1000  # a film on disc has some 60
MAX_SECONDS = 1e6  # eleven days; more is a broken clock
MAX_TEXT = 200  # characters of a title

T = TypeVar("T")

_AV_PROBE = str(Path(__file__).with_name("av_probe.py"))
_MEMORY = 4 << 30  # of address space; 0.6 GB is too little for some films (measured)

_HINDRANCES = (  # as ffprobe, PyAV and the launcher say them: errno's words, and Python's own
    *map(os.strerror, (errno.ENOENT, errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)),
    "MemoryError",
)

_KINDS = ("video", "audio", "subtitle", "attachment", "data")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")  # ISO 639, or BCP 47
_COMMENTARY = re.compile(r"comment|kommentar|comentario", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Names are those of ffprobe ("subrip", "yuv420p10le", "smpte2084"); what is not known is "", 0 or None.

    `rotation` is 0, 90, 180 or 270 degrees; `duration` seconds, `bit_rate` bits a second.
    """

    index: int
    kind: str  # "video", "audio", "subtitle", "attachment" or "data"
    codec: str = ""
    profile: str = ""
    language: str | None = None
    title: str | None = None
    is_default: bool = False
    is_forced: bool = False
    is_cover: bool = False
    is_commentary: bool = False
    is_hearing_impaired: bool = False
    is_visual_impaired: bool = False
    width: int = 0
    height: int = 0
    pixel_format: str = ""
    level: int = 0  # as the codec counts: h264 4.1 is 41
    frame_rate: float | None = None
    field_order: str = ""
    transfer: str = ""
    rotation: int = 0
    channels: int = 0
    sample_rate: int = 0
    bit_rate: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`container` is ffprobe's format name ("matroska,webm"); `size` bytes, None where it is not known."""

    container: str
    duration: float | None
    size: int | None
    bit_rate: int | None
    streams: tuple[Stream, ...]

    @property
    def video(self) -> Stream | None:
        """The film: the first picture that is no cover."""
        return next((x for x in self.streams if x.kind == "video" and not x.is_cover), None)

    @property
    def audio(self) -> tuple[Stream, ...]:
        return tuple(x for x in self.streams if x.kind == "audio")

    @property
    def subtitles(self) -> tuple[Stream, ...]:
        return tuple(x for x in self.streams if x.kind == "subtitle")


async def probe(tools: Tools, source: Source, *, seconds: float = 30.0) -> Probe:
    """What the source holds.  Of one that is still arriving, this waits until its head and index are here.

    Raises ConversionFailed: bad_media for what is no video; conversion_failed where that cannot be told now,
    since it cannot be read, takes longer than `seconds`, or its reader was ended.
    """
    if not source.is_url:
        refuse_fake(await asyncio.to_thread(_head, source), source.name)
    limits = Limits(seconds=seconds, memory=_MEMORY, file_bytes=0, nice=0)  # somebody waits for the answer
    done = await run(_command(tools, source), limits)
    if not done.is_good:
        blame = _unread if _was_hindered(done) else bad_media
        raise blame(source.name, words_about(done, source))
    return parse(done.stdout, source.name)


def refuse_fake(head: bytes, name: str) -> None:
    """`head`: the first HEAD_BYTES of the file called `name`.

    Raises ConversionFailed (bad_media) for what is surely no video; what is not known may be one.
    """
    found = identify(head)
    if found.kind is None and found is not UNKNOWN:
        raise bad_media(name, f"it is {found.words}")


def words_about(done: Finished, source: Source) -> str:
    """Why ffmpeg ended, without the source's path, or its URL, which holds a secret."""
    words = done.last_words
    for place in (source.url, source.target):
        words = words.removeprefix(f"{place}: ").replace(place, source.name)
    return words


def _command(tools: Tools, source: Source) -> list[str]:
    if tools.ffprobe:
        shape = ["-v", "error", "-of", "json", "-show_format", "-show_streams"]
        return [tools.ffprobe, *shape, *source.arguments]
    asked = json.dumps({"url": source.url, "options": source.options})
    return [sys.executable, "-P", _AV_PROBE, asked]  # -P: this folder's names must not hide other modules


def _head(source: Source) -> bytes:
    path = Path(source.target)
    try:
        if not path.is_file():  # to open a named pipe would wait for ever
            raise _unread(source.name, "there is no such file")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as exc:
        raise _unread(source.name, f"it cannot be read: {exc.strerror}") from exc


def parse(text: str | bytes, name: str = "the file") -> Probe:
    """What `ffprobe -of json -show_format -show_streams` printed.

    Raises ConversionFailed (bad_media), and nothing else, for what is no such JSON or has no streams.
    """
    try:
        root = _object(json.loads(text))
    except (ValueError, RecursionError) as exc:  # no JSON, no UTF-8, a number too long; nested too deep
        raise bad_media(name, "its contents cannot be told") from exc
    found = root.get("streams")
    items = found if isinstance(found, list) else []
    if not items:
        raise bad_media(name, "it holds neither video nor audio")
    if len(items) > MAX_STREAMS:
        raise bad_media(name, f"it claims to hold {len(items)} streams")
    streams = {stream.index: stream for item in reversed(items) if (stream := _stream(_object(item)))}
    form = _object(root.get("format"))
    lengths = [x.duration for x in streams.values() if x.duration]
    return Probe(
        container=_word(form.get("format_name")),
        duration=_seconds(form.get("duration")) or max(lengths, default=None),
        size=_count(form.get("size")),
        bit_rate=_count(form.get("bit_rate")),
        streams=tuple(streams[index] for index in sorted(streams)),
    )


def bad_media(name: str, what: str) -> ConversionFailed:
    """`name` is a base name; `what` says in words what is wrong with it."""
    return ConversionFailed(
        f"{name} is not a video that can be used: {what}",
        hint="play the source itself, or look for another copy",
        code="bad_media",
    )


def _unread(name: str, why: str) -> ConversionFailed:
    """It says nothing of the file itself: another time it may be read."""
    return ConversionFailed(f"{name} could not be looked into: {why}", hint="try again in a moment")


def _was_hindered(done: Finished) -> bool:
    """Whether ffprobe failed by what is around it, and not by what it read."""
    is_cut_off = done.stopped is not None or done.code < 0
    return is_cut_off or any(words in line for line in done.stderr for words in _HINDRANCES)


def _stream(item: dict[str, Any]) -> Stream | None:
    """None for what has no number: nothing could name it."""
    index = _count(item.get("index"))
    if index is None:
        return None
    tags = {str(key).lower(): value for key, value in _object(item.get("tags")).items()}
    flags = {key for key, value in _object(item.get("disposition")).items() if value == 1}
    kind = _word(item.get("codec_type"))
    title = _title(tags.get("title"))
    return Stream(
        index=index,
        kind=kind if kind in _KINDS else "data",
        codec=_word(item.get("codec_name")),
        profile=_profile(item.get("profile")),
        language=_language(tags.get("language")),
        title=title,
        is_default="default" in flags,
        is_forced="forced" in flags,
        is_cover=bool(flags & {"attached_pic", "timed_thumbnails"}),
        is_commentary="comment" in flags or bool(_COMMENTARY.search(title or "")),
        is_hearing_impaired="hearing_impaired" in flags,
        is_visual_impaired="visual_impaired" in flags,
        width=_count(item.get("width")) or 0,
        height=_count(item.get("height")) or 0,
        pixel_format=_word(item.get("pix_fmt")),
        level=_count(item.get("level")) or 0,
        frame_rate=_rate(item.get("avg_frame_rate")) or _rate(item.get("r_frame_rate")),
        field_order=_word(item.get("field_order")),
        transfer=_word(item.get("color_transfer")),
        rotation=_rotation(item, tags),
        channels=_count(item.get("channels")) or 0,
        sample_rate=_count(item.get("sample_rate")) or 0,
        bit_rate=_count(item.get("bit_rate")) or _tagged(tags, "bps", _count),
        duration=_seconds(item.get("duration")) or _tagged(tags, "duration", _clock),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """A finite number, also one in a text ("N/A" is none)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int | None:
    """Zero or more, within 63 bits."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number < 2**63 else None


def _seconds(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 < number <= MAX_SECONDS else None


def _clock(value: object) -> float | None:
    """Matroska's statistics: "00:42:10.250000000"."""
    parts = [_number(part) for part in value.split(":")] if isinstance(value, str) else []
    if len(parts) != 3 or None in parts:
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts)
    return _seconds(hours * 3600 + minutes * 60 + seconds)


def _tagged(tags: dict[str, Any], name: str, read: Callable[[object], T | None]) -> T | None:
    """mkvmerge writes "BPS", or with the language of the words: "BPS-eng"."""
    return next((read(value) for key, value in tags.items() if key.partition("-")[0] == name), None)


def _rate(value: object) -> float | None:
    """ "24000/1001"; "0/0" is not known."""
    top, _, bottom = value.partition("/") if isinstance(value, str) else ("", "", "")
    number, by = _number(top), _number(bottom or "1")
    if number is None or not by:
        return None
    return number / by if 0 < number / by <= 1000 else None


def _rotation(item: dict[str, Any], tags: dict[str, Any]) -> int:
    """By a display matrix, or before FFmpeg 5 by a tag; what is not square to the picture is none."""
    sides = item.get("side_data_list")
    turns = [_object(side).get("rotation") for side in sides] if isinstance(sides, list) else []
    turn = next((x for x in map(_number, [*turns, tags.get("rotate")]) if x is not None), 0.0)
    degrees = round(turn) % 360
    return degrees if degrees in {90, 180, 270} else 0


def _word(value: object) -> str:
    """A name out of a fixed list of FFmpeg's."""
    text = value[:MAX_TEXT] if isinstance(value, str) else ""
    return "" if text in {"unknown", "N/A"} or not text.isprintable() else text


def _profile(value: object) -> str:
    """Some versions print the number of one that has no name."""
    text = _word(value)
    return "" if text.lstrip("-").isdecimal() else text


def _title(value: object) -> str | None:
    """Words of a stranger, for people: one line."""
    text = "".join(x if x.isprintable() else " " for x in value) if isinstance(value, str) else ""
    return " ".join(text.split())[:MAX_TEXT] or None


def _language(value: object) -> str | None:
    """It becomes part of a file's name: nothing but a code will do."""
    code = value.strip().lower().replace("_", "-") if isinstance(value, str) else ""
    return code if code != "und" and len(code) <= 20 and _LANGUAGE.fullmatch(code) else None
