"""What is copied because it cannot be linked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.core import conversion
from htdl.media.progress import Progress


async def test_a_copy_has_every_byte_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "COPY_BLOCK", 400)
    film, part, told = tmp_path / "film.mp4", tmp_path / "part", list[Progress]()
    film.write_bytes(os.urandom(1000))
    await conversion._copy(film, part, told.append)
    assert part.read_bytes() == film.read_bytes()
    assert [x.fraction for x in told] == [None, 0.4, 0.8, 1.0]


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/etc/hostname")], ids=["pipe", "link"]
)
async def test_nothing_but_a_file_is_copied(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """What was there may have been exchanged since, and to open a pipe waits for ever."""
    other = tmp_path / "film.mp4"
    make(other)
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match=r"not a regular file|symbolic link"):
            await conversion._copy(other, tmp_path / "part", lambda x: None)
    assert not (tmp_path / "part").exists()
