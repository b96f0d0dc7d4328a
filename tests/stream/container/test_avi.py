"""OpenDML: files beyond 1 GiB, whose indexes lie among the media.  Here a small one of the same form."""

from __future__ import annotations

import struct

from tests.stream.container.arriving import PIECE, Arriving

FRAME, FRAMES, PARTS = 4000, 50, 3  # bytes, frames a part
PART_BYTES = FRAMES * (8 + FRAME)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def index(base: int) -> bytes:
    """The standard index of one part: offsets are those of the frames' bytes, behind the chunk's head."""
    entries = b"".join(struct.pack("<II", 8 + frame * (8 + FRAME), FRAME) for frame in range(FRAMES))
    return chunk(b"ix00", struct.pack("<HBBI4sQI", 2, 0, 1, FRAMES, b"00dc", base, 0) + entries)


def opendml() -> tuple[bytes, list[range]]:
    """The file, and where its indexes lie."""
    part = chunk(b"00dc", b"f" * FRAME) * FRAMES
    ix_bytes = len(index(0))
    first = 12 + 8 + len(header([])) + 12
    places = [first + number * (PART_BYTES + ix_bytes + 24) for number in range(PARTS)]
    indexes = [range(place + PART_BYTES, place + PART_BYTES + ix_bytes) for place in places]
    data = b""
    for number, place in enumerate(places):
        movi = chunk(b"LIST", b"movi" + part + index(place))
        head = chunk(b"LIST", header(indexes)) if number == 0 else b""
        data += chunk(b"RIFF", (b"AVIX" if number else b"AVI ") + head + movi)
    return data, indexes


def header(indexes: list[range]) -> bytes:
    avih = struct.pack("<14I", 40_000, 0, 0, 0x10, FRAMES, 0, 1, 0, 64, 36, 0, 0, 0, 0)
    strh = b"vidsMJPG" + struct.pack("<12I", 0, 0, 0, 1, 25, 0, FRAMES, 0, 0, 0, 0, 0)
    entries = b"".join(struct.pack("<QII", part.start, len(part), FRAMES) for part in indexes)
    indx = struct.pack("<HBBI4s12x", 4, 0, 0, len(indexes), b"00dc") + entries.ljust(PARTS * 16, b"\0")
    strl = chunk(b"strh", strh) + chunk(b"indx", indx)
    return b"hdrl" + chunk(b"avih", avih) + chunk(b"LIST", b"strl" + strl)


def test_the_indexes_of_all_parts_are_needed() -> None:
    data, indexes = opendml()
    assert all(data[part.start : part.start + 4] == b"ix00" for part in indexes)
    arriving = Arriving(data)
    found = arriving.until_ok()
    assert found.kind == "avi"
    assert all(any(set(part) <= set(needed) for needed in found.needed) for part in indexes)
    assert len(arriving.pieces) * PIECE < len(data) / 2


def test_time_is_counted_over_all_parts() -> None:
    """Though the header counts the frames of the first."""
    data, indexes = opendml()
    found = Arriving(data).until_ok()
    assert found.duration == PARTS * FRAMES / 25
    assert found.points[-1] == (6.0, indexes[-1].start)
    assert dict(found.points)[2.0] == indexes[0].start
