"""A torrent that the engine holds, as streaming sees it: a `PieceSource`, and where its files lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from htdl.jobs import JobFile
from htdl.stream.container.container import Container, examine
from htdl.stream.container.found import Has
from htdl.stream.opening import open_regular
from htdl.stream.source import Span, StreamEnded
from htdl.torrent.api import Engine, Metadata
from htdl.torrent.pieces import Pieces


class Torrent:
    def __init__(self, engine: Engine, key: str, folder: Path, metadata: Metadata, pieces: Pieces) -> None:
        self.key = key
        self.piece_length = pieces.length
        self.pieces = pieces
        self._engine = engine
        self._folder = folder
        self._offsets = {file.index: file.offset for file in metadata.files}

    def readable_until(self, piece: int) -> int:
        return self.pieces.readable_until(piece)

    async def changed(self) -> None:
        await self.pieces.changed()
        if self.pieces.is_gone:
            raise StreamEnded("the download was stopped")

    def want(self, pieces: Sequence[int]) -> None:
        if not self.pieces.is_gone:  # the engine may have the job's torrent anew, with readers of its own
            self._engine.want(self.key, pieces)

    # --- files ---

    def span(self, file: JobFile) -> Span:
        return Span(self._folder / file.path, file.size, self._offsets[file.index])

    def head(self, span: Span, start: int) -> int:
        """How many bytes of a file can be read from `start` on without a gap."""
        first = (span.offset + start) // self.piece_length
        end = self.readable_until(first) * self.piece_length - span.offset
        return max(0, min(end, span.size) - start)

    def runs(self, span: Span) -> list[range]:
        """The bytes of a file that can be read, in order."""
        length, stop = self.piece_length, span.offset + span.size
        runs = self.pieces.runs(span.offset // length, -(-stop // length))
        return [
            range(max(first * length, span.offset) - span.offset, min(last * length, stop) - span.offset)
            for first, last in runs
        ]

    def examine(self, span: Span) -> Container:
        """Read a file's container as far as it is here.  Blocks: for a thread."""
        return read_container(
            self._folder, span.path, span.size, lambda offset, count: self.head(span, offset) >= count
        )


def read_container(folder: Path, path: Path, size: int, has: Has) -> Container:
    """What the container of a file below `folder` says, as far as it is here.  Blocks: for a thread."""
    try:
        file = open_regular(folder, path)
    except OSError:  # nothing of it has been written yet, or somebody removed it
        return examine(lambda offset, count: None, lambda offset, count: False, size)

    def read(offset: int, count: int) -> bytes | None:
        try:
            data = os.pread(file.fileno(), count, offset) if has(offset, count) else b""
        except OSError:  # of the disk: who reads the video hears of it
            return None
        return data if len(data) == count else None

    with file:
        return examine(read, has, size)
