"""Subtitles beside a video: its own text tracks, and files that came with it, as WebVTT.

ffmpeg takes the tracks out as they are; tracks and files then go one way, through `cues` and `webvtt`.  So
what a file says is read here, where nothing it says can do harm, and a drawing of SubStation Alpha does not
become words (as ffmpeg makes it).

A subtitle fails no job: what cannot be made has no path, and a note that says why.  A file is in place whole
or not at all.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from htdl.media.cues import read
from htdl.media.encodings import decode
from htdl.media.leftovers import TEXT, left_out
from htdl.media.probe import Stream, words_about
from htdl.media.process import Finished, Limits, run
from htdl.media.source import FORMATS, Source
from htdl.media.subtitle_names import Kind, file_names, of_file, of_stream
from htdl.media.tools import Tools
from htdl.media.webvtt import MAX_CUES, render

MAX_TRACKS = 50
MAX_BYTES = 20 << 20  # of each track or file
READ_SECONDS = 20.0  # for all of a video; a usual one takes some 0.01 s

_MEMORY = 4 << 30
_AS_IS = {"subrip": "srt", "ass": "ass", "webvtt": "webvtt"}  # codec: the muxer that takes a copy of it
_NO_TEXT = {b"\0\0\1\xba": "it holds pictures, no text", b"PG": "it holds pictures, no text",
            b"# VobSub": "it is the index of pictures"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One track or file.  `path` is None where nothing came out of it; `note` says in words what was lost.

    `origin` says in words what it is made of; `index` is the track's in its video, None of a file.
    """

    path: Path | None
    kind: Kind
    origin: str
    note: str = ""
    title: str | None = None
    index: int | None = None
    cues: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A subtitle file that came with a video, and the name of what becomes of it."""

    path: Path
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class _Track:
    stream: Stream
    name: str

    @property
    def origin(self) -> str:
        return f"track {self.stream.index} ({self.stream.codec})"


def sidecars(paths: Iterable[Path]) -> list[Sidecar]:
    """The files of one video, named by what their names say.  Pure: give all that are to come, in the same
    order each time, so that each keeps its name; they come before the tracks of the video, which is known
    later.
    """
    found = [(path, of_file(path.name)) for path in paths]
    names = file_names(kind for _, kind in found)
    return [Sidecar(path=path, kind=kind, name=name) for (path, kind), name in zip(found, names, strict=True)]


async def convert_sidecar(sidecar: Sidecar, folder: Path, *, frame_rate: float | None = None) -> Extracted:
    """Reads the whole file.  `frame_rate`: of the video, for formats that count its frames."""
    made = Extracted(path=None, kind=sidecar.kind, origin=sidecar.path.name)
    ends = time.monotonic() + READ_SECONDS
    return await asyncio.to_thread(_make, made, sidecar.path, folder / sidecar.name, ends, frame_rate)


async def extract(
    tools: Tools,
    source: Source,
    streams: Sequence[Stream],
    folder: Path,
    *,
    seconds: float,
    here: int | None = None,
    taken: Collection[str] = (),
) -> list[Extracted]:
    """The subtitle tracks of a video, in their order; `folder` is made, and no two run in it at once.

    `here`: of a file that is still arriving, how many bytes from its start can be read; ffmpeg sees the file
    end there, and gives the cues so far.  Run it again for more: a track's name is the same each time, and
    `taken` (names of sidecars) is never used.  A URL is read until it ends; after `seconds` ffmpeg is ended,
    and what came is kept.
    """
    subtitles = [x for x in streams if x.kind == "subtitle"]
    texts = [x for x in subtitles if x.codec in TEXT]
    names = file_names((of_stream(x) for x in texts), taken)
    tracks = [_Track(x, name) for x, name in zip(texts, names, strict=True)][:MAX_TRACKS]
    made = {x.index: _nothing(x, "one track too many" if x in texts else left_out(x)) for x in subtitles}
    if not tracks:
        return list(made.values())
    raw = folder / ".tracks"
    try:
        await asyncio.to_thread(_empty, raw)
        faults = await _take_out(tools, _input(source, here), source, tracks, raw, seconds)
        ends = time.monotonic() + READ_SECONDS
        for track in tracks:
            found = replace(made[track.stream.index], note=faults.get(track.name, ""), origin=track.origin)
            made[track.stream.index] = await asyncio.to_thread(
                _make, found, raw / track.name, folder / track.name, ends
            )
    except OSError as exc:
        made = {x.index: _nothing(x, f"it cannot be written: {exc.strerror}") for x in subtitles}
    finally:
        await asyncio.to_thread(shutil.rmtree, raw, ignore_errors=True)
    return list(made.values())


def _nothing(stream: Stream, why: str) -> Extracted:
    kind = of_stream(stream)
    origin = f"track {stream.index} ({stream.codec or 'of a kind not known'})"
    return Extracted(path=None, kind=kind, origin=origin, note=why, title=stream.title, index=stream.index)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)


# Out of the video


def _input(source: Source, here: int | None) -> list[str]:
    """The file as if it ended at `here`: https://ffmpeg.org/ffmpeg-protocols.html#subfile."""
    if here is None or source.is_url:
        return source.arguments
    part = f"subfile,,start,0,end,{max(here, 1)},,:{source.url}"
    return ["-protocol_whitelist", "subfile,file", "-format_whitelist", FORMATS, "-i", part]


