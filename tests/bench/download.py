"""One large file from one seeder: htdl beside the bare engine and aria2.

The clock runs from `add` (htdl: the whole command, the daemon is there) until every page of the file is
written (`on disk`), and until the program says that it is done.  Then the bytes are compared.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.bench import contenders, place
from tests.bench.contenders import Contender
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeded, Seeders
from tests.processes import cpu_seconds

PIECE = 1 << 20
LIMIT_SECONDS = 120.0
POLL_SECONDS = 0.01
WORSE_THAN_RAW, WORSE_THAN_ARIA2 = 1.15, 1.0


def measure(options: argparse.Namespace) -> Report:
    size, kinds = options.mib << 20, contenders.available()
    runs: dict[str, list[dict[str, float | None]]] = {kind.name: [] for kind in kinds}
    with place.memory() as folder:
        original = folder / "video.mkv"
        place.fill(original, size)
        with Seeders(original, PIECE) as seeded:
            for number in range(options.runs):
                for kind in kinds:
                    target = folder / f"{kind.name}-{number}"
                    runs[kind.name].append(_once(kind, target, seeded, original))
    return Report(
        title=f"download: {options.mib} MiB, one seeder, {options.runs} runs", rows=_rows(runs), raw=runs
    )


def _once(kind: type[Contender], target: Path, seeded: Seeded, original: Path) -> dict[str, float | None]:
    with kind(target) as program:
        before = cpu_seconds(program.pid)
        start = time.perf_counter()
        program.add(seeded.torrent)
        took = time.perf_counter() - start
        written, done = _wait(program, program.file(original.name), original.stat().st_size, start)
        used = cpu_seconds(program.pid) - before
        is_equal = done is not None and place.sha256(program.file(original.name)) == place.sha256(original)
        program.file(original.name).unlink(missing_ok=True)
    if not is_equal:
        print(f"{kind.name}: the file is not the seeded one")
        written = done = None
    return {"add": took, "on disk": written, "done": done, "cpu": used}


def _wait(program: Contender, file: Path, size: int, start: float) -> tuple[float | None, float | None]:
    """Seconds until the file is on disk, and until the program says it is done."""
    written: float | None = None
    while (now := time.perf_counter() - start) < LIMIT_SECONDS:
        if written is None and place.is_written(file, size):
            written = now
        if written is not None and program.is_done():
            return written, time.perf_counter() - start
        time.sleep(POLL_SECONDS)
    return written, None


def _rows(runs: dict[str, list[dict[str, float | None]]]) -> list[Row]:
    rows = [
        Row(name=f"{name}, {what}", value=median(x[what] for x in one), unit="s", note=_each(one, what))
        for what in ("on disk", "done", "add", "cpu")
        for name, one in runs.items()
    ]
    targets = {"raw": WORSE_THAN_RAW, "aria2": WORSE_THAN_ARIA2}
    for what in ("on disk", "done"):
        for name in runs.keys() & targets.keys():
            value = ratio(median(x[what] for x in runs["htdl"]), median(x[what] for x in runs[name]))
            rows.append(Row(name=f"htdl / {name}, {what}", value=value, unit="x", target=targets[name]))
    return rows


def _each(one: list[dict[str, float | None]], what: str) -> str:
    return " ".join("-" if x[what] is None else f"{x[what]:.2f}" for x in one)
