"""`htdl status`, from start to exit, beside the cheapest program on the same library: `import click`."""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import sqlite_utils

from htdl import paths
from htdl.jobs import Job, JobFile, State, Wish
from htdl.store import jobs, migrations
from tests.bench import console, place
from tests.bench.report import Report, Row, median, ratio
from tests.daemons import Daemon

RUNS_EACH = 7  # of every run asked for
MANY = 10_000
FEW = 3
NOW = "2026-01-01T00:00:00.000+00:00"
TIMES_CLICK, TIMES_CLICK_MANY = 2.0, 3.0


def measure(options: argparse.Namespace) -> Report:
    with place.disk() as folder, contextlib.ExitStack() as stack:
        scripts = {}
        for count in (FEW, MANY):
            daemon = Daemon(folder / f"{count}-jobs", {"log": {"level": "info"}})
            stack.callback(daemon.end)
            fill(paths.database(daemon.state), count)
            daemon.start()
            scripts[count] = console.Script(daemon.home / "bin", daemon.env)
        taken = _interleaved(scripts, options.runs * RUNS_EACH)
    click = median(taken["import click"])
    rows = [Row(name=name, value=median(one), unit="ms") for name, one in taken.items()]
    for count, target in ((FEW, TIMES_CLICK), (MANY, TIMES_CLICK_MANY)):
        name = f"htdl status, {count} jobs"
        rows.append(
            Row(
                name=f"{name} / import click",
                value=ratio(median(taken[name]), click),
                unit="x",
                target=target,
            )
        )
    return Report(title=f"cli: {options.runs * RUNS_EACH} runs in turn", rows=rows, raw=taken)


def _interleaved(scripts: dict[int, console.Script], runs: int) -> dict[str, list[float]]:
    env = console.plain_environment()
    taken: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        taken.setdefault(name, []).append(seconds * 1000)

    for _ in range(runs):
        note("pass", console.seconds([sys.executable, "-c", "pass"], env))
        note("import click", console.seconds([sys.executable, "-c", "import click"], env))
        for count, script in scripts.items():
            name = f"htdl status, {count} jobs"
            note(name, console.seconds([script.path, "status"], script.env))
            note(f"{name}, terminal", console.seconds_on_terminal([script.path, "status"], script.env))
        some = next(iter(scripts.values()))
        note("htdl --version", console.seconds([some.path, "--version"], some.env))
    return taken


def fill(database: Path, count: int) -> None:
    """A database with `count` jobs: most have ended, some wait paused, as after a year of use."""
    database.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite_utils.Database(sqlite3.connect(database, isolation_level=None))
    db.execute("PRAGMA journal_mode = WAL")
    migrations.migrate(db, NOW)
    db.execute("BEGIN")
    for number in range(count):
        job = _job(number)
        file = JobFile(index=0, path=f"Video {number}/video.mkv", size=job.total_bytes, progress=100.0)
        jobs.insert(db, job, [file])
    db.execute("COMMIT")
    db.close()


def _job(number: int) -> Job:
    states = [State.COMPLETED] * 8 + [State.FAILED, State.CANCELLED]
    chance = random.Random(number)
    job = Job(
        id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        video_id=f"video-{number}",
        torrent_id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        status=states[number % len(states)],
        progress=100,
        created_at=NOW,
        updated_at=f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        completed_at=NOW,
        source=f"magnet:?xt=urn:btih:{chance.getrandbits(160):040x}",
        info_hash=f"{chance.getrandbits(160):040x}",
        name=f"Video {number}",
        position=number,
        total_bytes=1 << 30,
        done_bytes=1 << 30,
        save_path=f"/nowhere/video-{number}",
        metadata_at=NOW,
    )
    return job if number % 20 else replace(job, status=State.PAUSED, wish=Wish.PAUSE, completed_at=None)
