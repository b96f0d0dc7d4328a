from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from htdl.core import admission
from htdl.core.admission import OnDisk, bytes_on_disk, free_bytes, room
from htdl.jobs import Job, JobFile
from tests.core.examples import new_job, running

MIB = 1 << 20


def test_free_bytes_are_those_of_the_file_system(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path) - shutil.disk_usage(tmp_path).free) < 512 * MIB  # others write too


def test_a_folder_that_is_still_to_be_made_lies_on_its_parents_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet" / "here") > 0
    assert free_bytes(Path("/nowhere/at/all")) > 0


def test_the_reserve_is_never_counted_as_room(tmp_path: Path) -> None:
    assert room(tmp_path, 1 << 62) < 0
    assert abs(room(tmp_path, 100 * MIB) + 100 * MIB - free_bytes(tmp_path)) < 512 * MIB


def test_holes_are_not_on_disk_and_what_is_not_wanted_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(b"x" * 8192)
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 20)
    files = [
        JobFile(index=0, path="whole", size=8192),
        JobFile(index=1, path="hole", size=1 << 20),
        JobFile(index=2, path="absent", size=100),
        JobFile(index=3, path="whole", size=8192, wanted=False),
    ]
    assert bytes_on_disk(tmp_path, files) == 8192


def test_a_place_that_holds_no_files_is_not_full() -> None:
    assert free_bytes(Path("/proc/nowhere")) > 1 << 60


def test_of_thousands_that_wait_for_room_a_few_are_looked_at_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST_LOOKS", 2)
    looks = Counter[str]()

    def look(job: Job) -> int:
        looks[job.id] += 1
        return job.total_bytes

    on_disk, jobs = OnDisk(look), [new_job(x, total_bytes=10) for x in range(1, 5)]
    assert on_disk.of(jobs) == {x.id: 10 for x in jobs[:2]}
    assert on_disk.of(jobs) == {x.id: 10 for x in jobs}
    runs = running(9, total_bytes=7)
    for _ in range(4):
        assert on_disk.of([runs, *jobs])[runs.id] == 7
    assert looks == {runs.id: 4} | {x.id: 2 for x in jobs}
    assert on_disk.of(jobs[:1]) == {jobs[0].id: 10}
