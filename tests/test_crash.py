"""kill -9 of the real daemon, at many moments.  What comes after is the ordinary start, nothing else."""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from htdl import paths
from htdl.errors import HtdlError
from htdl.jobs import State
from htdl.wire import JobInfo
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

SAVED_SECONDS = 10.0  # what a crash may cost at most
SLOW, LONG = 500_000, 16_000_000  # bytes a second of a seeder, and bytes that take it half a minute


def status(daemon: Daemon, job_id: str) -> State:
    return daemon.client.job(job_id).status


def completes(daemon: Daemon, job_id: str, torrent: Torrent, timeout: float = 60.0) -> JobInfo:
    """It is COMPLETED by itself, and the bytes are those of the seeder."""

    def ended() -> JobInfo | None:
        job = daemon.client.job(job_id)
        return job if job.has_ended else None

    job = until(ended, timeout, f"job {job_id} ends; its log:\n{daemon.log()[-2000:]}")
    assert job.status is State.COMPLETED, job
    assert job.file_path
    assert differences(Path(job.file_path).read_bytes(), torrent.content("video.mkv")) == []
    return job


def differences(found: bytes, wanted: bytes) -> list[int]:
    """The 16 KiB blocks that differ, by number."""
    blocks = range(-(-max(len(found), len(wanted)) // 16384))
    return [n for n in blocks if found[n << 14 : (n + 1) << 14] != wanted[n << 14 : (n + 1) << 14]]


def check_sound(daemon: Daemon) -> None:
    """The database is whole, and nothing half-made lies about."""
    with closing(sqlite3.connect(paths.database(daemon.state))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    stray = [x for x in daemon.home.rglob("*") if x.name.endswith((".parts", ".tmp", ".part"))]
    assert not stray
    jobs = daemon.client.jobs()
    assert len({job.id for job in jobs}) == len(jobs)
    hashes = [job.info_hash for job in jobs if not job.has_ended]
    assert len(set(hashes)) == len(hashes)


def test_a_kill_at_any_moment_after_add(daemon: Daemon, swarm: Swarm) -> None:
    chance = random.Random(1)
    added: dict[str, Torrent] = {}
    for delay in [0.0, 0.0, 0.001, 0.003, 0.01, *(chance.uniform(0.0, 0.5) for _ in range(5))]:
        torrent = swarm.seed({"video.mkv": 300_000 + len(added)}, rate=1_000_000)
        added[daemon.client.add(torrent.magnet).id] = torrent
        time.sleep(delay)  # the moment of the kill is the case
        daemon.restart()
    assert sorted(added) == sorted(job.id for job in daemon.client.jobs())
    for job_id, torrent in added.items():
        completes(daemon, job_id, torrent)
    check_sound(daemon)


def test_kills_all_along_a_download(daemon: Daemon, swarm: Swarm) -> None:
    chance = random.Random(2)
    torrent = swarm.seed({"video.mkv": LONG}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    for _ in range(10):
        time.sleep(chance.uniform(0.05, 1.0))  # the moment of the kill is the case
        daemon.restart()
    swarm.limit(0)
    completes(daemon, job.id, torrent)
    check_sound(daemon)


def test_a_crash_costs_no_more_than_ten_seconds(daemon: Daemon, swarm: Swarm) -> None:
    rate, size = 300_000, 4_200_000
    torrent = swarm.seed({"video.mkv": size}, rate=rate)
    job = daemon.client.add(torrent.magnet)
    begun = time.monotonic()
    until(lambda: daemon.client.job(job.id).done_bytes > 12 * rate, 60)
    assert time.monotonic() - begun > SAVED_SECONDS, "the swarm is faster than it should be"
    daemon.restart()
    completes(daemon, job.id, torrent)
    assert swarm.sent() <= size + SAVED_SECONDS * rate  # all of it lost would be 12 seconds' worth
    check_sound(daemon)


def test_kills_around_completion(daemon: Daemon, swarm: Swarm) -> None:
    for turn in range(6):
        torrent = swarm.seed({"video.mkv": 250_000 + turn}, rate=0)
        job = daemon.client.add(torrent.magnet)
        if turn % 2:
            until(
                lambda job=job: daemon.client.job(job.id).done_bytes or status(daemon, job.id).name[0] == "C"
            )
        else:
            until(lambda job=job: status(daemon, job.id) is State.COMPLETED)
        daemon.restart()
        completes(daemon, job.id, torrent)
        assert len(daemon.client.jobs()) == turn + 1
    check_sound(daemon)


def test_a_cancel_that_was_answered_is_carried_out(daemon: Daemon, swarm: Swarm) -> None:
    chance = random.Random(3)
    for turn in range(4):
        torrent = swarm.seed({"video.mkv": LONG + turn}, rate=SLOW)
        job = daemon.client.add(torrent.magnet)
        until(lambda job=job: daemon.client.job(job.id).done_bytes > 0)
        home = Path(job.save_path)
        daemon.client.cancel(job.id, delete=True)
        time.sleep(chance.choice((0.0, 0.001, 0.004, 0.02)))  # the moment of the kill is the case
        daemon.restart()
        until(lambda job=job: status(daemon, job.id) is State.CANCELLED)
        until(lambda home=home: not home.exists(), what=f"{home} is removed")
    check_sound(daemon)


def test_a_pause_that_was_answered_holds(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": LONG}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    for delay in (0.0, 0.002, 0.01, 0.05):
        until(lambda: status(daemon, job.id) is State.DOWNLOADING)
        daemon.client.pause(job.id)
        time.sleep(delay)  # the moment of the kill is the case
        daemon.restart()
        until(lambda: status(daemon, job.id) is State.PAUSED)
        daemon.client.resume(job.id)
    swarm.limit(0)
    completes(daemon, job.id, torrent)
    check_sound(daemon)


def test_adds_of_many_clients_at_once(daemon: Daemon) -> None:
    numbers = itertools.count(1)
    magnets: list[str] = []
    answered: dict[str, str] = {}

    def add() -> None:
        """One after the other, until nobody answers: the last may be there, once, or not."""
        try:
            while True:
                magnets.append(magnet := f"magnet:?xt=urn:btih:{next(numbers):040x}")
                answered[magnet] = daemon.client.add(magnet, paused=True).id
        except HtdlError:
            return

    with ThreadPoolExecutor(4) as clients:
        working = [clients.submit(add) for _ in range(4)]
        try:
            until(lambda: len(answered) > 25)
        finally:
            daemon.kill()
    assert [x.result() for x in working] == [None] * 4
    daemon.start()
    jobs = daemon.client.jobs()
    assert len({job.info_hash for job in jobs}) == len(jobs)
    assert set(answered.values()) <= {job.id for job in jobs}
    again = {magnet: daemon.client.add(magnet, paused=True).id for magnet in magnets}
    assert len(daemon.client.jobs()) == len(magnets)
    assert all(again[magnet] == job_id for magnet, job_id in answered.items())
    check_sound(daemon)


def test_kills_during_start(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": LONG}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    until(lambda: daemon.client.job(job.id).done_bytes > 0)
    daemon.kill()
    swarm.limit(0)
    for delay in (0.02, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4):
        daemon.launch()
        time.sleep(delay)  # the moment of the kill is the case
        daemon.kill()
    daemon.start()
    completes(daemon, job.id, torrent)
    check_sound(daemon)


# --- another boot, and what happens to files meanwhile


def partly_here(daemon: Daemon, swarm: Swarm) -> tuple[JobInfo, Torrent, Path]:
    """A job that is partly here, its resume data saved, and its daemon killed.  Its rest comes quickly."""
    torrent = swarm.seed({"video.mkv": LONG}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    job = until(lambda: (x := daemon.client.job(job.id)).done_bytes > 500_000 and x)
    daemon.client.pause(job.id)
    until(lambda: status(daemon, job.id) is State.PAUSED)
    daemon.client.resume(job.id)
    until(lambda: status(daemon, job.id) is State.DOWNLOADING)
    daemon.kill()
    swarm.limit(0)
    assert job.file_path
    return job, torrent, Path(job.file_path)


def damage(path: Path, torrent: Torrent) -> None:
    """Zeros over the first verified piece."""
    content = torrent.content("video.mkv")
    with path.open("r+b") as file:
        for start in range(0, len(content), 65536):
            file.seek(start)
            if file.read(65536) == content[start : start + 65536]:
                file.seek(start)
                file.write(bytes(4096))
                return
    raise AssertionError("no piece is here yet")


def test_after_another_boot_nothing_is_believed(daemon: Daemon, swarm: Swarm) -> None:
    job, torrent, path = partly_here(daemon, swarm)
    damage(path, torrent)
    with closing(sqlite3.connect(paths.database(daemon.state))) as db, db:
        assert db.execute("UPDATE resume_data SET boot_id = 'another'").rowcount == 1
    daemon.start()
    completes(daemon, job.id, torrent)
    check_sound(daemon)


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1000)


@pytest.mark.parametrize("harm", [truncate, Path.unlink], ids=["truncated", "deleted"])
def test_a_file_that_was_cut_is_mended(daemon: Daemon, swarm: Swarm, harm: Callable[[Path], None]) -> None:
    job, torrent, path = partly_here(daemon, swarm)
    harm(path)
    daemon.start()
    completes(daemon, job.id, torrent)
    check_sound(daemon)
