"""Torrents for tests, honest and hostile: pure functions that write bencoding by hand.

No library that refuses bad input stands between a test and the bytes it wants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

PIECE_LENGTH = 16384


def bencode(value: Any) -> bytes:
    """BEP 3.  Text is UTF-8; a dictionary's keys are sorted as the BEP demands; bytes already bencoded can be
    put in with `Raw`.
    """
    match value:
        case Raw():
            return value.bencoded
        case int():
            return b"i%de" % value
        case str():
            return bencode(value.encode("utf-8", "surrogateescape"))
        case bytes():
            return b"%d:%b" % (len(value), value)
        case Mapping():
            items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
            return b"d" + b"".join(bencode(k) + bencode(v) for k, v in items) + b"e"
        case Sequence():
            return b"l" + b"".join(map(bencode, value)) + b"e"
    raise TypeError(f"cannot be bencoded: {value!r}")


class Raw:
    """Bytes to stand in a bencoded value as they are."""

    def __init__(self, bencoded: bytes) -> None:
        self.bencoded = bencoded


def make_info(
    name: str | bytes = "video.mkv",
    *,
    size: int = 100_000,
    files: Sequence[tuple[str, int]] | None = None,
    piece_length: int = PIECE_LENGTH,
    content: bytes | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A v1 info dictionary: of one file of `size`, or of `files` as ("folder/name", size).

    The hashes are those of `content`, which is all files one after the other; without it they fit nothing.
    `more` is laid over the result, with `_` for a space in a key; None takes a key away.
    """
    info: dict[str, Any] = {"name": name, "piece length": piece_length}
    if files is None:
        info["length"] = len(content) if content is not None else size
    else:
        info["files"] = [{"length": length, "path": path.split("/")} for path, length in files]
    if "pieces" not in more:
        total = size if files is None else sum(length for _, length in files)
        filler = b"h" * 20 * -(-total // piece_length)
        info["pieces"] = filler if content is None else piece_hashes(content, piece_length)
    return overlaid(info, more)


def make_torrent(info: Any = None, **more: Any) -> bytes:
    """The bytes of a .torrent around this info dictionary (`make_info()` when None); `more` as there."""
    return bencode(overlaid({"info": make_info() if info is None else info}, more))


def make_info_v2(tree: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A v2-only info dictionary (BEP 52).  `tree` is the `file tree`; see `leaf`."""
    info = {
        "meta version": 2,
        "name": "video.mkv",
        "piece length": PIECE_LENGTH,
        "file tree": {"video.mkv": leaf()} if tree is None else tree,
    }
    return overlaid(info, more)


def leaf(length: int = 1, **more: Any) -> dict[str, Any]:
    """A file of a v2 tree, small enough to need no piece layer."""
    return {"": overlaid({"length": length, "pieces root": b"r" * 32}, more)}


def with_files(entries: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """An info dictionary whose `files` are these dictionaries, of length 1 where they do not say."""
    listed = [{"length": 1, **entry} for entry in entries]
    pieces = b"h" * 20 * max(1, -(-len(listed) // PIECE_LENGTH))
    info = {"name": "folder", "piece length": PIECE_LENGTH, "pieces": pieces, "files": listed}
    return overlaid(info, more)


def piece_hashes(content: bytes, piece_length: int) -> bytes:
    starts = range(0, len(content), piece_length)
    return b"".join(hashlib.sha1(content[x : x + piece_length]).digest() for x in starts)


def overlaid(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = base | {key.replace("_", " "): value for key, value in more.items()}
    return {key: value for key, value in merged.items() if value is not None}


def info_hash(torrent_info: Any) -> str:
    """The v1 info-hash of an info dictionary, in hex."""
    return hashlib.sha1(bencode(torrent_info)).hexdigest()


def mutated(raw: bytes, random: Random) -> bytes:
    """The same bytes with a few of them changed, cut out, doubled or moved."""
    data = bytearray(raw)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((1, 1, 1, 2, 8, 64)))
        piece = bytes(data[start:end])
        change = (
            random.randbytes(len(piece)),
            b"",
            piece + piece,
            random.choice(
                (b"i-1e", b"i9223372036854775807e", b"d", b"l", b"e", b"0:", b"2:..", b"99999999:")
            ),
        )
        data[start:end] = random.choice(change)
    return bytes(data)
