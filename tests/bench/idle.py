"""What a daemon costs that holds many torrents and moves none: memory, time, and how soon it is back.

Two daemons: in one all have their data and seed, in the other half are paused and half wait in the queue.
Memory is what the daemon has more than an empty one of the same age; once as it is after all were added, and
once after a restart.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import libtorrent as lt

from htdl.client import Client
from htdl.jobs import State
from tests.bench import place
from tests.bench.report import Report, Row
from tests.daemons import Daemon
from tests.processes import cpu_seconds, private_bytes, rss_bytes
from tests.swarm import make_torrent
from tests.waiting import until

SIZE, PIECE = 40_000, 16 << 10
# for some seconds after a start libtorrent still has news of every torrent
SETTLE_SECONDS, WATCH_SECONDS = 15.0, 20.0
SETTING_UP_SECONDS = 300.0
KB_EACH, CPU_PERCENT, RESTART_SECONDS = 25.0, 1.0, 1.0


def measure(options: argparse.Namespace) -> Report:
    count, rows = options.jobs, []
    with place.disk() as folder, contextlib.ExitStack() as stack:
        torrents = _torrents(folder / "originals", count)
        empty = _daemon(folder / "empty", stack)
        time.sleep(SETTLE_SECONDS)
        base = rss_bytes(empty.pid)
        rows.append(Row(name="empty daemon", value=base / 1e6, unit="MB"))
        empty.end()
        for name, add, is_there in (
            ("seeding", _add_whole, partial(_seeds, torrents)),
            ("paused and queued", _add_waiting, partial(_waits, count)),
        ):
            daemon = _daemon(folder / name, stack, active=100 if name == "seeding" else 1)
            started = time.perf_counter()
            _add_all(daemon, torrents, add)
            until(partial(is_there, daemon), SETTING_UP_SECONDS)
            took = time.perf_counter() - started
            rows.append(Row(name=f"{count} {name}: added and settled", value=took, unit="s"))
            rows += _watch(daemon, f"{count} {name}", base, count)
            rows += _restart(daemon, f"{count} {name}", is_there)
            rows += _watch(daemon, f"{count} {name}, restarted", base, count)
            daemon.end()
    return Report(title=f"idle: {count} torrents of {SIZE} bytes", rows=rows)


def _torrents(folder: Path, count: int) -> list[tuple[Path, bytes]]:
    found = []
    for number in range(count):
        name = f"clip{number}.mkv"
        place.fill(folder / name, SIZE)
        found.append((folder / name, make_torrent(folder, name, PIECE, lt.create_torrent.v1_only, ())))
    return found


def _daemon(home: Path, stack: contextlib.ExitStack, active: int = 3) -> Daemon:
    torrent = {"max_active_downloads": active, "seed_ratio": -1, "seed_minutes": -1}
    daemon = Daemon(home, {"torrent": torrent, "log": {"level": "info"}})
    stack.callback(daemon.end)
    daemon.start()
    return daemon


def _add_all(daemon: Daemon, torrents: list[tuple[Path, bytes]], add: Callable[..., object]) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda one: add(daemon, *one), enumerate(torrents)):
            pass


def _add_whole(daemon: Daemon, number: int, torrent: tuple[Path, bytes]) -> None:
    """Its data lie where the job looks for them, so it is checked and complete."""
    original, metainfo = torrent
    home = daemon.downloads / f"v{number}"
    home.mkdir(parents=True, exist_ok=True)
    (home / original.name).hardlink_to(original)
    Client(daemon.socket).add(torrent=metainfo, video_id=f"v{number}")


def _add_waiting(daemon: Daemon, number: int, torrent: tuple[Path, bytes]) -> None:
    """Every other one paused; of the rest one has the only slot, and no peer."""
    Client(daemon.socket).add(torrent=torrent[1], video_id=f"v{number}", paused=number % 2 == 0)


def _watch(daemon: Daemon, name: str, base: int, count: int) -> list[Row]:
    time.sleep(SETTLE_SECONDS)
    pid = daemon.pid
    before = cpu_seconds(pid)
    time.sleep(WATCH_SECONDS)
    percent = (cpu_seconds(pid) - before) / WATCH_SECONDS * 100
    own = f"{rss_bytes(pid) / 1e6:.0f} MB, of it private {private_bytes(pid) / 1e6:.0f}"
    each = (rss_bytes(pid) - base) / count / 1000
    return [
        Row(name=f"{name}: memory each", value=each, unit="kB", target=KB_EACH, note=own),
        Row(name=f"{name}: processor", value=percent, unit="%", target=CPU_PERCENT),
    ]


def _restart(daemon: Daemon, name: str, is_there: Callable[[Daemon], bool]) -> list[Row]:
    """kill -9, so that nothing was prepared for it; until it answers, is healthy, and holds all again."""
    daemon.kill()
    start = time.perf_counter()
    daemon.start()
    answers = time.perf_counter() - start
    until(lambda: daemon.client.health().ok)
    healthy = time.perf_counter() - start
    until(partial(is_there, daemon), SETTING_UP_SECONDS)
    there = time.perf_counter() - start
    return [
        Row(name=f"{name}: restart to answering", value=answers, unit="s", target=RESTART_SECONDS),
        Row(name=f"{name}: restart to healthy", value=healthy, unit="s"),
        Row(name=f"{name}: restart to all there", value=there, unit="s"),
    ]


def _seeds(torrents: list[tuple[Path, bytes]], daemon: Daemon) -> bool:
    """Whether it answers the handshake (BEP 3) of every torrent, the last first."""
    return all(_shakes_hands(daemon.port, lt.load_torrent_buffer(x).ti) for _, x in reversed(torrents))


def _shakes_hands(port: int, info: lt.torrent_info) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        info_hash = info.info_hashes().v1.to_bytes()
        peer.sendall(b"\x13BitTorrent protocol" + bytes(8) + info_hash + b"-BENCH0-" + bytes(12))
        try:
            return info_hash in peer.recv(68, socket.MSG_WAITALL)
        except OSError:  # hung up: it does not have this torrent, yet
            return False


def _waits(count: int, daemon: Daemon) -> bool:
    """Whether half of them are paused, and the others have been looked at."""
    by_status = daemon.client.stats().by_status
    return by_status[State.PAUSED] == count // 2 and by_status[State.DOWNLOADING] == 1
