"""How soon one can watch: from adding a torrent to its first MiB over HTTP, after a jump, and at its end.

Side by side on a swarm of limited seeders: the bare engine, which fetches what is read and nothing else;
peerflix; and htdl as a user has it (`htdl add`, `htdl url`, HTTP; the daemon is there).  Then all again with
one more peer that is slow.  Every byte that was read is compared.

Each asks for just what it reads (`first`, `jump`, `tail`); `seek` asks with an open end, as players do.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import place, viewers
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeded, Seeders
from tests.bench.viewers import Bare, Connection, HtdlViewer, Viewer

DEFAULTS = {"runs": 5, "mib": 192}
KIB, MIB = 1 << 10, 1 << 20
PIECE = 512 * KIB
# A limited seeder hands out its bandwidth once a tick: with the default of 500 ms in fits and starts that
# measure only themselves.  And the bare engine, which wants nothing between two reads, must be kept.
SMOOTH = {"tick_interval": 20, "close_redundant_connections": False}
SWARMS = {"3 x 1 MiB/s": (MIB,) * 3, "and one of 50 kB/s": (MIB,) * 3 + (50_000,)}
READS: dict[str, Callable[[int], range]] = {
    "first": lambda size: range(MIB),
    "jump": lambda size: range(size // 2, size // 2 + MIB),
    "tail": lambda size: range(size - 256 * KIB, size),
}
TARGET_SECONDS = {"first": 0.9, "jump": 0.5, "tail": 0.3}
WORSE_WITH_A_SLOW_PEER = 1.3  # of those
LEAST_SECONDS = 0.1  # of which a ratio says something: what was here already takes a few milliseconds

Runs = dict[str, dict[str, list[dict[str, float | None]]]]  # by swarm and viewer; seconds by what was read


@dataclass(frozen=True)
class Video:
    seeded: Seeded
    content: bytes


def measure(options: argparse.Namespace) -> Report:
    kinds = viewers.available()
    runs: Runs = {swarm: {kind.name: [] for kind in kinds} for swarm in SWARMS}
    with place.memory() as folder:
        original = folder / "video.mkv"
        place.fill(original, options.mib * MIB)
        for swarm, rates in SWARMS.items():
            with Seeders(original, PIECE, rates, SMOOTH) as seeded:
                video = Video(seeded, original.read_bytes())
                _warm_up(video)
                for _ in range(options.runs):
                    for kind in kinds:
                        with place.memory() as target:
                            runs[swarm][kind.name].append(_once(kind, target, video))
    title = f"stream: {options.mib} MiB in pieces of {PIECE // KIB} KiB, medians of {options.runs}"
    return Report(title=title, rows=_rows(runs), raw=runs)


def _warm_up(video: Video) -> None:
    """The first who comes to a new seeder waits half a second longer than all after."""
    with place.memory() as target:
        _once(Bare, target, video)


def _once(kind: type[Viewer], folder: Path, video: Video) -> dict[str, float | None]:
    parts = {name: part(len(video.content)) for name, part in READS.items()}
    taken: dict[str, float | None] = {}
    with kind(folder) as viewer:
        start = time.perf_counter()
        viewer.add(video.seeded.torrent, parts["first"])
        for name, part in parts.items():
            begun = start if name == "first" else time.perf_counter()
            content = viewer.read(part)
            taken[name] = time.perf_counter() - begun
            if content != video.content[part.start : part.stop]:
                print(f"{kind.name}: {name} is not what was seeded")
                taken[name] = None
        taken["seek"] = _seek(viewer.url, video.content) if viewer.url else None
        if isinstance(viewer, HtdlViewer):
            taken |= {"add": viewer.added - start, "url": viewer.named - viewer.added}
    return taken


def _seek(url: str, content: bytes) -> float | None:
    """As a player does it: it reads to the end, and leaves that request standing when it asks anew."""
    size = len(content)
    playing = Connection(url, size // 4)
    playing.read(MIB)
    begun = time.perf_counter()
    sought = Connection(url, size * 3 // 4)
    is_equal = sought.read(MIB) == content[size * 3 // 4 :][:MIB]
    taken = time.perf_counter() - begun
    sought.close()
    playing.close()
    return taken if is_equal else None


def _rows(runs: Runs) -> list[Row]:
    rows = []
    for swarm, by_viewer in runs.items():
        slack = 1.0 if swarm == next(iter(SWARMS)) else WORSE_WITH_A_SLOW_PEER
        targets = {what: seconds * slack for what, seconds in TARGET_SECONDS.items()}
        for what, viewer in itertools.product((*READS, "seek"), by_viewer):
            if viewer != Bare.name or what != "seek":
                target = targets.get(what) if viewer == HtdlViewer.name else None
                rows.append(_row(f"{swarm}: {what}, {viewer}", what, by_viewer[viewer], target))
        rows += [_row(f"{swarm}: of it htdl {what}", what, by_viewer["htdl"]) for what in ("add", "url")]
    alone, beside = ({what: _middle(runs, swarm, what) for what in READS} for swarm in SWARMS)
    for what in READS:
        value = ratio(beside[what], alone[what])
        rows.append(Row(name=f"htdl, slow peer / none: {what}", value=value, unit="x"))
    return rows


def _middle(runs: Runs, swarm: str, what: str) -> float | None:
    found = median(x[what] for x in runs[swarm]["htdl"])
    return found and max(found, LEAST_SECONDS)


def _row(name: str, what: str, one: list[dict[str, float | None]], target: float | None = None) -> Row:
    each = " ".join("-" if x[what] is None else f"{x[what]:.2f}" for x in one)
    return Row(name=name, value=median(x[what] for x in one), unit="s", target=target, note=each)
