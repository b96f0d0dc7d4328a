"""How soon the engine brings what is watched: the product's readers on the engine alone, no HTTP, no jobs.

Seconds from when it is wanted until it can be read.  `first`, `jump` and `tail` follow each other at once on
a fresh torrent; `later` and `back` are jumps of a reader that has played for a while at 2 MiB/s, and `still`
is how long it stood still meanwhile.  `whole` is the whole download under a reader, `alone` without one.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from htdl.core.torrents import Torrent
from htdl.stream.arrival import Arrival
from htdl.stream.source import Span
from htdl.torrent.api import Finished
from tests.bench import place
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeded, Seeders
from tests.bench.stream import SMOOTH, SWARMS, WORSE_WITH_A_SLOW_PEER
from tests.engines import Rig, running

DEFAULTS = {"runs": 5, "mib": 192}
KIB, MIB = 1 << 10, 1 << 20
PIECE = 512 * KIB
PLAY_SPEED = 2 * MIB
TARGET_SECONDS = {"first": 0.7, "jump": 0.5, "tail": 0.3}
LONGER_UNDER_A_READER = 1.15
LIMIT_SECONDS = 200.0
FULL_SPEED_BYTES = 2 << 30

Taken = dict[str, float | None]


class Viewing:
    """One torrent in an engine, and readers of its file."""

    def __init__(self, rig: Rig, size: int) -> None:
        metadata, pieces = rig.engine.metadata("a"), rig.engine.pieces("a")
        assert metadata
        assert pieces
        self.rig, self.size = rig, size
        self.span = Span(rig.home() / "video.mkv", size, 0)
        self.arrival = Arrival(Torrent(rig.engine, "a", rig.home(), metadata, pieces))

    async def read(self, start: int, count: int) -> float:
        """Seconds until these bytes can be read."""
        begun = time.perf_counter()
        with self.arrival.open(self.span, start, self.size) as reader:
            while reader.position < start + count:
                await reader.next(LIMIT_SECONDS)
        return time.perf_counter() - begun

    async def play(self, start: int, seconds: float) -> tuple[float, float]:
        """Read at the speed of playing: seconds until the first MiB, and how long it stood still after it."""
        begun, waits = time.perf_counter(), 0.0
        with self.arrival.open(self.span, start, self.size) as reader:
            while reader.position < min(start + MIB, self.size):
                await reader.next(LIMIT_SECONDS)
            first = now = time.perf_counter()
            while now < first + seconds and reader.position < self.size:
                await reader.next(LIMIT_SECONDS)
                waits += max(0.0, time.perf_counter() - now - 0.02)  # less is no wait that one sees
                shown = (reader.position - start) / PLAY_SPEED
                await asyncio.sleep(max(0.0, first + waits + shown - MIB / PLAY_SPEED - time.perf_counter()))
                now = time.perf_counter()
        return first - begun, waits


@asynccontextmanager
async def viewing(seeded: Seeded, folder: Path, size: int) -> AsyncIterator[Viewing]:
    async with running(folder) as rig:
        await rig.add(seeded.torrent.read_bytes(), wanted=[0])
        yield Viewing(rig, size)


async def reads(seeded: Seeded, folder: Path, size: int) -> Taken:
    async with viewing(seeded, folder, size) as view:
        taken: Taken = {"first": await view.read(0, MIB)}
        taken["jump"] = await view.read(size // 2, MIB)
        taken["tail"] = await view.read(size - 256 * KIB, 256 * KIB)
    return taken


async def plays(seeded: Seeded, folder: Path, size: int) -> Taken:
    async with viewing(seeded, folder, size) as view:
        _, first = await view.play(0, 5)
        later, second = await view.play(size // 2, 5)
        back, third = await view.play(size // 4, 5)
    return {"later": later, "back": back, "still": first + second + third}


async def whole(seeded: Seeded, folder: Path, size: int, *, is_watched: bool) -> float:
    begun = time.perf_counter()
    async with viewing(seeded, folder, size) as view:
        player = asyncio.create_task(view.play(size // 8, LIMIT_SECONDS)) if is_watched else None
        await view.rig.hears(Finished, timeout=LIMIT_SECONDS)
        if player:
            player.cancel()
        return time.perf_counter() - begun


def measure(options: argparse.Namespace) -> Report:
    runs: dict[str, list[Taken]] = {}
    for swarm, rates in SWARMS.items():
        with place.memory() as folder:
            place.fill(folder / "video.mkv", options.mib * MIB)
            with Seeders(folder / "video.mkv", PIECE, rates, SMOOTH) as seeded:
                for number in range(options.runs):
                    runs.setdefault(swarm, []).append(_once(seeded, folder, options.mib * MIB, number))
    with place.memory() as folder:
        place.fill(folder / "video.mkv", FULL_SPEED_BYTES)
        with Seeders(folder / "video.mkv", PIECE, (0, 0, 0)) as seeded:
            for _ in range(options.runs):
                runs.setdefault("unlimited", []).append(_wholes(seeded, folder, FULL_SPEED_BYTES))
    return Report(title=f"window: medians of {options.runs}", rows=_rows(runs), raw=runs)


def _once(seeded: Seeded, folder: Path, size: int, number: int) -> Taken:
    taken: Taken = {}
    for what in (reads, plays):
        with place.memory() as target:
            taken |= asyncio.run(what(seeded, target, size))
    return taken | (_wholes(seeded, folder, size) if number == 0 else {})  # a minute each


def _wholes(seeded: Seeded, folder: Path, size: int) -> Taken:
    taken: Taken = {}
    for name, is_watched in (("alone", False), ("whole", True)):
        with place.memory() as target:
            taken[name] = asyncio.run(whole(seeded, target, size, is_watched=is_watched))
    return taken


def _rows(runs: dict[str, list[Taken]]) -> list[Row]:
    rows, usual = [], dict[str, float | None]()
    for swarm, taken in runs.items():
        names = dict.fromkeys(name for one in taken for name in one)
        middle = {name: median(one.get(name) for one in taken) for name in names}
        usual = usual or middle
        for name, value in middle.items():
            rows.append(Row(name=f"{swarm}: {name}", value=value, unit="s", target=_target(swarm, name),
                            note=_note(one.get(name) for one in taken)))  # fmt: skip
        times = ratio(middle.get("whole"), middle.get("alone"))
        rows.append(Row(name=f"{swarm}: whole / alone", value=times, unit="x", target=LONGER_UNDER_A_READER))
    return rows


def _target(swarm: str, name: str) -> float | None:
    target = TARGET_SECONDS.get(name)
    return target if target is None or swarm == next(iter(SWARMS)) else target * WORSE_WITH_A_SLOW_PEER


def _note(values: Iterable[float | None]) -> str:
    return " ".join(f"{x:.2f}" for x in sorted(x for x in values if x is not None))
