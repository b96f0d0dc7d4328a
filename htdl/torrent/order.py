"""In which order pieces are wanted.  Pure.

The torrent's own sequential mode fetches in playing order and keeps every peer busy.  It steps out of line
only for priority 7, which the ends of the main file get: that is where a container keeps its index.

A piece that a slow peer has begun would hold up all behind it: sequential mode asks nobody else.  So the
next few get a deadline, for which libtorrent asks the fastest peers, maybe twice.  The numbers below come
from what `python -m tests.bench order` shows of deadlines: the first one after none cancels every other
request, so they must not all come between two looks; and they cost half of what a fast swarm gives, so it
gets none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from htdl.torrent.api import TorrentFile

DONT_DOWNLOAD, NORMAL, FIRST = 0, 4, 7  # libtorrent's download_priority_t
EDGE_BYTES = 128 << 10  # more would delay them: a peer sends one piece at a time
LOOK_SECONDS = 0.25  # between two looks at what is due
DUE_BYTES, MIN_DUE = 10 << 20, 3  # so much is due at a time, but so many pieces at least
DUE_BELOW = 10_000_000  # bytes a second; what comes faster needs none


def file_priorities(num_files: int, wanted: Collection[int]) -> list[int]:
    """One priority a file, by index; an index that no file has is left out."""
    chosen = set(wanted)
    return [NORMAL if index in chosen else DONT_DOWNLOAD for index in range(num_files)]


def edges(offset: int, size: int, piece_length: int, num_pieces: int) -> list[int]:
    """The pieces that hold the first and the last EDGE_BYTES of a file at this offset of the torrent."""
    if size <= 0:
        return []
    head = range(offset // piece_length, (offset + min(size, EDGE_BYTES) - 1) // piece_length + 1)
    tail = range(
        (offset + max(0, size - EDGE_BYTES)) // piece_length, (offset + size - 1) // piece_length + 1
    )
    return sorted({piece for piece in (*head, *tail) if 0 <= piece < num_pieces})


def due(have: Sequence[int], first: int, last: int, piece_length: int) -> list[int]:
    """The next pieces from `first` to `last` that are not here, as many as are due at a time."""
    found: list[int] = []
    for _ in range(max(MIN_DUE, DUE_BYTES // piece_length)):
        try:
            found.append(have.index(0, first, last + 1))
        except ValueError:
            break
        first = found[-1] + 1
    return found


def span(file: TorrentFile, piece_length: int) -> range:
    """The pieces of a file; none of one without a byte."""
    end = file.offset + file.size - 1
    return range(file.offset // piece_length, end // piece_length + 1) if file.size else range(0)


def merged(spans: Iterable[range]) -> list[range]:
    """The same pieces, in order, each once."""
    found: list[range] = []
    for span in sorted((x for x in spans if x), key=lambda x: x.start):
        if found and span.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, span.stop))
        else:
            found.append(span)
    return found


def main_file(files: Collection[TorrentFile]) -> TorrentFile | None:
    """The one whose ends come first: the largest, the first of equals."""
    return max(files, key=lambda file: (file.size, -file.index), default=None)