async def _take_out(
    tools: Tools, opened: list[str], source: Source, tracks: Sequence[_Track], raw: Path, seconds: float
) -> dict[str, str]:
    """By name of a track, what went wrong.  One ffmpeg for all; where one track stops it, one for each."""
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds
    done = await _run(tools, opened, tracks, raw, seconds)
    if done.is_good:
        return {}
    if done.stopped or len(tracks) == 1:
        words = words_about(done, source).replace(opened[-1].removesuffix(source.url), "")
        words = words.removeprefix(f"{source.name}: ")
        return {track.name: words for track in tracks}
    faults: dict[str, str] = {}
    for track in tracks:
        faults |= await _take_out(tools, opened, source, [track], raw, max(ends - clock(), 1.0))
    return faults


async def _run(
    tools: Tools, opened: list[str], tracks: Sequence[_Track], raw: Path, seconds: float
) -> Finished:
    command = [tools.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *opened]
    for track in tracks:
        muxer = _AS_IS.get(track.stream.codec)
        codec = "copy" if muxer else "ass" if track.stream.codec == "ssa" else "subrip"
        command += ["-map", f"0:{track.stream.index}", "-c:s", codec, "-flush_packets", "1"]
        command += ["-fs", str(MAX_BYTES), "-f", muxer or codec.replace("subrip", "srt")]
        command.append(f"file:{raw / track.name}")
    # -fs is no hard bound: it looks at what was written before
    return await run(command, Limits(seconds=seconds, memory=_MEMORY, file_bytes=2 * MAX_BYTES))


# Into WebVTT


def _make(
    made: Extracted, source: Path, target: Path, ends: float, frame_rate: float | None = None
) -> Extracted:
    """Blocks; reads no more when the clock `time.monotonic` is at `ends`.  A note that `made` has stays."""
    try:
        data, is_cut = _content(source)
    except OSError as exc:
        return replace(made, note=made.note or f"it cannot be read: {exc.strerror}")
    if words := next((words for head, words in _NO_TEXT.items() if data.startswith(head)), None):
        return replace(made, note=words)
    found = read(decode(data, made.kind.language), frame_rate, lambda: time.monotonic() < ends)
    text, cues = render(found.cues)
    notes = [
        made.note,
        found.lost if cues else "",
        f"read up to {MAX_BYTES >> 20} MiB" if is_cut else "",
        "not read to its end: it took too long" if time.monotonic() >= ends else "",
        f"the first {MAX_CUES} cues" if cues == MAX_CUES else "",
    ]
    note = "; ".join(filter(None, notes))
    if not cues:
        return replace(made, note=note or "it holds no subtitles that can be read")
    try:
        _put(text, target)
    except OSError as exc:
        return replace(made, note=f"it cannot be written: {exc.strerror}")
    return replace(made, path=target, cues=cues, note=note)


def _content(path: Path) -> tuple[bytes, bool]:
    """At most MAX_BYTES, and whether there is more.  Of a plain file alone: to open a pipe might wait."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:  # noqa: PTH123 - a handle, not a path
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no plain file")
        data = file.read(MAX_BYTES + 1)
    return data[:MAX_BYTES], len(data) > MAX_BYTES


def _put(text: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    _flush(target.parent)


def _flush(folder: Path) -> None:
    """Its names, onto the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
