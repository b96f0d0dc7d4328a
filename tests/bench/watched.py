"""What watching costs the download: seconds from `htdl add` to the whole file, without a reader and with one.

On a limited swarm the reader plays at half its speed; on an unlimited one at that of a large video.  One
begins at the start, one in the middle, and one jumps to another place every second.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import place
from tests.bench.player import Players
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeded, Seeders
from tests.bench.stream import MIB, PIECE, SMOOTH
from tests.bench.viewers import LIMIT_SECONDS, Connection, HtdlViewer
from tests.waiting import until

DEFAULTS = {"runs": 3, "mib": 36}
WORSE_UNDER_A_READER = 1.15
JUMP_SECONDS = 1.0
UNLIMITED_MIB_EACH = 28  # so much more comes from an unlimited swarm


@dataclass(frozen=True)
class SwarmShape:
    name: str
    rates: tuple[int, ...]  # bytes a second of each seeder, 0 for no limit
    size: int
    speed: int  # of the reader, bytes a second


@dataclass(frozen=True)
class Watch:
    """A job that downloads, and who looks on."""

    url: str
    original: Path
    speed: int


Reader = Callable[[Watch], contextlib.AbstractContextManager[list[str]]]


def measure(options: argparse.Namespace) -> Report:
    swarms = (
        SwarmShape("3 x 1 MiB/s", (MIB,) * 3, options.mib * MIB, 3 * MIB // 2),
        SwarmShape("unlimited", (0,) * 3, options.mib * UNLIMITED_MIB_EACH * MIB, 8 * MIB),
    )
    runs: dict[str, dict[str, list[float | None]]] = {}
    for swarm in swarms:
        by_reader = runs.setdefault(swarm.name, {name: [] for name in READERS})
        with place.memory() as folder:
            original = folder / "video.mkv"
            place.fill(original, swarm.size)
            with Seeders(original, PIECE, swarm.rates, SMOOTH) as seeded:
                for _ in range(options.runs):
                    for name, reader in READERS.items():
                        by_reader[name].append(_once(seeded, original, swarm.speed, reader))
    return Report(title=f"watched: medians of {options.runs}", rows=_rows(runs), raw=runs)


def _once(seeded: Seeded, original: Path, speed: int, reader: Reader) -> float | None:
    """Seconds to the whole file; None when it is not what was seeded, or a reader saw a fault."""
    with place.memory() as folder, HtdlViewer(folder) as htdl:
        start = time.perf_counter()
        htdl.add(seeded.torrent)
        with reader(Watch(htdl.script.run("url", htdl.job).strip(), original, speed)) as faults:
            file, size = htdl.file(original.name), original.stat().st_size
            until(lambda: place.is_written(file, size), LIMIT_SECONDS)
            until(htdl.is_done)
            taken = time.perf_counter() - start
        is_equal = place.sha256(file) == place.sha256(original)
    for fault in faults:
        print(f"a reader {fault}")
    return taken if is_equal and not faults else None


@contextlib.contextmanager
def _nobody(watch: Watch) -> Iterator[list[str]]:
    yield []


@contextlib.contextmanager
def _plays(part: float, watch: Watch) -> Iterator[list[str]]:
    """One player, from this part of the file on."""
    faults: list[str] = []
    start = int(watch.original.stat().st_size * part)
    with Players(watch.url, watch.speed, watch.original, [start]) as players:
        yield faults
    faults += players.faults()


@contextlib.contextmanager
def _jumps(watch: Watch) -> Iterator[list[str]]:
    """Somebody who looks for a scene: a MiB here, a MiB there, each by a new request with an open end."""
    faults: list[str] = []
    ended = threading.Event()
    thread = threading.Thread(target=_jump, args=(watch, ended, faults))
    thread.start()
    try:
        yield faults
    finally:
        ended.set()
        thread.join()


def _jump(watch: Watch, ended: threading.Event, faults: list[str]) -> None:
    chance, size = random.Random(1), watch.original.stat().st_size
    with watch.original.open("rb") as file:
        while not ended.wait(JUMP_SECONDS):
            start = chance.randrange(size - MIB)
            file.seek(start)
            connection = Connection(watch.url, start)
            if connection.read(MIB) != file.read(MIB):
                faults.append(f"that jumped to {start} got wrong bytes")
            connection.close()


READERS: dict[str, Reader] = {
    "no reader": _nobody,
    "from the start": partial(_plays, 0.0),
    "from the middle": partial(_plays, 0.5),
    "jumping": _jumps,
}


def _rows(runs: dict[str, dict[str, list[float | None]]]) -> list[Row]:
    rows = []
    for swarm, by_reader in runs.items():
        for reader, one in by_reader.items():
            each = " ".join("-" if x is None else f"{x:.2f}" for x in one)
            rows.append(Row(name=f"{swarm}: {reader}", value=median(one), unit="s", note=each))
        for reader in list(by_reader)[1:]:
            value = ratio(median(by_reader[reader]), median(by_reader["no reader"]))
            target = WORSE_UNDER_A_READER if reader != "jumping" else None
            rows.append(Row(name=f"{swarm}: {reader} / no reader", value=value, unit="x", target=target))
    return rows
