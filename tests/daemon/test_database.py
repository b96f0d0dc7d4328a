"""The database of the running daemon, read by others as the original service's was."""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime

import pytest

from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, database, flowing, in_state
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

ACTIVE = """
SELECT id, video_id, status, progress, download_speed, eta_seconds
FROM download_jobs
WHERE status = 'DOWNLOADING'
ORDER BY created_at DESC
"""
BY_STATUS = "SELECT status, COUNT(*) as count FROM download_jobs GROUP BY status"
FAILED = """
SELECT id, video_id, error_message, created_at
FROM download_jobs
WHERE status = 'FAILED'
ORDER BY created_at DESC
LIMIT 10
"""
AVERAGE = """
SELECT AVG((julianday(completed_at) - julianday(created_at)) * 86400) as avg_seconds
FROM download_jobs
WHERE status = 'COMPLETED' AND completed_at IS NOT NULL
"""


def test_the_original_queries_run_on_it(daemon: Daemon, swarm: Swarm) -> None:
    whole = swarm.seed({"video.mkv": 100_000})
    job = completed(daemon, whole, daemon.client.add(whole.magnet).id)
    series = swarm.seed({"other.mkv": 100_000}, name="other.mkv")
    failed = daemon.client.add(series.magnet, files=["*.avi"], video_id="film-2")
    in_state(daemon, failed.id, State.FAILED)
    slow = daemon.client.add(
        swarm.seed({"slow.mkv": 20_000_000}, name="slow.mkv", rate=SLOW).magnet, video_id="film-3"
    )
    flowing(daemon, slow.id)

    db = database(daemon)
    ((job_id, video_id, status, progress, _, _),) = until(
        lambda: [x for x in db.execute(ACTIVE) if min(x[3:6]) > 0], what="progress, speed and eta are written"
    )
    assert (job_id, video_id, status) == (slow.id, "film-3", "DOWNLOADING")
    assert progress < 100
    assert dict(db.execute(BY_STATUS)) == {"COMPLETED": 1, "DOWNLOADING": 1, "FAILED": 1}
    ((_, video_id, message, _),) = db.execute(FAILED).fetchall()
    assert video_id == "film-2"
    assert "*.avi" in message
    took = datetime.fromisoformat(str(job.completed_at)) - datetime.fromisoformat(job.created_at)
    assert db.execute(AVERAGE).fetchone()[0] == pytest.approx(took.total_seconds(), abs=0.01)
    db.close()


def test_progress_is_written_every_two_seconds(daemon: Daemon, swarm: Swarm) -> None:
    """That the machine stands still for a while makes one of the two times longer, not both."""
    job = daemon.client.add(swarm.seed({"video.mkv": 20_000_000}, rate=SLOW).magnet)
    db = database(daemon)

    def next_write(after: int) -> tuple[int, float]:
        found = until(lambda: [x for x in done(db, job.id) if x > after])
        return found[0], time.monotonic()

    first, began = next_write(0)
    second, middle = next_write(first)
    _, end = next_write(second)
    assert max(middle - began, end - middle) > 1.0
    assert min(middle - began, end - middle) < 4.0
    db.close()


def done(db: sqlite3.Connection, job_id: str) -> list[int]:
    return [x for (x,) in db.execute("SELECT done_bytes FROM download_jobs WHERE id = ?", [job_id])]
