"""Matroska and WebM (RFC 9559): one segment of clusters; the index (Cues) before or, mostly, behind them.

A player reads all that comes before the first cluster, attached fonts and pictures too, and what the seek
head at the beginning lists at the end.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass, field

from htdl.stream.container.ebml import Element, element, elements, number, variable
from htdl.stream.container.found import MAX_INDEX, Broken, File, Found, buckets, growing

MAGIC = b"\x1a\x45\xdf\xa3"
MAX_ELEMENTS = 1000  # before the first cluster, or in one, that are looked at
MAX_CHILDREN = 200  # of an element in memory
MAX_LISTED = 16  # places that the seek head names
MAX_BODY = 4 << 20  # of what is read whole before the first cluster
MAX_CUES = 8 << 20  # larger ones are needed, and not read for points: two hours have about 0.2 MiB
MAX_CUE_POINTS = 200_000  # that are read; the rest of the film is taken as even
MAX_BLOCK = 16 << 20

SEGMENT, SEEK_HEAD, INFO, TRACKS, CUES = 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B
CLUSTER, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0x1F43B675, 0xA3, 0xA0, 0xA1
SEEK, SEEK_POSITION = 0x4DBB, 0x53AC
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK_ENTRY, TRACK_NUMBER, TRACK_TYPE, VIDEO = 0xAE, 0xD7, 0x83, 1
CUE_POINT, CUE_TIME, CUE_POSITIONS, CUE_CLUSTER = 0xBB, 0xB3, 0xB7, 0xF1


@dataclass(slots=True)
class _Segment:
    """`data` is where positions are counted from; `listed` what the seek heads name, in the file's bytes."""

    data: int
    listed: set[int] = field(default_factory=set)
    scale: int = 1_000_000  # nanoseconds a unit of time
    units: float = 0.0
    video: int | None = None
    read: set[int] = field(default_factory=set)  # the elements of which there is one, and it was read


def look(file: File, found: Found) -> None:
    ebml = element(file, 0)
    segment = element(file, _stop(ebml))
    if segment.name != SEGMENT:
        raise Broken
    known = _Segment(segment.body)
    cluster = _read_head(file, found, known)
    found.need(0, _first_block(file, cluster, known))
    for offset in sorted(known.listed):
        if offset >= (cluster.stop or file.size):
            with suppress(Broken):  # an index that cannot be read is no reason not to play
                _read_listed(file, found, known, offset)


def _stop(one: Element) -> int:
    if one.stop is None:
        raise Broken
    return one.stop


def _read_head(file: File, found: Found, known: _Segment) -> Element:
    """All before the first cluster, which is returned."""
    offset = known.data
    for _ in range(MAX_ELEMENTS):
        one = element(file, offset)
        found.need(0, one.body)
        if one.name == CLUSTER:
            return one
        offset = _stop(one)
        found.need(0, offset)
        _read_element(file, found, known, one)
    raise Broken


def _read_element(file: File, found: Found, known: _Segment, one: Element) -> None:
    length = _stop(one) - one.body
    if one.name in known.read:
        return
    known.read.add(one.name)
    if one.name == CUES:
        _read_cues(file, found, known, one)
    elif one.name in (SEEK_HEAD, INFO, TRACKS) and length <= MAX_BODY:
        body = memoryview(file.take(one.body, length))
        if one.name == SEEK_HEAD:
            _read_seek_head(body, file, found, known)
        elif one.name == INFO:
            _read_info(body, found, known)
        else:
            _read_tracks(body, known)


def _read_seek_head(body: memoryview, file: File, found: Found, known: _Segment) -> None:
    """What it lists near the end is asked for at once, before the first cluster has been found."""
    for name, seek in elements(body, MAX_LISTED):
        inner = dict(elements(seek, 8)) if name == SEEK else {}
        if SEEK_POSITION in inner:
            offset = known.data + number(inner[SEEK_POSITION])
            if offset < file.size:
                known.listed.add(offset)
                if offset + file.ahead(offset) == file.size:
                    found.need(offset, file.size)


def _read_info(body: memoryview, found: Found, known: _Segment) -> None:
    inner = dict(elements(body, MAX_CHILDREN))
    known.scale = number(inner[TIMESTAMP_SCALE]) if TIMESTAMP_SCALE in inner else known.scale
    raw = inner.get(DURATION, memoryview(b""))
    known.units = struct.unpack(">d" if len(raw) == 8 else ">f", raw)[0] if len(raw) in (4, 8) else 0.0
    seconds = known.units * known.scale / 1e9
    found.duration = seconds if 0 < seconds < 1e9 else None


def _read_tracks(body: memoryview, known: _Segment) -> None:
    for name, entry in elements(body, MAX_CHILDREN):
        inner = dict(elements(entry, MAX_CHILDREN)) if name == TRACK_ENTRY else {}
        if {TRACK_TYPE, TRACK_NUMBER} <= inner.keys() and number(inner[TRACK_TYPE]) == VIDEO:
            known.video = number(inner[TRACK_NUMBER]) if known.video is None else known.video


def _first_block(file: File, cluster: Element, known: _Segment) -> int:
    """Where the first picture's bytes end; the first block's where there is no video track."""
    offset = cluster.body
    for _ in range(MAX_ELEMENTS):
        if offset >= file.size or offset >= (cluster.stop or file.size):
            return min(offset, file.size)
        one = element(file, offset)
        offset = _stop(one)
        if one.name in (SIMPLE_BLOCK, BLOCK_GROUP):
            if offset - one.body > MAX_BLOCK:
                raise Broken
            if known.video in (None, _track_number(file, one)):
                return min(offset, file.size)
    raise Broken


def _track_number(file: File, one: Element) -> int | None:
    """Of a block, which begins with it, or of the first one in a group."""
    body = one.body
    if one.name == BLOCK_GROUP:
        inner = element(file, body)
        if inner.name != BLOCK:
            return None
        body = inner.body
    head = memoryview(file.take(body, min(8, file.size - body)))
    return variable(head)[0]


def _read_listed(file: File, found: Found, known: _Segment, offset: int) -> None:
    one = element(file, offset)
    stop = min(_stop(one), file.size)
    if one.name == CLUSTER or stop - offset > MAX_INDEX:
        return
    found.need(offset, stop)
    if one.name == CUES and CUES not in known.read:
        known.read.add(CUES)
        _read_cues(file, found, known, one)


def _read_cues(file: File, found: Found, known: _Segment, cues: Element) -> None:
    length = _stop(cues) - cues.body
    if length > MAX_CUES or _stop(cues) > file.size:
        return
    body = memoryview(file.take(cues.body, length))
    try:
        spots = _cue_points(body, known)
    except Broken:  # it plays without points
        return
    if spots and found.duration:
        spots.append((found.duration, file.size))
        found.points = growing([spot for spot in spots if spot[0] <= found.duration], file.size)


def _cue_points(body: memoryview, known: _Segment) -> list[tuple[float, int]]:
    """(seconds, where the cluster begins that holds what plays then), some hundred of them."""
    entries = [view for name, view in elements(body, MAX_CUE_POINTS) if name == CUE_POINT]
    spots = []
    for start, _ in buckets(len(entries)):
        inner = dict(elements(entries[start], 64))
        place = dict(elements(inner.get(CUE_POSITIONS, memoryview(b"")), 64))
        if CUE_TIME in inner and CUE_CLUSTER in place:
            seconds = number(inner[CUE_TIME]) * known.scale / 1e9
            spots.append((seconds, known.data + number(place[CUE_CLUSTER])))
    return spots
