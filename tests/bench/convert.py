"""What it costs that a video ends as an MP4: after its last byte, before its first picture, and in CPU.

The kept file is timed from the moment the last byte of its source is on the disk, which is earlier than the
daemon itself knows; converted while it arrives, and after.  The first picture is one that a real Chromium has
shown, timed from the beginning of `htdl add`.  The CPU is that of the daemon and all it started, beside a
bare ffmpeg that does the same with the same arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from htdl.jobs import State
from htdl.media.plan import Target, plan
from htdl.media.probe import probe
from htdl.media.source import Source
from htdl.media.tools import find_tools
from tests import processes
from tests.bench import place
from tests.bench.console import Script
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeded, Seeders
from tests.bench.stream import KIB, MIB, SMOOTH
from tests.clips import clip, repeated
from tests.daemons import Daemon
from tests.page.browser import Browser
from tests.probing import probed
from tests.waiting import until

DEFAULTS = {"runs": 3, "mib": 24}
PART_SECONDS, PART_MIB = 10, 4  # about: a film is so much, several times over
NOISE = {"mp4": 9, "mkv": 9, "avi": 4}  # that makes them so large
LARGE_MIB = 1024  # of the film whose CPU is measured; in memory, for what writing costs comes and goes
MODES = ("while-downloading", "after-download")
COPIED = ("mp4 h264 aac, as it is", "mkv h264 aac")
PIECE = 256 * KIB
FASTER = 3  # than its bitrate, the swarm where one watches
PLACED_SECONDS, SHOWN_SECONDS, COSTLIER = 1.0, 2.0, 1.3
LIMIT_SECONDS = 100.0

_IS_SHOWN = "video.currentTime > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 0"

Times = list[float | None]


def measure(options: argparse.Namespace) -> Report:
    times = max(1, options.mib // PART_MIB)
    with place.memory() as folder:
        mp4, mkv, avi = (
            clip(folder, kind, seconds=PART_SECONDS, size="640x360", noise=noise)
            for kind, noise in NOISE.items()
        )
        film = repeated(mkv, times)
        films = {
            COPIED[0]: repeated(mp4, times, "-movflags", "+faststart"),
            COPIED[1]: film,
            "mkv h264 ac3": repeated(mkv, times, "-c:a", "ac3"),
            "avi mpeg4 mp2": repeated(avi, times),
        }
        title = f"convert: {_size(film)}, medians of {options.runs}"
        placed = _placed(film, options.runs)
        shown = {name: _shown(path, options.runs) for name, path in films.items()}
        costs = _costs(repeated(mkv, LARGE_MIB * MIB // mkv.stat().st_size), options.runs)
    rows = [*_placed_rows(placed), *_shown_rows(shown), *_cost_rows(costs)]
    return Report(title=title, rows=rows, raw={"placed": placed, "shown": shown, "costs": costs})


def _size(film: Path) -> str:
    return f"{film.stat().st_size / MIB:.0f} MiB of {probed(film).duration:.0f} s"


@contextlib.contextmanager
def converter(
    mode: str = MODES[0], where: Callable[[], AbstractContextManager[Path]] = place.disk
) -> Iterator[Daemon]:
    """All it keeps is `where`: on a disk, as a user has it."""
    with where() as home:
        daemon = Daemon(home, {"conversion": {"enabled": True, "mode": mode}, "log": {"level": "info"}})
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.end()


def add(daemon: Daemon, seeded: Seeded) -> str:
    """By the command line; the job's id."""
    script = Script(daemon.home / "bin", daemon.env)
    return script.run("add", "--quiet", "--video-id", "bench", str(seeded.torrent)).strip()


def cpu_seconds(daemon: Daemon) -> float:
    """User and system time of the daemon, and of its children that have ended."""
    return processes.cpu_seconds(daemon.pid, with_children=True)


# --- the kept file ---


def _placed(film: Path, runs: int) -> dict[str, dict[str, Times]]:
    """Seconds by mode, and the CPU of each run."""
    found: dict[str, dict[str, Times]] = {mode: {"seconds": [], "cpu": []} for mode in MODES}
    with Seeders(film, PIECE, (MIB,) * 3, SMOOTH) as seeded:
        for _, mode in itertools.product(range(runs), MODES):
            with converter(mode) as daemon:
                found[mode]["seconds"].append(_placed_once(daemon, seeded, film))
                found[mode]["cpu"].append(cpu_seconds(daemon))
    return found


def _placed_once(daemon: Daemon, seeded: Seeded, film: Path) -> float | None:
    source, size = daemon.downloads / "bench" / film.name, film.stat().st_size
    target = daemon.home / "videos" / "bench" / f"{film.stem}.mp4"
    add(daemon, seeded)
    until(lambda: place.is_written(source, size), LIMIT_SECONDS)
    whole = time.perf_counter()
    until(target.exists, LIMIT_SECONDS)
    taken = time.perf_counter() - whole
    return taken if _is_same(target, film) else None


