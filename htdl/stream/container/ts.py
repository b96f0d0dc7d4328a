"""MPEG transport stream (ISO/IEC 13818-1): packets of 188 bytes, or 192 with a time stamp before each.

It has no index.  Players read its beginning, and its end to learn its duration.
"""

from __future__ import annotations

from collections.abc import Iterator

from htdl.stream.container.found import File, Found

SYNC = 0x47
PROBED_PACKETS = 5  # that begin with the sync byte: no other file does
END_BYTES = 256 << 10  # measured: ffmpeg reads 250 KB at the end
_CLOCK = 90_000  # time stamps a second, of 33 bits
_WRAP = 1 << 33


def packet_length(head: bytes) -> int:
    """188 or 192; 0 for what is no transport stream."""
    for length in (188, 192):
        first = length - 188
        if len(head) > first + length * (PROBED_PACKETS - 1) and all(
            head[first + length * packet] == SYNC for packet in range(PROBED_PACKETS)
        ):
            return length
    return 0


def look(file: File, found: Found) -> None:
    stop, start = min(file.size, END_BYTES), max(0, file.size - END_BYTES)
    found.need(0, stop)
    found.need(start, file.size)
    head = file.take(0, stop)
    length = packet_length(head)
    start += -start % length
    tail = file.take(start, file.size - start)
    firsts = dict(reversed(list(_stamps(head, length))))
    lasts = dict(_stamps(tail, length))
    spans = [(lasts[stream] - first) % _WRAP for stream, first in firsts.items() if stream in lasts]
    longest = max((span for span in spans if span < _WRAP // 2), default=0)
    found.duration = longest / _CLOCK or None


def _stamps(data: bytes, length: int) -> Iterator[tuple[int, int]]:
    """(stream, presentation time) of each picture or piece of sound that begins here."""
    skipped = length - 188
    for offset in range(skipped, len(data) - 187, length):
        if data[offset] != SYNC:
            return
        begins, has_payload = data[offset + 1] & 0x40, data[offset + 3] & 0x10
        if not (begins and has_payload):
            continue
        adapted = data[offset + 3] & 0x20
        body = offset + 4 + (data[offset + 4] + 1 if adapted else 0)
        stamp = _stamp(data[body : min(offset + 188, body + 14)])
        if stamp is not None:
            yield (data[offset + 1] & 0x1F) << 8 | data[offset + 2], stamp


def _stamp(packet: bytes) -> int | None:
    """Of the header of a packet of pictures (E0-EF), sound (C0-DF) or private data (BD, AC-3)."""
    if len(packet) < 14 or packet[:3] != b"\0\0\1" or not packet[7] & 0x80:
        return None
    if packet[3] != 0xBD and not 0xC0 <= packet[3] <= 0xEF:
        return None
    high, middle = packet[9] >> 1 & 7, int.from_bytes(packet[10:12], "big") >> 1
    low = int.from_bytes(packet[12:14], "big") >> 1
    return high << 30 | middle << 15 | low
