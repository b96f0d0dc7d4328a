"""A file of which some pieces are here."""

from __future__ import annotations

from collections.abc import Iterable

from htdl.stream.container.container import Container, examine

PIECE = 16 << 10


class Arriving:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pieces: set[int] = set()

    def read(self, offset: int, count: int) -> bytes | None:
        assert 0 <= offset < offset + count <= len(self.data), "reads nothing, or beyond the file"
        return self.data[offset : offset + count] if self.has(offset, count) else None

    def has(self, offset: int, count: int) -> bool:
        return all(piece in self.pieces for piece in _pieces(range(offset, offset + count)))

    def bring(self, parts: Iterable[range]) -> None:
        for part in parts:
            self.pieces.update(_pieces(part))

    def examine(self) -> Container:
        return examine(self.read, self.has, len(self.data))

    def until_ok(self, rounds: int = 5) -> Container:
        """Bring what it asks for, and look again; fails when that does not end."""
        for _ in range(rounds):
            found = self.examine()
            if found.index_ok:
                return found
            self.bring(found.needed)
        raise AssertionError(f"still not enough: {self.examine()}")


def whole(data: bytes) -> Container:
    return examine(
        lambda offset, count: data[offset : offset + count],
        lambda offset, count: offset + count <= len(data),
        len(data),
    )


def _pieces(part: range) -> range:
    return range(part.start // PIECE, -(-part.stop // PIECE))
