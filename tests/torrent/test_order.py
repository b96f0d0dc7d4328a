"""Which pieces come first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.torrent import order
from htdl.torrent.api import TorrentFile

MIB = 1 << 20


def test_file_priorities_leave_out_what_is_no_index() -> None:
    assert order.file_priorities(3, [1, 1, -1, 3, 10**20]) == [0, order.NORMAL, 0]
    assert order.file_priorities(0, [0]) == []


@pytest.mark.parametrize(
    ("offset", "size", "piece_length", "num_pieces", "pieces"),
    [
        (0, 10 * MIB, MIB, 10, [0, 9]),
        (0, 10 * MIB + 1, MIB, 11, [0, 9, 10]),
        (MIB // 2, 10 * MIB, MIB, 11, [0, 10]),
        (MIB - 1, 10 * MIB, MIB, 11, [0, 1, 10]),
        (5 * MIB, 1, MIB, 10, [5]),
        (0, 100, MIB, 1, [0]),
        (0, 0, MIB, 1, []),
        (0, 3 * MIB, 4 * MIB, 1, [0]),
    ],
)
def test_the_ends_of_a_file_come_first(
    offset: int, size: int, piece_length: int, num_pieces: int, pieces: list[int]
) -> None:
    assert order.edges(offset, size, piece_length, num_pieces) == pieces


@given(
    st.integers(0, 1 << 40), st.integers(-1, 1 << 40), st.integers(1 << 14, 1 << 28), st.integers(0, 10**6)
)
def test_no_piece_is_out_of_range(offset: int, size: int, piece_length: int, num_pieces: int) -> None:
    """libtorrent ends the process for one that is."""
    pieces = order.edges(offset, size, piece_length, num_pieces)
    assert all(0 <= piece < num_pieces for piece in pieces)
    assert pieces == sorted(set(pieces))


def test_the_main_file_is_the_largest_and_the_first_of_equals() -> None:
    files = [TorrentFile(0, "a", 5), TorrentFile(1, "b", 9), TorrentFile(2, "c", 9)]
    main = order.main_file(files)
    assert main == files[1]
    assert order.main_file([]) is None
