"""How much room what is made needs, and who waits for some."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from htdl.core import room
from htdl.core.admission import free_bytes
from htdl.core.lanes import Candidate
from htdl.core.work import Work
from htdl.errors import DiskFull
from htdl.jobs import Blocked, Conversion, ConversionState, Job, State
from tests.core.examples import new_job, running
from tests.core.world import settings

GIB = 1 << 30


def work(*, needs: int = 0, runs: bool = False, **fields: Any) -> Work:
    """One that is known to need so many bytes."""
    made = Work(Conversion(file_index=0, **fields), found_bytes=needs)
    if runs:
        made.candidate = Candidate(job_id="job", file_index=0, encodes=True, is_whole=True)
    return made


def waiting(number: int, size: int, **fields: Any) -> Job:
    return new_job(number, **({"total_bytes": size, "blocked_by": Blocked.DISK_FULL} | fields))


def test_who_runs_is_counted_first_then_who_waits_in_turn(tmp_path: Path) -> None:
    jobs = [
        waiting(4, 40),
        waiting(3, 30, done_bytes=10),
        waiting(9, 90, priority=1),
        waiting(5, 50, blocked_by=Blocked.QUEUE),
        running(1, total_bytes=100, done_bytes=40),
        new_job(2, status=State.COMPLETED, total_bytes=1000),
    ]
    output = str(tmp_path / "videos" / "film.mp4")
    works = [
        work(needs=200, runs=True, progress=75.0, status=ConversionState.RUNNING, output=output),
        work(needs=300, error_code="disk_full", output=output),
        work(needs=400, output=output),
    ]
    assert room.needs(jobs, works, settings(tmp_path, {})) == [60 + 50, 90, 20, 40, 300]
    assert room.needs([], [], settings(tmp_path, {})) == [0]


def test_what_there_is_no_room_for_is_not_begun(tmp_path: Path) -> None:
    config = settings(tmp_path, {})
    one = work(needs=GIB, output=str(tmp_path / "film.mp4"))
    room.check(one, config, [])
    one.found_bytes = free_bytes(tmp_path) + 1000 * GIB
    with pytest.raises(DiskFull, match=r"no room for the [\d.]+ TiB of the result in "):
        room.check(one, config, [])
    one.found_bytes = GIB
    with pytest.raises(DiskFull, match="no room for the 1 GiB of the result"):
        room.check(one, config, [running(total_bytes=free_bytes(tmp_path))])
    with pytest.raises(DiskFull, match="no room for the 1 GiB of the result"):
        room.check(one, config, [], free_bytes(tmp_path))


def test_one_that_has_only_come_to_its_turn_holds_no_room_back(tmp_path: Path) -> None:
    """Its own download would stop for it, before it is known whether there is room for both."""
    config = settings(tmp_path, {})
    one = work(needs=GIB, runs=True, output=str(tmp_path / "film.mp4"))
    assert room.reserved([one], config) == 0
    assert room.needs([running(total_bytes=100)], [one], config) == [100]
    one.record = replace(one.record, status=ConversionState.RUNNING, progress=50.0)
    assert room.reserved([one], config) == GIB // 2
