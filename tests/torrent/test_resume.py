"""What is believed of saved progress."""

from __future__ import annotations

from pathlib import Path

import libtorrent as lt
import pytest

from htdl.errors import BadSource
from htdl.torrent import resume, sources
from tests.torrents import make_info, make_torrent

PIECE = 16384
FILES = [("a.mkv", 40_000), ("b.mkv", 50_000)]  # pieces 0-2, 2-5


def params(have: list[bool], **more: object) -> lt.add_torrent_params:
    raw = make_torrent(make_info("folder", files=FILES, piece_length=PIECE))
    found = lt.read_resume_data(sources.parse(raw, allow_lan=False).resume)
    found.have_pieces = have
    for name, value in more.items():
        setattr(found, name, value)
    return found


def put(home: Path, **sizes: int) -> None:
    (home / "folder").mkdir()
    for name, size in sizes.items():
        (home / "folder" / f"{name}.mkv").write_bytes(bytes(size))


@pytest.mark.parametrize("blob", [b"", b"rubbish", b"de", b"d11:file-format22:libtorrent resume filee"])
def test_damaged_resume_data_is_refused(blob: bytes) -> None:
    with pytest.raises(BadSource, match="damaged"):
        resume.load(blob)


@pytest.mark.parametrize(
    ("have", "sizes", "is_plausible"),
    [
        ([True] * 6, {"a": 40_000, "b": 50_000}, True),
        ([True] * 6, {"a": 40_000, "b": 49_999}, False),
        ([True] * 6, {"a": 40_000}, False),
        ([False] * 6, {}, True),
        ([True] + [False] * 5, {"a": PIECE}, True),
        ([True] + [False] * 5, {"a": PIECE - 1}, False),
        ([False] * 5 + [True], {"a": 0, "b": 50_000}, True),
        ([False] * 5 + [True], {"a": 40_000, "b": 1}, False),
    ],
)
def test_a_file_must_be_as_long_as_its_pieces(
    tmp_path: Path, have: list[bool], sizes: dict[str, int], is_plausible: bool
) -> None:
    put(tmp_path, **sizes)
    assert resume.is_plausible(params(have), tmp_path) is is_plausible


def test_what_is_not_wanted_lies_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, a=40_000)
    assert resume.is_plausible(params([True] * 3 + [False] * 3, file_priorities=[4, 0]), tmp_path)


def test_a_renamed_file_is_looked_for_under_its_new_name(tmp_path: Path) -> None:
    put(tmp_path, a=40_000, c=50_000)
    renamed = params([True] * 6, renamed_files={1: "folder/c.mkv"})
    assert resume.is_plausible(renamed, tmp_path)


def test_distrust_leaves_nothing_to_believe() -> None:
    doubted = params([True] * 6, unfinished_pieces={0: [True]})
    resume.distrust(doubted)
    assert not any(doubted.have_pieces)
    assert doubted.unfinished_pieces == {}


@pytest.mark.parametrize(
    ("have", "wanted", "has_all"),
    [
        ([True] * 6, [0, 1], True),
        ([True] * 6, [], True),
        ([True] * 3 + [False] * 3, [0], True),
        ([True] * 3 + [False] * 3, [1], False),
        ([False] * 2 + [True] * 4, [1], True),
        ([False] * 2 + [True] * 4, [0], False),
        ([], [0], False),
        ([], [], True),
    ],
)
def test_a_file_is_whole_when_all_its_pieces_are_here(
    have: list[bool], wanted: list[int], has_all: bool
) -> None:
    assert resume.has_all(lt.write_resume_data_buf(params(have)), wanted) is has_all
