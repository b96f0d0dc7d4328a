"""In which order pieces are wanted.  Pure.

The torrent's own sequential mode fetches in playing order and keeps every peer busy.  It steps out of line
only for priority 7, which the ends of the main file get: that is where a container keeps its index.
"""

from __future__ import annotations

from collections.abc import Collection

from htdl.torrent.api import TorrentFile

DONT_DOWNLOAD, NORMAL, FIRST = 0, 4, 7  # libtorrent's download_priority_t
EDGE_BYTES = 1 << 20


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


def main_file(files: Collection[TorrentFile]) -> TorrentFile | None:
    """The one whose ends come first: the largest, the first of equals."""
    return max(files, key=lambda file: (file.size, -file.index), default=None)
