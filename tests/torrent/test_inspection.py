from __future__ import annotations

from typing import Any

import pytest

from htdl.errors import BadSource
from htdl.torrent._lt import lt
from htdl.torrent.bounds import MAX_DEPTH, MAX_FILES, MAX_PATH_BYTES, MAX_TOKENS
from htdl.torrent.inspection import check_info, decode, metadata
from tests.torrents import bencode, leaf, make_info, make_info_v2, make_torrent, with_files


def refusal(info: Any) -> str:
    with pytest.raises(BadSource) as caught:
        check_info(bencode(info))
    assert caught.value.hint
    assert caught.value.message.isprintable()
    return caught.value.message


def torrent_info(info: Any) -> lt.torrent_info:
    ti = lt.load_torrent_buffer(make_torrent(info)).ti
    assert ti is not None
    return ti


@pytest.mark.parametrize(
    "info",
    [
        make_info(),
        make_info("Ünïcödé 映画.mkv"),
        make_info("folder", files=[("a.mkv", 1), ("sub/a.srt", 2), ("SUB/A.SRT", 3)]),
        make_info("שָׁלוֹם\u200f.mkv"),
        make_info(b"caf\xe9.mkv"),
        make_info("a: b?*<>|.mkv"),
        make_info("...and more..mkv"),
        make_info(piece_length=1_000_000),
        make_info_v2(),
        make_info_v2({"folder": {"a.mkv": leaf(), "b.srt": leaf()}}),
    ],
    ids=lambda info: ascii(info["name"]),
)
def test_an_honest_torrent_passes(info: dict[str, Any]) -> None:
    check_info(bencode(info))
    assert metadata(torrent_info(info)).files


BAD_NAMES = {
    "": "empty",
    ".": "leads out",
    "..": "leads out",
    "/etc/passwd": "separator",
    "../../home": "separator",
    "a/b": "separator",
    "a\\b": "separator",
    "a\0b": "control",
    "a\nb": "control",
    "a\x1b[31mb": "control",
    "a\x9bb": "control",
    "exe.\u202egpj": "turn its letters",
    "a\u2066b": "turn its letters",
    "é" * 128: "256 bytes",
}


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.items(), ids=map(ascii, BAD_NAMES))
@pytest.mark.parametrize("key", ["name", "name.utf-8"])
def test_a_bad_name_is_refused_and_shown(key: str, name: str, words: str) -> None:
    assert words in refusal(make_info() | {key: name})


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.items(), ids=map(ascii, BAD_NAMES))
@pytest.mark.parametrize("key", ["path", "path.utf-8"])
def test_a_bad_path_is_refused_in_either_spelling(key: str, name: str, words: str) -> None:
    assert words in refusal(with_files([{"path": ["good"]}, {"path": ["sub", "good"], key: ["sub", name]}]))


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.items(), ids=map(ascii, BAD_NAMES))
def test_a_bad_name_in_a_v2_tree_is_refused(name: str, words: str) -> None:
    words = words if name else "wrong way"  # an empty key marks a file there
    assert words in refusal(make_info_v2({"good": leaf(), "sub": {name: leaf(), "good": leaf()}}))


def test_the_message_names_the_file_with_its_control_characters_escaped() -> None:
    message = refusal(with_files([{"path": ["sub", "a\x1bb\u202e"]}]))
    assert r"'folder/sub/a\x1bb\u202e'" in message


