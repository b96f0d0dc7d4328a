from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

import pytest

from htdl.api import pagecache
from tests.api.playing import BYTES, SIZE, Playing

MIB = 1 << 20


def chill(path: Path) -> None:
    """Nothing of it is in memory from now on; skips the test where that cannot be had, as on a tmpfs."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with FileIO(path) as file:
        if pagecache.is_cached(file, range(path.stat().st_size)):
            pytest.skip("this file system keeps all in memory, or cannot tell")


def test_what_is_loaded_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(4 * MIB))
    with FileIO(path) as file:
        assert pagecache.is_cached(file, range(4 * MIB))
        chill(path)
        pagecache.load(file, range(MIB, 2 * MIB))
        assert pagecache.is_cached(file, range(MIB, 2 * MIB))
        assert pagecache.is_cached(file, range(2 * MIB - 1, 2 * MIB))


def test_a_cold_end_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(4 * MIB))
    chill(path)
    with FileIO(path, "r+") as file:
        file.write(bytes(MIB))  # to read it would bring what follows as well
        assert pagecache.is_cached(file, range(MIB))
        assert not pagecache.is_cached(file, range(4 * MIB))


def test_a_file_that_was_closed_meanwhile_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"x")
    file = FileIO(path)
    file.close()
    pagecache.load(file, range(1))


def test_a_cold_file_is_loaded_by_a_thread_and_served_whole(
    whole: Playing, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[range] = []
    really = pagecache.load

    def load(file: FileIO, block: range) -> None:
        loaded.append(block)
        really(file, block)

    monkeypatch.setattr(pagecache, "load", load)  # to see it called: what it saves is a disk's time
    whole.path().write_bytes(BYTES)
    assert whole.get().body == BYTES
    assert loaded == [], "it is in memory: nothing is read twice"
    chill(whole.path())
    assert whole.get().body == BYTES
    assert loaded
    assert loaded[0] == range(pagecache.LOAD_BLOCK)
    assert loaded[-1].stop <= SIZE
