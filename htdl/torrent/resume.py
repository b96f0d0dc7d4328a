"""Resume data: what is known of a torrent's progress, and whether to believe it."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, cast

from htdl.errors import BadSource
from htdl.torrent._lt import lt
from htdl.torrent.bounds import MAX_DEPTH, MAX_PIECES, MAX_TOKENS

if TYPE_CHECKING:
    from libtorrent import add_torrent_params, load_torrent_limits

# our own data, and longer than a .torrent: it holds the peers and the pieces that are under way as well
_LIMITS = cast(
    "load_torrent_limits",
    {"max_pieces": MAX_PIECES, "max_decode_depth": MAX_DEPTH, "max_decode_tokens": 10 * MAX_TOKENS},
)


def load(blob: bytes) -> add_torrent_params:
    """The parameters in this resume data.  Raises BadSource where it is damaged."""
    try:
        return lt.read_resume_data(blob, _LIMITS)
    except RuntimeError as exc:
        raise BadSource(
            f"the saved state of this torrent is damaged ({exc})", hint="remove the job and add it again"
        ) from exc


def distrust(params: add_torrent_params) -> None:
    """Forget all progress, so that libtorrent verifies what is on disk, and who was banned: what came damaged
    may have been sound until the disk lost it.
    """
    params.have_pieces = []
    params.verified_pieces = []
    params.unfinished_pieces = {}
    params.banned_peers = []


def is_plausible(params: add_torrent_params, save_path: Path) -> bool:
    """Whether every file is at least as long as the pieces said to be there.

    libtorrent 2.1 looks at this only for whole torrents: with partial progress a file that was cut short or
    deleted passes unseen, and its holes are served.
    """
    info, have = params.ti, params.have_pieces
    if info is None or not any(have):
        return True
    layout, piece_length = info.layout(), info.piece_length()
    for index in range(layout.num_files()):
        needed = _written_length(layout.file_offset(index), layout.file_size(index), piece_length, have)
        is_pad = bool(layout.file_flags(index) & 1)  # BEP 47: never written
        if needed and not is_pad and params.file_priorities[index : index + 1] != [0]:
            try:
                path = params.renamed_files.get(index) or layout.file_path(index)
                size = os.lstat(save_path / path).st_size
            except OSError:
                return False
            if size < needed:
                return False
    return True


def has_all(blob: bytes, wanted: Collection[int]) -> bool:
    """Whether every piece of these files is verified."""
    params = load(blob)
    if params.ti is None:
        return False
    layout, have, piece_length = params.ti.layout(), params.have_pieces, params.ti.piece_length()
    for index in wanted:
        offset, size = layout.file_offset(index), layout.file_size(index)
        pieces = range(offset // piece_length, (offset + size - 1) // piece_length + 1) if size else ()
        if not all(piece < len(have) and have[piece] for piece in pieces):
            return False
    return True


def _written_length(offset: int, size: int, piece_length: int, have: list[bool]) -> int:
    """How long a file must be at least, for all its pieces in `have` to be in it."""
    first, last = offset // piece_length, (offset + size - 1) // piece_length
    for piece in range(min(last, len(have) - 1), first - 1, -1):
        if have[piece]:
            return min(size, (piece + 1) * piece_length - offset)
    return 0