def test_a_path_too_long_for_the_file_system_is_refused() -> None:
    folders = ["x" * 255] * (MAX_PATH_BYTES // 256 - 1)
    check_info(bencode(with_files([{"path": folders}], name="n")))
    assert f"more than {MAX_PATH_BYTES}" in refusal(
        with_files([{"path": [*folders, "x" * 255]}], name="n" * 255)
    )


@pytest.mark.parametrize(
    "info",
    [
        with_files([{"path": ["link"], "attr": "l", "symlink path": ["target"]}]),
        with_files([{"path": ["link"], "attr": "xl"}]),
        with_files([{"path": ["link"], "symlink path": ["..", "..", "etc"]}]),
        make_info() | {"attr": "l"},
        make_info_v2({"link": leaf(attr="l")}),
    ],
)
def test_a_symbolic_link_is_refused(info: dict[str, Any]) -> None:
    assert "symbolic link" in refusal(info)


@pytest.mark.parametrize("length", [0, -1, -16384, 1, 1023, (256 << 20) + 1, 2**62, "16384", None])
def test_a_piece_length_that_no_torrent_has_is_refused(length: Any) -> None:
    info = make_info() | {"piece length": length}
    assert "piece length" in refusal({key: value for key, value in info.items() if value is not None})


@pytest.mark.parametrize(
    "info",
    [
        {"piece length": 16384},
        make_info() | {"name": 7},
        make_info() | {"files": "a"},
        make_info() | {"files": [7]},
        with_files([{}]),
        with_files([{"path": "a/b"}]),
        with_files([{"path": [7]}]),
        with_files([{"path": [["a"]]}]),
        make_info_v2({"a": 7}),
        make_info_v2([leaf()]),  # type: ignore[arg-type]
        make_info_v2({"a": leaf() | {"b": leaf()}}),
        make_info_v2(leaf()),
        make_info_v2({"a": {"": 7}}),
    ],
)
def test_a_shape_that_is_not_the_format_s_is_refused(info: dict[str, Any]) -> None:
    assert "not a valid torrent" in refusal(info)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "cut short"),
        (b"d", "cut short"),
        (b"d1:a5:ab", "cut short"),
        (b"d1:a5:abe", "cut short"),
        (b"le", "not a dictionary"),
        (b"e", "end without"),
        (b"d1:ae", "end without"),
        (b"di1ei2ee", "key"),
        (b"d1:ai1e1:ai2ee", "key"),
        (b"d1:ai01ee", "byte 4"),
        (b"d1:ai-0ee", "byte 4"),
        (b"d1:a" + b"i" + b"9" * 5000 + b"ee", "byte 4"),
        (b"d1:a999999999999:e", "byte 4"),
        (b"d1:a" + b"l" * 100_000, "levels deep"),
        (b"d1:al" + b"0:" * MAX_TOKENS + b"ee", "parts"),
    ],
)
def test_what_is_not_bencoding_or_too_much_of_it_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(BadSource, match=words):
        decode(raw)


def test_decoding_gives_values_and_where_they_end() -> None:
    raw = bencode({"a": [1, -2, b"", {"b": b"\xff"}], "": 0})
    assert decode(raw + b"\r\n") == ({b"a": [1, -2, b"", {b"b": b"\xff"}], b"": 0}, len(raw))


def test_the_deepest_folders_that_are_allowed_can_be_walked() -> None:
    tree: Any = leaf()
    for _ in range(MAX_DEPTH - 4):
        tree = {"f": tree}
    check_info(bencode(make_info_v2(tree)))


def test_metadata_is_what_will_be_written() -> None:
    info = make_info("Show", files=[("e1.mkv", 20_000), ("sub/e1.srt", 30)])
    ti = torrent_info(info)
    seen = metadata(ti)
    assert (seen.name, seen.total_bytes, seen.piece_length, seen.num_pieces) == ("Show", 20_030, 16384, 2)
    assert [(x.index, x.path, x.size) for x in seen.files] == [
        (0, "Show/e1.mkv", 20_000),
        (1, "Show/sub/e1.srt", 30),
    ]
    assert (seen.info_hash, seen.info_hash_v2) == (str(ti.info_hashes().v1), None)


def test_padding_is_not_a_file_and_keeps_its_index() -> None:
    pad = {"path": [".pad", "16283"], "length": 16283, "attr": "p"}
    info = with_files([{"path": ["a"], "length": 101}, pad, {"path": ["b"], "length": 7}], pieces=b"h" * 40)
    seen = metadata(torrent_info(info))
    assert [(x.index, x.path) for x in seen.files] == [(0, "folder/a"), (2, "folder/b")]
    assert seen.total_bytes == 108


def test_a_v2_torrent_is_named_by_its_own_hash() -> None:
    ti = torrent_info(make_info_v2())
    seen = metadata(ti)
    assert seen.info_hash == seen.info_hash_v2 == str(ti.info_hashes().v2)
    assert seen.files[0].path == "video.mkv"


@pytest.mark.parametrize("names", [("a.mkv", "A.MKV"), ("a.mkv", "a.mkv"), ("a", "a/b")])
def test_files_whose_names_clash_are_shown_under_the_names_they_get(names: tuple[str, str]) -> None:
    params = lt.load_torrent_buffer(make_torrent(make_info("f", files=[(name, 1) for name in names])))
    assert params.ti is not None
    paths = [x.path.lower() for x in metadata(params.ti, params.renamed_files).files]
    assert not any(f"{one}/".startswith(f"{other}/") for one, other in (paths, paths[::-1]))


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/..", "x" * 256])
def test_a_name_of_libtorrent_s_own_is_held_to_the_same_rules(path: str) -> None:
    with pytest.raises(BadSource):
        metadata(torrent_info(make_info()), {0: path})


def test_more_files_than_the_limit_are_refused() -> None:
    files = [(f"f{number}", 1) for number in range(MAX_FILES + 1)]
    with pytest.raises(BadSource, match="files, more than"):
        metadata(torrent_info(make_info("folder", files=files)))
