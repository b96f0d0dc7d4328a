"""What tests ask of a job that a real daemon downloads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from htdl.jobs import State
from htdl.wire import JobInfo
from tests.daemons import Daemon
from tests.swarm import Torrent
from tests.waiting import until

SLOW = 500_000  # bytes a second of a seeder, which gives the first second or so at once


def once(daemon: Daemon, job_id: str, condition: Callable[[JobInfo], Any], timeout: float = 30.0) -> JobInfo:
    """The job as soon as it is so."""
    seen: list[JobInfo] = []

    def is_so() -> bool:
        seen[:] = [daemon.client.job(job_id)]
        return bool(condition(seen[0]))

    until(is_so, timeout, lambda: seen)
    return seen[0]


def in_state(daemon: Daemon, job_id: str, status: State, timeout: float = 30.0) -> JobInfo:
    return once(daemon, job_id, lambda job: job.status is status, timeout)


def flowing(daemon: Daemon, job_id: str, least: int = 1) -> JobInfo:
    """The job once this many bytes are here; it must not be whole by then."""
    job = once(daemon, job_id, lambda job: job.done_bytes >= least)
    assert job.status is State.DOWNLOADING, job
    return job


def measured_rate(daemon: Daemon, job_id: str, amount: int) -> float:
    """Bytes a second while this many arrive, from one look of the daemon to a later one."""
    before = flowing(daemon, job_id).done_bytes
    first = once(daemon, job_id, lambda job: job.done_bytes > before)
    began = time.monotonic()
    last = once(daemon, job_id, lambda job: job.done_bytes >= first.done_bytes + amount)
    return (last.done_bytes - first.done_bytes) / (time.monotonic() - began)


def completed(daemon: Daemon, torrent: Torrent, job_id: str, timeout: float = 30.0) -> JobInfo:
    """The job once it is whole: what it wants is on disk, byte for byte, and where it says."""
    job = in_state(daemon, job_id, State.COMPLETED, timeout)
    for file in job.files:
        if file.wanted:
            assert (Path(job.save_path) / file.path).read_bytes() == torrent.content(file.path), file
    assert job.file_path
    assert Path(job.file_path).is_file()
    return job


def database(daemon: Daemon) -> sqlite3.Connection:
    """The real file, read beside the running daemon."""
    return sqlite3.connect(f"file:{daemon.state / 'htdl.db'}?mode=ro", uri=True)
