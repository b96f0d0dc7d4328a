"""What watching costs the download: seconds from `htdl add` to the whole file, without a reader and with one.

On a limited swarm the reader plays at half its speed; on an unlimited one at that of a large video.  One
begins at the start, one in the middle, and one jumps to another place every second.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

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


class Reader(Protocol):
    """A context manager: its process or thread is there before the clock runs."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def play(self, url: str) -> None: ...
    def faults(self) -> list[str]:
        """What no reader may see; after its end."""


class Nobody:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def play(self, url: str) -> None: ...

    def faults(self) -> list[str]:
        return []


class Jumper(Nobody):
    """Somebody who looks for a scene: a MiB here, a MiB there, each by a new request with an open end."""

    def __init__(self, original: Path) -> None:
        self._original = original
        self._faults: list[str] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def play(self, url: str) -> None:
        self._thread = threading.Thread(target=self._jump, args=(url,))
        self._thread.start()

    def faults(self) -> list[str]:
        return self._faults

    def _jump(self, url: str) -> None:
        chance, size = random.Random(1), self._original.stat().st_size
        with self._original.open("rb") as file:
            while not self._ended.wait(JUMP_SECONDS):
                start = chance.randrange(size - MIB)
                file.seek(start)
                connection = Connection(url, start)
                if connection.read(MIB) != file.read(MIB):
                    self._faults.append(f"that jumped to {start} got wrong bytes")
                connection.close()


def _from(part: float) -> Callable[[Path, int], Reader]:
    return lambda original, speed: Players(speed, original, [int(original.stat().st_size * part)])


READERS: dict[str, Callable[[Path, int], Reader]] = {
    "no reader": lambda original, speed: Nobody(),
    "from the start": _from(0.0),
    "from the middle": _from(0.5),
    "jumping": lambda original, speed: Jumper(original),
}


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
                for number in range(options.runs):
                    in_turn = list(READERS)[:: 1 if number % 2 else -1]  # whoever is first has no advantage
                    for name in in_turn:
                        reader = READERS[name](original, swarm.speed)
                        by_reader[name].append(_once(seeded, original, reader))
    return Report(title=f"watched: medians of {options.runs}", rows=_rows(runs), raw=runs)


def _once(seeded: Seeded, original: Path, reader: Reader) -> float | None:
    """Seconds to the whole file; None when it is not what was seeded, or a reader saw a fault."""
    with place.memory() as folder, HtdlViewer(folder) as htdl, reader:
        start = time.perf_counter()
        htdl.add(seeded.torrent)
        reader.play(htdl.script.run("url", htdl.job).strip())
        file, size = htdl.file(original.name), original.stat().st_size
        until(lambda: place.is_written(file, size), LIMIT_SECONDS)
        until(htdl.is_done)
        taken = time.perf_counter() - start
        is_equal = place.sha256(file) == place.sha256(original)
    for fault in reader.faults():
        print(f"a reader {fault}")
    return taken if is_equal and not reader.faults() else None


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
