"""Is this info dictionary one that may touch the disk?  (BEP 3, BEP 47, BEP 52)

It comes from a stranger: in a .torrent, or from peers for a magnet.  libtorrent mends bad names silently;
here a torrent that tries to escape or to mislead is refused, and the reason told.  Two looks:

- `check_info` reads the raw dictionary, before libtorrent does or beside it;
- `metadata` reads what libtorrent made of it, and holds that to the same rules, for those are the names that
  will be written.

Left-to-right and right-to-left marks (U+200E, U+200F) are no reason to refuse: honest Hebrew and Arabic names
carry them, they cannot turn a run of letters around, and libtorrent drops them.  Overrides, embeddings and
isolates can: they show `exe.mp4` where `4pm.exe` stands.  Symlinks are refused whole: no video needs one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from htdl.errors import BadSource
from htdl.torrent._lt import lt
from htdl.torrent.api import Metadata, TorrentFile
from htdl.torrent.bounds import (
    MAX_DEPTH,
    MAX_ELEMENT_BYTES,
    MAX_FILES,
    MAX_PATH_BYTES,
    MAX_PIECES,
    MAX_TOKENS,
)

MIN_PIECE_LENGTH = 1 << 10
MAX_PIECE_LENGTH = 256 << 20  # libtorrent takes less than 512 MiB

Value = bytes | int | list["Value"] | dict[bytes, "Value"]

_HINT = "it may be broken or hostile; look for another torrent of the same video"
_TOKEN = re.compile(rb"(0|[1-9]\d{0,8}):|i(0|-?[1-9]\d{0,18})e|([dl])|e")
_PLAIN = re.compile(rb"(?!\.\.?$)[ -.0-\[\]-~]{1,255}")  # most names are: then no closer look is needed
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def decode(raw: bytes) -> tuple[dict[bytes, Value], int]:
    """The bencoded dictionary at the start of `raw`, and where it ends.

    Bounded by MAX_TOKENS and MAX_DEPTH.  Stricter than libtorrent where two readers could differ: a key that
    comes twice is refused.  Raises BadSource.
    """
    reader = _Reader(raw)
    value = reader.value(0)
    if not isinstance(value, dict):
        raise _bad("it is not a dictionary")
    return value, reader.position


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.position = 0
        self.tokens = 0

    def value(self, depth: int) -> Value:
        value = self._next(depth)
        if value is None:
            raise _bad(f"an end without a beginning at byte {self.position}")
        return value

    def _next(self, depth: int) -> Value | None:
        """The next value, or None for the end of the list or dictionary it stands in."""
        self.tokens += 1
        match = _TOKEN.match(self.raw, self.position)
        if match is None or self.tokens > MAX_TOKENS or depth > MAX_DEPTH:
            raise self._stopped(match is None, depth)
        self.position = match.end()
        length, number, opening = match.groups()
        if length is not None:
            return self._string(int(length))
        if number is not None:
            return int(number)
        if opening is None:
            return None
        return self._dictionary(depth + 1) if opening == b"d" else self._list(depth + 1)

    def _string(self, length: int) -> bytes:
        start = self.position
        self.position += length
        if self.position > len(self.raw):
            raise _bad("it ends in the middle of a value; the file may be cut short")
        return self.raw[start : self.position]

    def _list(self, depth: int) -> list[Value]:
        values = []
        while (value := self._next(depth)) is not None:
            values.append(value)
        return values

    def _dictionary(self, depth: int) -> dict[bytes, Value]:
        values: dict[bytes, Value] = {}
        while (key := self._next(depth)) is not None:
            if not isinstance(key, bytes) or key in values:
                raise _bad(f"a bad or repeated key at byte {self.position}")
            values[key] = self.value(depth)
        return values

    def _stopped(self, malformed: bool, depth: int) -> BadSource:
        if malformed and self.position >= len(self.raw):
            return _bad("it ends in the middle of a value; the file may be cut short")
        if malformed:
            return _bad(f"nothing that can be read at byte {self.position}")
        if depth > MAX_DEPTH:
            return _refused(f"it is nested more than {MAX_DEPTH} levels deep")
        return _refused(f"it is made of more than {MAX_TOKENS:,} parts")


def check_info(info: bytes) -> None:
    """Raises BadSource, naming the file and the fault, for a raw info dictionary that htdl does not take."""
    check_decoded(decode(info)[0])


def check_decoded(info: dict[bytes, Value]) -> None:
    """`check_info` of a dictionary that `decode` has read."""
    _check_piece_length(info.get(b"piece length"))
    names = _variants(info, b"name")
    for name in names:
        _check_path((name,))
    longest = max(names, key=len)
    for path, entry in _files(info):  # MAX_TOKENS bounds their number here, `metadata` counts them
        _check_path((longest, *path))
        _check_entry((longest, *path), entry)


def _files(info: dict[bytes, Value]) -> Iterator[tuple[tuple[bytes, ...], dict[bytes, Value]]]:
    """(path below the torrent's name, dictionary) of each file: v1 and v2, each spelling of the path."""
    if b"file tree" in info:
        yield from _tree(info[b"file tree"], ())
    if b"files" not in info:
        yield (), info
        return
    files = info[b"files"]
    if not isinstance(files, list):
        raise _bad("its list of files is none")
    for entry in files:
        if not isinstance(entry, dict):
            raise _bad("its list of files holds something else")
        for path in _variants(entry, b"path"):
            yield path, entry


def _tree(branch: Value, path: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], dict[bytes, Value]]]:
    """The leaves of a v2 file tree: a dictionary whose one key is empty describes a file (BEP 52)."""
    if not isinstance(branch, dict):
        raise _bad("its file tree holds something else")
    for name, below in branch.items():
        if name:
            yield from _tree(below, (*path, name))
        elif isinstance(below, dict) and path and len(branch) == 1:
            yield path, below
        else:
            raise _bad(f"the file {_shown(path)} is described in a wrong way")


