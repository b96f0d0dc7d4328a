"""The database of the running daemon, read by others as the original service's was."""

from __future__ import annotations

import sqlite3
import time

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
    completed(daemon, whole, daemon.client.add(whole.magnet).id)
    series = swarm.seed({"other.mkv": 100_000}, name="other.mkv")
    failed = daemon.client.add(series.magnet, files=["*.avi"], video_id="film-2")
    in_state(daemon, failed.id, State.FAILED)
    slow = daemon.client.add(
        swarm.seed({"slow.mkv": 3_000_000}, name="slow.mkv", rate=SLOW).magnet, video_id="film-3"
    )
    flowing(daemon, slow.id)

    db = database(daemon)
    until(lambda: min(db.execute(ACTIVE).fetchone()[3:6]) > 0, what="progress, speed and eta are written")
    ((job_id, video_id, status, progress, speed, eta),) = db.execute(ACTIVE).fetchall()
    assert (job_id, video_id, status) == (slow.id, "film-3", "DOWNLOADING")
    assert 0 < progress < 100
    assert speed > 0
    assert eta > 0
    assert dict(db.execute(BY_STATUS)) == {"COMPLETED": 1, "DOWNLOADING": 1, "FAILED": 1}
    ((_, video_id, message, _),) = db.execute(FAILED).fetchall()
    assert video_id == "film-2"
    assert "*.avi" in message
    assert 0 < db.execute(AVERAGE).fetchone()[0] < 30
    db.close()


def test_progress_is_written_every_two_seconds(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 4_000_000}, rate=SLOW).magnet)
    db = database(daemon)

    def next_write(after: int) -> tuple[int, float]:
        found = until(lambda: [x for x in done(db, job.id) if x > after])
        return found[0], time.monotonic()

    first, began = next_write(0)
    second, middle = next_write(first)
    third, end = next_write(second)
    assert first < second < third
    assert 1.0 < middle - began < 4.0
    assert 1.0 < end - middle < 4.0
    db.close()


def done(db: sqlite3.Connection, job_id: str) -> list[int]:
    return [x for (x,) in db.execute("SELECT done_bytes FROM download_jobs WHERE id = ?", [job_id])]
