from __future__ import annotations

import shutil
from pathlib import Path

from htdl.core.admission import free_bytes, room

MIB = 1 << 20


def test_free_bytes_are_those_of_the_file_system(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path) - shutil.disk_usage(tmp_path).free) < 512 * MIB  # others write too


def test_a_folder_that_is_still_to_be_made_lies_on_its_parents_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet" / "here") > 0
    assert free_bytes(Path("/nowhere/at/all")) > 0


def test_the_reserve_is_never_counted_as_room(tmp_path: Path) -> None:
    assert room(tmp_path, 1 << 62) < 0
    assert abs(room(tmp_path, 100 * MIB) + 100 * MIB - free_bytes(tmp_path)) < 512 * MIB