def _variants(entry: dict[bytes, Value], key: bytes) -> list[Any]:
    """What stands under `name` and `name.utf-8`, or `path` and `path.utf-8`, which libtorrent prefers."""
    found = [entry[spelling] for spelling in (key, key + b".utf-8") if spelling in entry]
    if not found:
        raise _bad(f"a {key.decode()} is missing")
    kind = bytes if key == b"name" else list
    if not all(isinstance(value, kind) for value in found):
        raise _bad(f"a {key.decode()} is not one")
    return found


def _check_piece_length(length: Value | None) -> None:
    if not isinstance(length, int):
        raise _bad("the piece length is missing")
    if not MIN_PIECE_LENGTH <= length <= MAX_PIECE_LENGTH:
        raise _refused(f"its piece length is {length} bytes, which is not between 1 KiB and 256 MiB")


def _check_entry(path: Sequence[bytes], entry: dict[bytes, Value]) -> None:
    attributes = entry.get(b"attr", b"")
    if b"symlink path" in entry or (isinstance(attributes, bytes) and b"l" in attributes):
        raise _refused(f"the file {_shown(path)} is a symbolic link")


def _check_path(path: Sequence[Value]) -> None:
    names = [element for element in path if isinstance(element, bytes)]
    if len(names) < len(path):
        raise _bad("a path holds something that is not a name")
    for name in names:
        if not _PLAIN.fullmatch(name) and (fault := _fault(name)):
            raise _refused(f"the name {_shown(path)} {fault}")
    length = sum(map(len, names)) + len(names) - 1
    if length > MAX_PATH_BYTES:
        raise _refused(f"the path {_shown(path)} is {length} bytes long, more than {MAX_PATH_BYTES}")


def _fault(element: bytes) -> str | None:
    """What is wrong with one element of a path, in words; None when nothing is."""
    text = element.decode("utf-8", "replace")  # old torrents name files in any encoding
    if element in (b".", b".."):
        return "leads out of its folder"
    if not text:
        return "has an empty part"
    if len(element) > MAX_ELEMENT_BYTES:
        return f"has a part of {len(element)} bytes; a file system takes {MAX_ELEMENT_BYTES}"
    if "/" in text or "\\" in text:
        return "has a path separator inside one of its parts"
    if _CONTROL.search(text):
        return "has control characters"
    if _BIDI.search(text):
        return "has marks that turn its letters around, to look like another"
    return None


def judge(ti: lt.torrent_info, renamed: Mapping[int, str]) -> Metadata:
    """The metadata, or BadSource: what peers send is checked as a .torrent of the user's is."""
    check_info(ti.info_section())
    return metadata(ti, renamed)


def metadata(ti: lt.torrent_info, renamed: Mapping[int, str] = MappingProxyType({})) -> Metadata:
    """The torrent as libtorrent will write it.  Raises BadSource where that breaks a rule of `check_info`.

    `renamed` is the paths that libtorrent chose for files whose names clash (also by case alone, or with a
    folder): `add_torrent_params.renamed_files`, or `export_filenames` of a handle's `get_renamed_files`; the
    layout itself does not know of them.  `total_bytes` is that of the files listed, so without padding.
    """
    layout, hashes = ti.layout(), ti.info_hashes()
    if ti.num_pieces() > MAX_PIECES:
        raise _refused(f"it has {ti.num_pieces():,} pieces, more than {MAX_PIECES:,}")
    files = tuple(
        TorrentFile(
            index,
            renamed.get(index) or layout.file_path(index),
            layout.file_size(index),
            layout.file_offset(index),
        )
        for index in range(layout.num_files())
        if not layout.file_flags(index) & layout.flag_pad_file
    )
    if len(files) > MAX_FILES:
        raise _refused(f"it lists {len(files):,} files, more than {MAX_FILES:,}")
    for file in files:
        _check_path(file.path.encode().split(b"/"))
    v2 = str(hashes.v2) if hashes.has_v2() else None
    return Metadata(
        name=ti.name(),
        total_bytes=sum(file.size for file in files),
        piece_length=ti.piece_length(),
        num_pieces=ti.num_pieces(),
        files=files,
        info_hash=str(hashes.v1) if hashes.has_v1() else str(hashes.v2),
        info_hash_v2=v2,
    )


def _shown(path: Sequence[Value]) -> str:
    """A path for a message: escaped, so that it cannot act on a terminal, and cut."""
    text = "/".join(x.decode("utf-8", "replace") for x in path if isinstance(x, bytes))
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:120])
    return f"'{shown}{'…' if len(text) > 120 else ''}'"


def _bad(what: str) -> BadSource:
    return BadSource(f"this is not a valid torrent: {what}", hint=_HINT)


def _refused(what: str) -> BadSource:
    return BadSource(f"the torrent is refused: {what}", hint=_HINT)
