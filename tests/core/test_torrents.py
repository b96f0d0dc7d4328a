"""A held torrent as streaming sees it: what it reads of its files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from htdl.core.torrents import Torrent
from htdl.stream.source import Span
from htdl.torrent.api import Metadata, TorrentFile
from htdl.torrent.pieces import Pieces
from tests.fakes.engine import FakeEngine

PIECE = 1 << 18
FILM = Metadata("film", PIECE, PIECE, 1, (TorrentFile(0, "a/film.avi", PIECE, 0),), "1" * 40, None)


@pytest.fixture
def torrent(tmp_path: Path) -> Torrent:
    """All of it is here, and of no known kind."""
    pieces = Pieces(1, PIECE)
    pieces.add([0])
    return Torrent(FakeEngine(), "key", tmp_path / "job", FILM, pieces)


def span(tmp_path: Path) -> Span:
    return Span(tmp_path / "job" / "a" / "film.avi", PIECE, 0)


def test_a_container_is_read_from_the_file(torrent: Torrent, tmp_path: Path) -> None:
    path = span(tmp_path).path
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(PIECE))
    assert torrent.examine(span(tmp_path)).index_ok


def test_a_container_is_not_read_through_a_symlink(torrent: Torrent, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "film.avi").write_bytes(bytes(PIECE))
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "a").symlink_to(elsewhere)
    assert not torrent.examine(span(tmp_path)).index_ok


def test_a_disk_that_fails_gives_nothing(
    torrent: Torrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, count: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    path = span(tmp_path).path
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(PIECE))
    monkeypatch.setattr(os, "pread", fail)  # no disk fails when asked to
    assert not torrent.examine(span(tmp_path)).index_ok