def _is_same(result: Path, film: Path) -> bool:
    made, before = probed(result), probed(film)
    length = abs((made.duration or 0) - (before.duration or 0))
    return length < 0.5 and len(made.streams) == len(before.streams)


def _placed_rows(placed: dict[str, dict[str, Times]]) -> list[Row]:
    return [
        *(
            _row(
                f"last byte to kept file, {mode}",
                one["seconds"],
                PLACED_SECONDS if mode == MODES[0] else None,
            )
            for mode, one in placed.items()
        ),
        *(_row(f"CPU of the whole download, {mode}", one["cpu"]) for mode, one in placed.items()),
    ]


# --- the first picture ---


def _shown(film: Path, runs: int) -> list[dict[str, float | None]]:
    if not shutil.which("chromium"):
        print("chromium is not installed, and no first picture is measured")
        return []
    rate = int(FASTER * film.stat().st_size / (probed(film).duration or 1.0))
    with Seeders(film, PIECE, (rate // 3,) * 3, SMOOTH) as seeded:
        return [_shown_once(seeded) for _ in range(runs)]


def _shown_once(seeded: Seeded) -> dict[str, float | None]:
    """Seconds since the beginning: `added`, the page `opened`, `shown`."""
    taken: dict[str, float | None] = {}
    with converter() as daemon, place.disk() as profile, Browser(profile) as browser:
        page = browser.page()
        start = time.perf_counter()
        job_id = add(daemon, seeded)
        taken["added"] = time.perf_counter() - start
        page.goto(until(lambda: daemon.client.stream(job_id).page_url))
        taken["opened"] = time.perf_counter() - start
        try:
            page.until(_IS_SHOWN, LIMIT_SECONDS)
            taken["shown"] = time.perf_counter() - start
        except AssertionError as exc:
            print(exc)
            taken["shown"] = None
    return taken


def _shown_rows(shown: dict[str, list[dict[str, float | None]]]) -> list[Row]:
    every = [run for runs in shown.values() for run in runs]
    return [
        *(
            _row(
                f"add to first picture, {name}",
                [x["shown"] for x in runs],
                SHOWN_SECONDS if name in COPIED else None,  # to encode takes its time
            )
            for name, runs in shown.items()
        ),
        _row("of it htdl add", [x["added"] for x in every]),
        _row("of it htdl add, and opening the page", [x["opened"] for x in every]),
    ]


# --- the cost ---


def _costs(film: Path, runs: int) -> dict[str, Times]:
    costs: dict[str, Times] = {"ffmpeg": [], "htdl": []}
    with converter(where=place.memory) as daemon:
        _by_htdl(daemon, film)  # the first looks for ffmpeg, and asks what it can; and memory is new to both
        _by_ffmpeg(film)
        for _ in range(runs):
            costs["ffmpeg"].append(_by_ffmpeg(film))
            costs["htdl"].append(_by_htdl(daemon, film))
    return costs


def _by_htdl(daemon: Daemon, film: Path) -> float | None:
    before = cpu_seconds(daemon)
    job_id = daemon.client.convert_file(film).id
    job = daemon.client.wait(job_id, timeout=LIMIT_SECONDS)
    taken = cpu_seconds(daemon) - before
    is_good = job.status is State.COMPLETED and job.file_path and _is_same(Path(job.file_path), film)
    daemon.client.remove(job_id, delete=True)
    return taken if is_good else None


def _by_ffmpeg(film: Path) -> float:
    target = film.with_name("bare.mp4")
    command = asyncio.run(_command(film, target))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    target.unlink()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def _command(film: Path, target: Path) -> Sequence[str]:
    tools, source = await find_tools("ffmpeg", "ffprobe"), Source(str(film))
    planned = plan(await probe(tools, source), Target(), has=tools.has)
    begin = (tools.ffmpeg, "-loglevel", "error", "-nostdin", "-y")
    return [*begin, *planned.input_arguments, *source.arguments, *planned.outputs(target)]


def _cost_rows(costs: dict[str, Times]) -> list[Row]:
    value = ratio(median(costs["htdl"]), median(costs["ffmpeg"]))
    rows = [_row(f"CPU of a remux, {name}", times) for name, times in costs.items()]
    return [*rows, Row(name="CPU of a remux, htdl / ffmpeg", value=value, unit="x", target=COSTLIER)]


def _row(name: str, times: Times, target: float | None = None) -> Row:
    each = " ".join("-" if x is None else f"{x:.2f}" for x in times)
    return Row(name=name, value=median(times), unit="s", target=target, note=each)
