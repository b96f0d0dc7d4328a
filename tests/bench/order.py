"""Which order of pieces brings the beginning soonest, and the whole no later.

A bare session with the product's settings; what differs is how pieces are asked for.  Seconds from adding the
torrent with its peers, as a magnet's x.pe would, to the first 10 MB in one run of pieces, the last piece, and
the whole file.  `waits` is how long a player stands still that starts with 2 MB and shows 6 MB/s of the
swarm's 8.
"""

from __future__ import annotations

import argparse
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

MIB = 1 << 20
SIZE, PIECE, HEAD = 96 * MIB, MIB, 10_000_000
PLAY_SPEED, PLAY_FROM = 6_000_000, 2_000_000  # bytes a second; bytes there before it starts
LIMIT_SECONDS = 90.0
MB = 1_000_000
SWARMS = {
    "1x8 MB/s": (8 * MB,),
    "5x1.6 MB/s": (1_600_000,) * 5,
    "4x2 MB/s + 50 kB/s": (2 * MB,) * 4 + (50_000,),
}


@dataclass
class Fetch:
    """A download under way: what has come, and when."""

    handle: lt.torrent_handle
    num_pieces: int
    came: dict[int, float] = field(default_factory=dict)  # seconds from the start, by piece
    due: set[int] = field(
        default_factory=set
    )  # were given a deadline; libtorrent keeps it until they are here

    def missing(self, count: int) -> list[int]:
        """The first pieces that are not here."""
        return [piece for piece in range(self.num_pieces) if piece not in self.came][:count]

    def head_seconds(self, pieces: int) -> float:
        return max(self.came[piece] for piece in range(pieces))


@dataclass(frozen=True)
class Strategy:
    """`begin` once, then `move` after each piece."""

    name: str
    flags: int = 0
    begin: Callable[[Fetch], None] = lambda fetch: None
    move: Callable[[Fetch], None] = lambda fetch: None
    settings: dict[str, object] = field(default_factory=dict)


def ends_first(fetch: Fetch) -> None:
    urgent = order.edges(0, SIZE, PIECE, fetch.num_pieces)
    fetch.handle.prioritize_pieces([(piece, order.FIRST) for piece in urgent])


def deadlines(pieces: int, step_ms: int = 0) -> Callable[[Fetch], None]:
    """The next `pieces` missing ones are due: the first now, each `step_ms` after the one before."""

    def move(fetch: Fetch) -> None:
        for rank, piece in enumerate(fetch.missing(pieces)):
            if piece not in fetch.due:
                fetch.due.add(piece)
                fetch.handle.set_piece_deadline(piece, rank * step_ms, 0)

    return move


def window(pieces: int, rest: int) -> Callable[[Fetch], None]:
    """The next `pieces` missing ones and the ends come first, all others have the priority `rest`."""

    def move(fetch: Fetch) -> None:
        first = set(fetch.missing(pieces)) | set(order.edges(0, SIZE, PIECE, fetch.num_pieces))
        wanted = [order.FIRST if piece in first else rest for piece in range(fetch.num_pieces)]
        fetch.handle.prioritize_pieces(wanted)

    return move


SEQUENTIAL = lt.torrent_flags.sequential_download
STRATEGIES = (
    Strategy("sequential, ends first", SEQUENTIAL, ends_first),
    Strategy("the same, next 4 due", SEQUENTIAL, ends_first, deadlines(4)),
    Strategy("the same, next 10 due", SEQUENTIAL, ends_first, deadlines(10)),
    Strategy("window of 10, rest 0", 0, window(10, 0), window(10, 0)),
    Strategy("rarest first"),
)


def leech(seeded: Seeded, folder: Path, strategy: Strategy) -> dict[str, float | None]:
    """One download by this strategy; a value is None when it did not come in time."""
    port = free_port()
    config = Torrent(
        download_path=folder, dht_enabled=False, lsd_enabled=False, upnp_enabled=False, allow_lan=True,
        listen_interface="127.0.0.1", port_range_start=port, port_range_end=port,
    )  # fmt: skip
    pack = settings.session_settings(config)
    mask = lt.alert_category.piece_progress | lt.alert_category.status
    session = lt.session({**pack, "alert_mask": mask, **strategy.settings})
    params = lt.load_torrent_file(str(seeded.torrent))
    params.save_path, params.trackers = str(folder), []
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    params.flags |= strategy.flags
    params.peers = [("127.0.0.1", port) for port in seeded.ports]
    start = time.perf_counter()
    fetch = Fetch(session.add_torrent(params), SIZE // PIECE)
    _follow(session, fetch, strategy, start)
    wasted = fetch.handle.status().total_redundant_bytes
    return _numbers(fetch) | {"wasted_mb": wasted / MB}


def _follow(session: lt.session, fetch: Fetch, strategy: Strategy, start: float) -> None:
    strategy.begin(fetch)
    strategy.move(fetch)
    while len(fetch.came) < fetch.num_pieces and time.perf_counter() - start < LIMIT_SECONDS:
        session.wait_for_alert(200)
        now, had = time.perf_counter() - start, len(fetch.came)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.piece_finished_alert):
                fetch.came.setdefault(alert.piece_index, now)
        if len(fetch.came) > had:
            strategy.move(fetch)


def _numbers(fetch: Fetch) -> dict[str, float | None]:
    came, whole = fetch.came, len(fetch.came) == fetch.num_pieces
    head = -(-HEAD // PIECE)
    has_head = all(piece in came for piece in range(head))
    return {
        "first": came.get(0),
        "head": fetch.head_seconds(head) if has_head else None,
        "tail": came.get(fetch.num_pieces - 1),
        "waits": standstill([came[piece] for piece in range(fetch.num_pieces)]) if whole else None,
        "whole": max(came.values()) if whole else None,
    }


def standstill(came: Sequence[float]) -> float:
    """Seconds a player stands still that starts with PLAY_FROM bytes and shows PLAY_SPEED, where piece i is
    here at came[i].
    """
    first = -(-PLAY_FROM // PIECE)
    now, still = max(came[:first]), 0.0
    for seconds in came:
        still += max(0.0, seconds - now)
        now = max(now, seconds) + PIECE / PLAY_SPEED
    return still


def measure(options: argparse.Namespace) -> Report:
    runs: dict[str, dict[str, list[dict[str, float | None]]]] = {}
    with place.memory() as folder:
        place.fill(folder / "video.mkv", SIZE)
        for swarm, rates in SWARMS.items():
            with Seeders(folder / "video.mkv", PIECE, rates) as seeded:
                for number in range(options.runs):
                    for strategy in STRATEGIES:
                        target = folder / f"{len(runs)}-{number}-{strategy.name}"
                        one = leech(seeded, target, strategy)
                        runs.setdefault(swarm, {}).setdefault(strategy.name, []).append(one)
                        (target / "video.mkv").unlink(missing_ok=True)
    rows = [
        Row(
            name=f"{swarm}: {name}, {what}",
            value=median(x[what] for x in one),
            unit="MB" if what == "wasted_mb" else "s",
            note=_runs(one, what),
        )
        for swarm, by_name in runs.items()
        for what in ("head", "tail", "waits", "whole", "wasted_mb")
        for name, one in by_name.items()
    ]
    return Report(
        title=f"order: head of {HEAD / MB:g} MB, last piece, whole; {options.runs} runs", rows=rows, raw=runs
    )


def _runs(one: Sequence[dict[str, float | None]], what: str) -> str:
    return " ".join("-" if x[what] is None else f"{x[what]:.2f}" for x in one)
