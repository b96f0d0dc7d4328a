"""AVI: Microsoft's AVI RIFF File Reference, and OpenDML 1.02 for files beyond 1 GiB.

The index is `idx1`, behind the media; in an OpenDML file `indx` at the head names indexes all over it, which
players read before they begin.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from htdl.stream.container.found import MAX_INDEX, Broken, File, Found, buckets, growing

MAX_CHUNKS = 1000  # of a file that are looked at
MAX_CHILDREN = 200  # of a chunk
MAX_HEAD = 4 << 20
MAX_FIRST_FRAME = 64 << 20  # uncompressed 8K
MAX_INDEXES = 512  # of one stream, a GiB each
_HAS_INDEX = 0x10


@dataclass(frozen=True, slots=True)
class Chunk:
    """`name` is that of the list where it is one; `stop` the first byte behind it, padding left out."""

    name: bytes
    body: int
    stop: int

    @property
    def next(self) -> int:
        return self.stop + self.stop % 2


@dataclass(slots=True)
class _Head:
    """Of the header; `video` is the first video stream's number, `frame` a frame's seconds."""

    has_index: bool = False
    streams: int = 0
    video: int | None = None
    frame: float = 0.0
    frames: int = 0
    indexes: list[tuple[int, range]] = field(default_factory=list)  # stream, where its index lies


def look(file: File, found: Found) -> None:
    head: _Head | None = None
    for chunk in _chunks(file, 12, file.size):
        found.need(0, chunk.body)
        if chunk.name == b"hdrl":
            found.need(0, chunk.stop)
            if chunk.stop - chunk.body > MAX_HEAD:
                raise Broken
            head = _read_head(memoryview(file.take(chunk.body, chunk.stop - chunk.body)))
        elif chunk.name == b"movi":
            if head is None:
                raise Broken
            found.duration = head.frames * head.frame or None
            found.need(0, _first_frame(file, chunk, head))
            _read_indexes(file, found, head, chunk)
            return
    raise Broken


def _chunks(file: File, offset: int, stop: int, inside: bytes = b"") -> Iterator[Chunk]:
    """Those side by side; of a list that is named `inside`, what it holds follows."""
    for _ in range(MAX_CHUNKS):
        if stop - offset < 8:
            return
        name, length = struct.unpack("<4sI", file.take(offset, 8))
        body = offset + 8
        end = min(body + length, file.size)
        if name in (b"LIST", b"RIFF"):
            name, body = file.take(body, 4), body + 4
        chunk = Chunk(name, body, max(body, end))
        yield chunk
        offset = chunk.body if name == inside else chunk.next


def _inner(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    offset = 0
    for _ in range(MAX_CHILDREN):
        if len(view) - offset < 8:
            return
        name, length = struct.unpack_from("<4sI", view, offset)
        body = view[offset + 8 : offset + 8 + length]
        if name == b"LIST":
            name, body = bytes(body[:4]), body[4:]
        yield name, body
        offset += 8 + length + length % 2


def _read_head(view: memoryview) -> _Head:
    head = _Head()
    for name, body in _inner(view):
        if name == b"avih":
            microseconds, flags, frames = struct.unpack_from("<I8xII", body)
            head.frame, head.frames = microseconds / 1e6, frames
            head.has_index = bool(flags & _HAS_INDEX)
        elif name == b"strl":
            _read_stream(body, head)
            head.streams += 1
    return head


def _read_stream(view: memoryview, head: _Head) -> None:
    inner = dict(_inner(view))
    header = inner.get(b"strh", memoryview(b""))
    if bytes(header[:4]) == b"vids" and head.video is None:
        scale, rate, _, length = struct.unpack_from("<4I", header, 20)
        head.video = head.streams
        if scale and rate:
            head.frame, head.frames = scale / rate, length or head.frames
    index = inner.get(b"indx")
    if index and index[3] == 0:  # an index of indexes
        (count,) = struct.unpack_from("<I", index, 4)
        for offset, length, _ in struct.iter_unpack("<QII", index[24:][: min(count, MAX_INDEXES) * 16]):
            head.indexes.append((head.streams, range(offset, offset + length)))


def _first_frame(file: File, movi: Chunk, head: _Head) -> int:
    """Where the first picture ends; the first chunk's end where no stream is video."""
    for chunk in _chunks(file, movi.body, file.size, inside=b"rec "):  # what plays together
        if head.video is None or chunk.name[:2] == b"%02d" % head.video:
            if chunk.stop - chunk.body > MAX_FIRST_FRAME:
                raise Broken
            return chunk.stop
    raise Broken


def _read_indexes(file: File, found: Found, head: _Head, movi: Chunk) -> None:
    if head.indexes:
        if sum(len(part) for _, part in head.indexes) > MAX_INDEX:
            raise Broken
        for _, part in head.indexes:
            found.need(part.start, min(part.stop, file.size))
        _read_opendml(file, found, head)
    elif head.has_index and movi.next < file.size:
        found.need(movi.next, movi.next + file.ahead(movi.next))
        for chunk in _chunks(file, movi.next, file.size):
            if chunk.name == b"idx1":
                _read_idx1(file, found, head, movi, chunk)
                return


def _read_idx1(file: File, found: Found, head: _Head, movi: Chunk, index: Chunk) -> None:
    """Entries of chunk name, flags, offset, length; offsets count from the list's name, or from the file's
    beginning.
    """
    length = index.stop - index.body
    found.need(index.body - 8, index.stop)
    if length > MAX_INDEX or head.video is None:
        return
    table = _table(file.take(index.body, length // 16 * 16))
    names, offsets, lengths = table[0::4], table[2::4], table[3::4]
    base = 0 if offsets and offsets[0] >= movi.body - 4 else movi.body - 4
    wanted = [int.from_bytes(b"%02d%s" % (head.video, kind), "little") for kind in (b"dc", b"db")]
    points, frames = [(0.0, movi.body)], 0
    for start, stop in buckets(len(names)):
        run = names[start:stop]
        frames += sum(run.count(name) for name in wanted)
        points.append((frames * head.frame, base + offsets[stop - 1] + 8 + lengths[stop - 1]))
    found.points = growing(points, file.size)


def _read_opendml(file: File, found: Found, head: _Head) -> None:
    """Each index of the video stream: entries of offset and length, from a base."""
    points, frames = [], 0
    for stream, part in head.indexes:
        if stream == head.video and len(part) >= 32 and part.stop <= file.size:
            data = file.take(part.start, len(part))
            count, base = struct.unpack_from("<I4xQ", data, 12)
            table = _table(data[32 : 32 + count * 8][: (len(data) - 32) // 8 * 8])
            offsets, lengths = table[0::2], table[1::2]
            for _, stop in buckets(len(offsets), 100):
                end = base + offsets[stop - 1] + (lengths[stop - 1] & 0x7FFFFFFF)
                points.append(((frames + stop) * head.frame, end))
            frames += len(offsets)
    if points:
        found.points = growing([(0.0, 0), *points], file.size)
        found.duration = frames * head.frame  # the header may count those of the first part only


def _table(data: bytes) -> array[int]:
    table = array("I", data)
    if sys.byteorder == "big":
        table.byteswap()
    return table
