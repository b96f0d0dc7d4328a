"""Files that lie, are cut off, or are garbage: looked at in bounded time and memory, and never an error."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from htdl.stream.container.container import Container, examine
from htdl.stream.container.ebml import variable
from htdl.stream.container.found import Broken
from tests.stream.container.arriving import Arriving, whole

Made = Callable[[str], Path]
SECONDS, MEMORY = 2.0, 300 << 20  # of CPU; a few times what the worst of these takes

KINDS = ["mp4", "mp4-end", "mp4-fragmented", "mp4-dash", "mkv", "mkv-front", "webm", "avi", "ts"]
MAGICS = [
    b"\0\0\0\x18ftypisom",
    b"\0\0\0\x08moov",
    b"\x1a\x45\xdf\xa3\x84webm",
    b"RIFF\xff\xff\xff\xffAVI LIST",
    b"\x47" + bytes(187),
]


def is_sound(found: Container, size: int) -> None:
    assert all(0 <= part.start < part.stop <= size for part in found.needed)
    assert list(found.points) == sorted(found.points)
    assert all(0 <= offset <= size and seconds >= 0 for seconds, offset in found.points)
    assert len(found.points) < 5000
    assert found.duration is None or found.duration > 0


@given(magic=st.sampled_from([b"", *MAGICS]), rest=st.binary(max_size=2000), here=st.integers(0, 2000))
def test_garbage_is_looked_at(magic: bytes, rest: bytes, here: int) -> None:
    data = magic + rest
    is_sound(whole(data), len(data))
    cut = examine(
        lambda at, count: data[at : at + count] if at + count <= here else None,
        lambda at, count: at + count <= here,
        len(data),
    )
    is_sound(cut, len(data))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_looked_at(made: Made, kind: str) -> None:
    data = made(kind).read_bytes()
    for stop in [*range(200), *range(200, len(data), max(1, len(data) // 200))]:
        is_sound(whole(data[:stop]), stop)


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(blows=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=8))
def test_a_file_that_is_damaged_is_looked_at(made: Made, kind: str, blows: list[tuple[float, bytes]]) -> None:
    """In its head and its index, where it hurts."""
    data = bytearray(made(kind).read_bytes())
    spots = [
        at
        for part in whole(bytes(data)).needed
        for at in range(part.start, min(part.stop, part.start + 9000))
    ]
    for where, blow in blows:
        at = spots[int(where * (len(spots) - 1))]
        data[at : at + len(blow)] = blow[: len(data) - at]
    arriving = Arriving(bytes(data))
    is_sound(arriving.examine(), len(data))
    for _ in range(20):
        found = arriving.examine()
        is_sound(found, len(data))
        if found.index_ok:
            break
        arriving.bring(found.needed)
    else:
        raise AssertionError("it is never satisfied")


# --- files that claim too much ---


def box(kind: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(">I4s", len(body) + 8 if length is None else length, kind) + body


def full(kind: bytes, *numbers: int, tail: bytes = b"") -> bytes:
    return box(kind, bytes(4) + struct.pack(f">{len(numbers)}I", *numbers) + tail)


def moov(*tables: bytes, times: int = 1) -> bytes:
    media = box(b"mdhd", bytes(12) + struct.pack(">II", 24, 24)) + box(
        b"hdlr", bytes(8) + b"vide" + bytes(12)
    )
    trak = box(b"trak", box(b"mdia", media + box(b"minf", box(b"stbl", b"".join(tables)))))
    return box(b"moov", trak * times)


def one_by_one(count: int) -> list[bytes]:
    """Sample tables in their longest form: an entry for every sample."""
    ones = struct.pack(">II", 1, 1) * count
    chunks = b"".join(struct.pack(">III", chunk + 1, 1, 1) for chunk in range(count))
    offsets = struct.pack(f">{count}I", *range(100, count + 100))
    return [
        full(b"stts", count, tail=ones),
        full(b"stsc", count, tail=chunks),
        full(b"stsz", 0, count, tail=struct.pack(">I", 1) * count),
        full(b"stco", count, tail=offsets),
    ]


FTYP, MDAT = box(b"ftyp", b"isom" + bytes(12)), box(b"mdat", bytes(5000))
EBML = b"\x1a\x45\xdf\xa3\x80"
SEGMENT = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"


def sized(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">Q", len(body) | 1 << 56) + body


def avi(*chunks: bytes) -> bytes:
    return b"RIFF\xff\xff\xff\xffAVI " + b"".join(chunks)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


HUGE = 2**32 - 1
TINY_TABLES = (full(b"stsz", 1, 9), full(b"stco", 1, 99))
BACKWARDS = (full(b"stts", 1, 9, 1), full(b"stsc", 2, 9, 1, 1, 1, 1, 1), *TINY_TABLES)
ENDLESS = (
    full(b"stts", 1, HUGE, HUGE),
    full(b"stsc", 1, 1, HUGE, 1),
    full(b"stsz", HUGE, HUGE),
    TINY_TABLES[1],
)
INFO = sized(b"\x15\x49\xa9\x66", b"\x44\x89\x84\x45\x00\x00\x00")
CUE, CLUSTER = b"\xbb\x87\xb3\x81\x05\xb7\x82\xf1\x80", b"\x1f\x43\xb6\x75\x80"
SUPERINDEX = b"\4\0\0\0" + struct.pack("<I", 500) + bytes(16) + struct.pack("<QII", 64, HUGE, 1) * 500
HDRL, ENDLESS_LIST = chunk(b"LIST", b"hdrl"), b"LIST\xff\xff\xff\x7f"

HOSTILE: dict[str, Callable[[], bytes]] = {
    "a box without end": lambda: FTYP + box(b"mdat", length=0),
    "a box of length 3": lambda: FTYP + box(b"mdat", length=3),
    "a box of 2^64 bytes": lambda: FTYP + box(b"mdat", b"\xff" * 8, length=1),
    "a box of no bytes in 64 bit": lambda: FTYP + box(b"mdat", bytes(8), length=1),
    "a million boxes": lambda: FTYP + box(b"free") * 1_000_000,
    "a million tracks": lambda: FTYP + MDAT + box(b"moov", box(b"trak") * 1_000_000),
    "boxes in boxes": lambda: FTYP + b"".join(box(b"moov", length=800_000 - 8 * n) for n in range(99_000)),
    "an entry for each sample": lambda: FTYP + MDAT + moov(*one_by_one(300_000), times=3),
    "more samples than the table holds": lambda: FTYP + MDAT + moov(*ENDLESS),
    "chunks that go backwards": lambda: FTYP + MDAT + moov(*BACKWARDS),
    "a million elements": lambda: EBML + SEGMENT + b"\xec\x80" * 1_000_000,
    "a million cues": lambda: EBML + SEGMENT + INFO + sized(b"\x1c\x53\xbb\x6b", CUE * 900_000) + CLUSTER,
    "a million things in tracks": lambda: EBML + SEGMENT
    + sized(b"\x16\x54\xae\x6b", sized(b"\xae", b"\xd7\x80" * 1000) * 1000),
    "a cluster of a million blocks": lambda: EBML + SEGMENT + CLUSTER[:4] + b"\xff" + b"\xe7\x80" * 1_000_000,
    "a seek head that points at itself": lambda: EBML + SEGMENT
    + sized(b"\x11\x4d\x9b\x74", sized(b"\x4d\xbb", b"\x53\xac\x81\x00") * 50) + CLUSTER + b"\xa3\x80",
    "lists in lists": lambda: avi(HDRL, ENDLESS_LIST + b"movi", (ENDLESS_LIST + b"rec ") * 90_000),
    "a million streams": lambda: avi(chunk(b"LIST", b"hdrl" + chunk(b"LIST", b"strl") * 300_000)),
    "indexes of 4 GiB": lambda: avi(
        chunk(b"LIST", b"hdrl" + chunk(b"LIST", b"strl" + chunk(b"indx", SUPERINDEX))),
        chunk(b"LIST", b"movi" + chunk(b"00dc", bytes(40))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little(name: str) -> None:
    data = HOSTILE[name]()
    began = time.process_time()
    is_sound(whole(data), len(data))
    assert time.process_time() - began < SECONDS
    tracemalloc.start()
    try:
        whole(data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_the_tables_of_a_long_film_are_read_quickly() -> None:
    """2 h 18 min: 200,000 samples, each in a chunk of its own."""
    data = FTYP + moov(*one_by_one(200_000)) + MDAT
    took = []
    for _ in range(3):  # a busy machine only ever adds
        began = time.process_time()
        found = whole(data)
        took.append(time.process_time() - began)
    assert min(took) < 0.15
    assert found.points[-1] == (200_000 / 24, 200_100)
    assert len(found.points) == 501


def test_a_number_that_is_cut_off_is_no_number() -> None:
    assert variable(memoryview(b"\x40\x02")) == (2, 2)
    for cut in (b"", b"\x40", b"\x00\x01"):
        with pytest.raises(Broken):
            variable(memoryview(cut))
