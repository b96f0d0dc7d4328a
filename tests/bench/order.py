"""Which order of pieces brings the beginning soonest, and the whole no later.

A bare session with the product's settings; what differs is how pieces are asked for.  Seconds from adding the
torrent with its peers to: the first 10 MB in one run of pieces (`head`), the last piece (`tail`), the whole
file.  `waits` is how long a player stands still that starts with 2 MB and shows 6 of the swarm's 8 MB/s.
The unlimited swarm shows only what an order costs at full speed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libtorrent as lt

from htdl.config import Torrent
from htdl.torrent import order, settings
from tests.bench import place
from tests.bench.report import Report, Row, median
from tests.bench.seeder import Seeded, Seeders
from tests.ports import free_port

MB, MIB = 1_000_000, 1 << 20
PIECE, HEAD = MIB, 10 * MB
PLAY_SPEED, PLAY_FROM = 6 * MB, 2 * MB  # bytes a second; bytes that are there before it starts
LIMIT_SECONDS = 90.0
MEASURED = ("head", "tail", "waits", "whole", "wasted_mb")


@dataclass(frozen=True)
class SwarmShape:
    name: str
    rates: tuple[int, ...]  # bytes a second of each seeder
    size: int = 96 * MIB


SWARMS = (
    SwarmShape("1x8 MB/s", (8 * MB,)),
    SwarmShape("5x1.6 MB/s", (1_600_000,) * 5),
    SwarmShape("4x2 MB/s + 50 kB/s", (2 * MB,) * 4 + (50_000,)),
    SwarmShape("unlimited", (0,), 1 << 30),
)


@dataclass
class Fetch:
    """A download under way: what has come, and when."""

    handle: lt.torrent_handle
    num_pieces: int
    came: dict[int, float] = field(default_factory=dict)  # seconds from the start, by piece
    due: set[int] = field(
        default_factory=set
    )  # were given a deadline; libtorrent keeps it until they are here
    moved: float = 0.0  # when the strategy last had its say, seconds from the start

    def missing(self, count: int) -> list[int]:
        """The first pieces that are not here."""
        return [piece for piece in range(self.num_pieces) if piece not in self.came][:count]

    def ends(self) -> list[int]:
        return order.edges(0, self.num_pieces * PIECE, PIECE, self.num_pieces)


@dataclass(frozen=True)
class Strategy:
    """`begin` once, then `move` after a piece has come, but at most every so many seconds."""

    name: str
    is_sequential: bool = False
    begin: Callable[[Fetch], None] = lambda fetch: None
    move: Callable[[Fetch], None] = lambda fetch: None
    every: float = 0.0


def ends_first(fetch: Fetch) -> None:
    fetch.handle.prioritize_pieces([(piece, order.FIRST) for piece in fetch.ends()])


def due(pieces: int, below: float = math.inf) -> Callable[[Fetch], None]:
    """The next `pieces` missing ones are due now, while the torrent comes with less than `below` bytes/s."""

    def move(fetch: Fetch) -> None:
        if fetch.handle.status().download_payload_rate >= below:
            return
        for piece in fetch.missing(pieces):
            if piece not in fetch.due:
                fetch.due.add(piece)
                fetch.handle.set_piece_deadline(piece, 0, 0)

    return move


def window(pieces: int) -> Callable[[Fetch], None]:
    """The next `pieces` missing ones and the ends come first, the others not at all."""

    def move(fetch: Fetch) -> None:
        first = {*fetch.missing(pieces), *fetch.ends()}
        wanted = [order.FIRST if x in first else order.DONT_DOWNLOAD for x in range(fetch.num_pieces)]
        fetch.handle.prioritize_pieces(wanted)

    return move


STRATEGIES = (
    Strategy("sequential, ends first", True, ends_first),
    Strategy("  next 4 due", True, ends_first, due(4)),
    Strategy("  next 4 due, 4 times a second", True, ends_first, due(4), 0.25),
    Strategy("  next 10 due, 4 times a second", True, ends_first, due(10), 0.25),
    Strategy("  the same below 10 MB/s", True, ends_first, due(10, below=10 * MB), 0.25),
    Strategy("window of 10, rest 0", False, window(10), window(10)),
    Strategy("rarest first"),
)


def measure(options: argparse.Namespace) -> Report:
    runs: dict[str, list[dict[str, float | None]]] = {}
    for swarm in SWARMS:
        with place.memory() as folder:
            place.fill(folder / "video.mkv", swarm.size)
            with Seeders(folder / "video.mkv", PIECE, swarm.rates) as seeded:
                for number in range(options.runs):
                    for strategy in STRATEGIES:
                        target = folder / f"{number} {strategy.name}"
                        one = leech(seeded, target, strategy, swarm.size // PIECE)
                        runs.setdefault(f"{swarm.name}: {strategy.name}", []).append(one)
                        (target / "video.mkv").unlink(missing_ok=True)
    rows = [
        Row(name=name, value=median(x["waits"] for x in one), unit="s", note=_note(one))
        for name, one in runs.items()
    ]
    return Report(
        title=f"order: how long a player stands still; medians of {options.runs}", rows=rows, raw=runs
    )


def leech(seeded: Seeded, folder: Path, strategy: Strategy, num_pieces: int) -> dict[str, float | None]:
    """One download by this strategy; a value is None when it did not come in time."""
    port = free_port()
    config = Torrent(
        download_path=folder, dht_enabled=False, lsd_enabled=False, upnp_enabled=False, allow_lan=True,
        listen_interface="127.0.0.1", port_range_start=port, port_range_end=port,
    )  # fmt: skip
    mask = lt.alert_category.piece_progress | lt.alert_category.status
    session = lt.session({**settings.session_settings(config), "alert_mask": mask})
    params = lt.load_torrent_file(str(seeded.torrent))
    params.save_path, params.trackers = str(folder), []
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    params.flags |= lt.torrent_flags.sequential_download if strategy.is_sequential else 0
    params.peers = [("127.0.0.1", port) for port in seeded.ports]
    start = time.perf_counter()
    fetch = Fetch(session.add_torrent(params), num_pieces)
    _follow(session, fetch, strategy, start)
    return _numbers(fetch) | {"wasted_mb": fetch.handle.status().total_redundant_bytes / MB}


def _follow(session: lt.session, fetch: Fetch, strategy: Strategy, start: float) -> None:
    strategy.begin(fetch)
    strategy.move(fetch)
    while len(fetch.came) < fetch.num_pieces and time.perf_counter() - start < LIMIT_SECONDS:
        session.wait_for_alert(200)
        now, had = time.perf_counter() - start, len(fetch.came)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.piece_finished_alert):
                fetch.came.setdefault(alert.piece_index, now)
        if len(fetch.came) > had and now - fetch.moved >= strategy.every:
            fetch.moved = now
            strategy.move(fetch)


def _numbers(fetch: Fetch) -> dict[str, float | None]:
    came, head = fetch.came, -(-HEAD // PIECE)
    is_whole = len(came) == fetch.num_pieces
    return {
        "head": max(came[x] for x in range(head)) if came.keys() >= set(range(head)) else None,
        "tail": came.get(fetch.num_pieces - 1),
        "waits": standstill([came[x] for x in range(fetch.num_pieces)]) if is_whole else None,
        "whole": max(came.values()) if is_whole else None,
    }


def standstill(came: Sequence[float]) -> float:
    """Seconds a player stands still that starts with PLAY_FROM bytes and shows PLAY_SPEED, where piece i is
    here at came[i].
    """
    now, still = max(came[: -(-PLAY_FROM // PIECE)]), 0.0
    for seconds in came:
        still += max(0.0, seconds - now)
        now = max(now, seconds) + PIECE / PLAY_SPEED
    return still


def _note(runs: Sequence[dict[str, float | None]]) -> str:
    middle = {what: median(x[what] for x in runs) for what in MEASURED if what != "waits"}
    return ", ".join(f"{what} {'-' if x is None else format(x, '.2f')}" for what, x in middle.items())
