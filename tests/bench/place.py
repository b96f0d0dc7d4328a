"""Where a measurement keeps its bytes, and what it may hold there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

ADDRESS = os.environ.get("BENCH_ADDRESS", "127.0.0.1")  # of every peer; contenders.Transmission says why
BLOCK = 512  # stat(2): st_blocks counts in these
_MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def memory() -> Iterator[Path]:
    """A temp folder in memory where there is such a place, so that no disk is measured."""
    with tempfile.TemporaryDirectory(prefix="htdl-bench-", dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield Path(name)


@contextlib.contextmanager
def disk() -> Iterator[Path]:
    """A temp folder where the system has them: what is flushed there costs what it costs a user."""
    with tempfile.TemporaryDirectory(prefix="htdl-bench-") as name:
        yield Path(name)


def fill(path: Path, size: int) -> None:
    """A file that no transfer can compress or guess."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while left := size - file.tell():
            file.write(os.urandom(min(1 << 20, left)))


def is_written(path: Path, size: int) -> bool:
    """Whether every page of the file was written; a hole has no blocks."""
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == size and stat.st_blocks * BLOCK >= size


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
