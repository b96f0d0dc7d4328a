"""A short video, made without an encoder: uncompressed frames in an AVI.

Format: Microsoft's AVI RIFF File Reference, one `vids` stream of 24-bit bottom-up BGR.  Any player shows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

WIDTH, HEIGHT, FRAMES_A_SECOND = 320, 180, 25
FRAME_BYTES = WIDTH * HEIGHT * 3
_BANDS = 9
_KEYFRAME = 0x10  # also "has an index" in the main header


def write(path: Path, seconds: float) -> int:
    """Write the clip there; returns its size in bytes, about 4.3 MB a second."""
    frames = round(seconds * FRAMES_A_SECOND)
    movie = 4 + frames * (8 + FRAME_BYTES)
    header = _list(b"hdrl", _chunk(b"avih", _main_header(frames)) + _list(b"strl", _stream(frames)))
    index = _chunk(b"idx1", b"".join(_entry(frame) for frame in range(frames)))
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 4 + len(header) + 8 + movie + len(index), b"AVI "))
        file.write(header + struct.pack("<4sI4s", b"LIST", movie, b"movi"))
        for frame in _frames(frames):
            file.write(struct.pack("<4sI", b"00db", FRAME_BYTES) + frame)
        file.write(index)
        return file.tell()


def _main_header(frames: int) -> bytes:
    microseconds, rate = 1_000_000 // FRAMES_A_SECOND, FRAME_BYTES * FRAMES_A_SECOND
    sizes = (0, 1, FRAME_BYTES, WIDTH, HEIGHT, 0, 0, 0, 0)  # first frame, streams, buffer, picture, reserved
    return struct.pack("<14I", microseconds, rate, 0, _KEYFRAME, frames, *sizes)


def _stream(frames: int) -> bytes:
    timing = (0, 1, FRAMES_A_SECOND, 0, frames)  # first frame, scale, rate, start, length
    rest = (FRAME_BYTES, 0xFFFFFFFF, 0)  # buffer, quality (default), sample size (it varies)
    header = struct.pack("<4s4sI2H8I4H", b"vids", b"DIB ", 0, 0, 0, *timing, *rest, 0, 0, WIDTH, HEIGHT)
    picture = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, FRAME_BYTES, 0, 0, 0, 0)
    return _chunk(b"strh", header) + _chunk(b"strf", picture)


def _entry(frame: int) -> bytes:
    """Where a frame lies, from the start of `movi`."""
    return struct.pack("<4sIII", b"00db", _KEYFRAME, 4 + frame * (8 + FRAME_BYTES), FRAME_BYTES)


def _frames(count: int) -> Iterator[bytes]:
    """Bands of colour that drift at different speeds, and a white line that shows how far it has played."""
    colours = b"".join(_colour(x) for x in range(WIDTH)) * 2
    line = b"\xff" * 12
    for frame in range(count):
        at = frame * (WIDTH - 4) // count * 3
        rows = []
        for band in range(_BANDS):
            shift = frame * (band + 1) % WIDTH * 3
            row = colours[shift : shift + WIDTH * 3]
            rows.append((row[:at] + line + row[at + len(line) :]) * (HEIGHT // _BANDS))
        yield b"".join(rows)


def _colour(x: int) -> bytes:
    """Blue, green, red of a column: a wheel, so that the end meets the beginning."""
    phase = x * 6 / WIDTH
    return bytes(int(255 * max(0.0, min(1.0, abs((phase + turn) % 6 - 3) - 1))) for turn in (2, 4, 0))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def _list(name: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", name + body)
