"""What many readers of one arriving file cost: memory, time, and how long the event loop stands still.

Twenty players, spread over a file that comes slower than they could read it.  Memory is what the daemon has
more while they read than before; a download alone is shown beside it.  The longest pause is seen from
outside, beside a bare echo process, as in `socket`.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench import place
from tests.bench.player import Players
from tests.bench.report import Report, Row, median, percentile
from tests.bench.seeder import Seeded, Seeders
from tests.bench.socket import LOOP_PAUSE_MS, PATHS, PAUSE_SECONDS, Line, echo_process
from tests.bench.stream import MIB, PIECE, SMOOTH
from tests.bench.viewers import HtdlViewer
from tests.processes import cpu_seconds, rss_bytes
from tests.waiting import until

DEFAULTS = {"runs": 3, "mib": 192}
READERS = 20
RATES = (4 * MIB,) * 3
BEFORE_SECONDS, WATCH_SECONDS = 2.0, 8.0
MIB_EACH = 4.0


@dataclass(frozen=True)
class Sample:
    grown: float  # bytes, at most
    cpu: float  # seconds
    pauses: list[float]  # ms
    echoes: list[float]  # ms
    read: int  # bytes, by all
    least: int  # bytes, by one
    faults: list[str]


def measure(options: argparse.Namespace) -> Report:
    alone, watched = [], []
    with place.memory() as folder, contextlib.ExitStack() as stack:
        original = folder / "video.mkv"
        place.fill(original, options.mib * MIB)
        seeded = stack.enter_context(Seeders(original, PIECE, RATES, SMOOTH))
        echo = Line(stack.enter_context(echo_process(folder / "echo")))
        for _ in range(options.runs):
            alone.append(_once(seeded, original, 0, echo))
            watched.append(_once(seeded, original, READERS, echo))
    raw = {"alone": [vars(x) for x in alone], "watched": [vars(x) for x in watched]}
    title = f"readers: {READERS} of {options.mib} MiB that come with {sum(RATES) // MIB} MiB/s"
    return Report(title=title, rows=_rows(alone, watched), raw=raw)


def _once(seeded: Seeded, original: Path, count: int, echo: Line) -> Sample:
    with place.memory() as folder, HtdlViewer(folder) as htdl:
        line = Line(htdl.daemon.socket)
        htdl.add(seeded.torrent)
        until(lambda: htdl.file(original.name).exists())
        time.sleep(BEFORE_SECONDS)
        grown, pauses, echoes = 0, [], []
        starts = [original.stat().st_size * number // READERS for number in range(count)]
        with Players(0, original, starts) as players:
            before, cpu = rss_bytes(htdl.pid), cpu_seconds(htdl.pid)
            players.play(htdl.script.run("url", htdl.job).strip())
            end = time.perf_counter() + WATCH_SECONDS
            while time.perf_counter() < end:
                pauses.append(line.ask(PATHS["config"]))
                time.sleep(PAUSE_SECONDS)
                echoes.append(echo.ask("/"))
                time.sleep(PAUSE_SECONDS)
                grown = max(grown, rss_bytes(htdl.pid) - before)
            cpu = cpu_seconds(htdl.pid) - cpu
            if htdl.is_done():
                raise RuntimeError("the file came whole meanwhile: more --mib")
    faults = players.faults()
    for fault in faults:
        print(f"a reader {fault}")
    read = [x.bytes for x in players.seen] or [0]
    return Sample(grown, cpu, pauses, echoes, sum(read), min(read), faults)


def _rows(alone: list[Sample], watched: list[Sample]) -> list[Row]:
    extra = [(after.grown - base.grown) / READERS / MIB for base, after in zip(alone, watched, strict=True)]
    whole = [x.grown / READERS / MIB for x in watched]
    pauses, echoes = ([y for x in watched for y in x.pauses], [y for x in watched for y in x.echoes])
    faults = sum(len(x.faults) for x in watched)
    read = median(x.read / MIB for x in watched)
    busy, idle = (median(x.cpu / WATCH_SECONDS * 100 for x in y) for y in (watched, alone))
    note = " ".join(f"{x:.2f}" for x in whole)
    return [
        Row(name="memory each, all growth", value=median(whole), unit="MiB", target=MIB_EACH, note=note),
        Row(name="memory each, beyond a download alone", value=median(extra), unit="MiB"),
        Row(name="event loop: longest pause", value=max(pauses), unit="ms", target=LOOP_PAUSE_MS),
        Row(name="event loop: p99", value=percentile(pauses, 99), unit="ms", note=f"of {len(pauses)}"),
        Row(name="echo beside: longest", value=max(echoes), unit="ms"),
        Row(name="echo beside: p99", value=percentile(echoes, 99), unit="ms"),
        Row(name="processor", value=busy, unit="%"),
        Row(name="processor, download alone", value=idle, unit="%"),
        Row(name="read by all", value=read, unit="MiB"),
        Row(name="read by the slowest", value=median(x.least / MIB for x in watched), unit="MiB"),
        Row(name="wrong or cut off", value=float(faults), unit="", target=0.0),
    ]
