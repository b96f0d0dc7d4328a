"""MP4 and QuickTime (ISO/IEC 14496-12): boxes, with `moov` before the media or behind it.

All of `moov` is needed before the first frame.  In a fragmented file it is followed by `moof` boxes, each
with its own media; such a file has points where one `sidx` covers it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from htdl.stream.container.found import MAX_INDEX, Broken, File, Found, Points, growing
from htdl.stream.container.samples import Track, track_of

FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}
MAX_BOXES = 1000  # of a file that are looked at
MAX_CHILDREN = 200  # of a box
MAX_TRACKS = 8  # of pictures and sound
MAX_MOOV = 4 * MAX_INDEX
MAX_FIRST_SAMPLE = 16 << 20
FRAGMENT_BYTES = 256 << 10  # of the first fragment's media: its first frame is in there


@dataclass(frozen=True, slots=True)
class Box:
    """`start` is that of its header, `body` that of what follows, `stop` the first byte behind it."""

    kind: bytes
    start: int
    body: int
    stop: int


def look(file: File, found: Found) -> None:
    boxes: dict[bytes, Box] = {}
    for box in _top_boxes(file):
        boxes.setdefault(box.kind, box)
        if box.kind in (b"moov", b"mdat"):
            found.need(0 if box.kind == b"mdat" else box.start, box.body)
        if boxes.keys() >= {b"moov", b"mdat"}:
            break
    if b"moov" not in boxes:
        raise Broken
    moov = boxes[b"moov"]
    if moov.stop - moov.start > MAX_MOOV:
        raise Broken
    found.need(moov.start, moov.stop)
    if moov.stop - moov.body <= MAX_INDEX:
        _read_moov(file.take(moov.body, moov.stop - moov.body), file, found)
    if b"moof" in boxes or not found.points:
        _read_fragments(boxes, file, found)


def _top_boxes(file: File) -> Iterator[Box]:
    offset = 0
    for _ in range(MAX_BOXES):
        if file.size - offset < 8:
            return
        length, kind = struct.unpack(">I4s", file.take(offset, 8))
        body = offset + 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.take(body, 8))
            body += 8
        stop = offset + length if length else file.size
        if stop < body:
            raise Broken
        yield Box(kind, offset, body, min(stop, file.size))
        offset = stop


def children(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes within a box, each with its body; ends at what makes no sense."""
    offset = 0
    for _ in range(MAX_CHILDREN):
        if len(view) - offset < 8:
            return
        length, kind = struct.unpack_from(">I4s", view, offset)
        body = 8
        if length == 1 and len(view) - offset >= 16:
            (length,) = struct.unpack_from(">Q", view, offset + 8)
            body = 16
        length = length or len(view) - offset
        if length < body:
            return
        yield kind, view[offset + body : offset + length]
        offset += length


def child(view: memoryview, *path: bytes) -> memoryview | None:
    for name in path:
        inner = next((body for kind, body in children(view) if kind == name), None)
        if inner is None:
            return None
        view = inner
    return view


def _read_moov(data: bytes, file: File, found: Found) -> None:
    moov = memoryview(data)
    header = child(moov, b"mvhd")
    found.duration = _duration(header) if header else None
    traks = [body for kind, body in children(moov) if kind == b"trak"]
    points: list[tuple[float, int]] = []
    for track in islice(filter(None, map(_track, traks)), MAX_TRACKS):
        first = track.first_sample
        if len(first) <= MAX_FIRST_SAMPLE and first.stop <= file.size:
            found.need(first.start, first.stop)
        points += track.points()
    found.points = growing(points, file.size)


def _track(trak: memoryview) -> Track | None:
    """A track of pictures or sound that has samples; None for others."""
    media = child(trak, b"mdia")
    header, handler = (child(media, x) for x in (b"mdhd", b"hdlr")) if media else (None, None)
    table = child(media, b"minf", b"stbl") if media else None
    if not header or not handler or not table or bytes(handler[8:12]) not in (b"vide", b"soun"):
        return None
    return track_of(dict(children(table)), _times(header)[0])


def _times(header: memoryview) -> tuple[int, int]:
    """Units a second, and units, of `mvhd` and `mdhd`: 64 bit in version 1."""
    return struct.unpack_from(">IQ", header, 20) if header[0] == 1 else struct.unpack_from(">II", header, 12)


def _duration(header: memoryview) -> float | None:
    scale, units = _times(header)
    unknown = units in (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
    return None if unknown or not scale else units / scale


def _read_fragments(boxes: dict[bytes, Box], file: File, found: Found) -> None:
    media = boxes.get(b"mdat")
    if media:
        found.need(media.start, min(media.stop, media.body + FRAGMENT_BYTES))
    if b"moof" in boxes:
        found.need(boxes[b"moof"].start, boxes[b"moof"].stop)
    index = boxes.get(b"sidx")
    if index and index.stop - index.body <= MAX_INDEX:
        data = file.take(index.body, index.stop - index.body)
        found.points = _sidx_points(data, index.stop, file.size)
        if found.points and not found.duration:
            found.duration = found.points[-1][0]


def _sidx_points(data: bytes, anchor: int, size: int) -> Points:
    """Where each subsegment ends; none when the index covers a part of the file only, or lists others."""
    wide = data[0] == 1
    (scale,) = struct.unpack_from(">I", data, 8)
    first, count = struct.unpack_from(">8xQ2xH" if wide else ">4xI2xH", data, 12)
    entries = list(struct.iter_unpack(">3I", data[32 if wide else 24 :][: count * 12]))
    offset, units = anchor + first, 0
    points = [(0.0, offset)]
    for length, duration, _ in entries:
        offset, units = offset + length, units + duration
        points.append((units / max(1, scale), offset))
    is_whole = bool(entries) and scale > 0 and max(x[0] for x in entries) < 1 << 31 and offset > size * 0.9
    return growing(points[:: max(1, len(points) // 1000)] + points[-1:], size) if is_whole else ()
