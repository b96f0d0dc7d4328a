"""From starting `htdl add` to the first piece of the video on disk.

A magnet names its one seeder (x.pe), a .torrent the tracker that does; the daemon is there.  A piece counts
once its bytes in the file are those of the original: then it has been fetched, verified and written.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import time
from pathlib import Path

from tests.bench import place
from tests.bench.contenders import Htdl
from tests.bench.report import Report, Row, median, percentile
from tests.bench.seeder import Seeders
from tests.waiting import until

SIZE, PIECE = 64 << 20, 256 << 10
RUNS_EACH = 5  # of every run asked for: one takes no time
TARGET_MS = 150.0
LIMIT_SECONDS = 30.0


def measure(options: argparse.Namespace) -> Report:
    runs: dict[str, list[dict[str, float]]] = {"MAGNET": [], "FILE.torrent": []}
    with place.memory() as folder, contextlib.ExitStack() as stack:
        original = folder / "seed" / "video.mkv"
        place.fill(original, SIZE)
        content = original.read_bytes()
        seeded = stack.enter_context(Seeders(original, PIECE))
        htdl = stack.enter_context(Htdl(folder / "downloads"))
        for _ in range(options.runs * RUNS_EACH):
            runs["MAGNET"].append(_once(htdl, seeded.magnet, content))
            runs["FILE.torrent"].append(_once(htdl, str(seeded.torrent), content))
    rows = [row for source, one in runs.items() for row in _rows(f"htdl add {source}", one)]
    return Report(title=f"latency: {options.runs * RUNS_EACH} runs in turn", rows=rows, raw=runs)


def _rows(name: str, runs: list[dict[str, float]]) -> list[Row]:
    pieces = [x["piece"] for x in runs]
    return [
        Row(
            name=f"{name}: first piece on disk",
            value=median(pieces),
            unit="ms",
            target=TARGET_MS,
            note=f"p90 {percentile(pieces, 90):.0f}",
        ),
        Row(name=f"{name}: the command has ended", value=median(x["command"] for x in runs), unit="ms"),
        Row(name=f"{name}: whole file on disk", value=median(x["whole"] for x in runs), unit="ms"),
    ]


def _once(htdl: Htdl, source: str, content: bytes) -> dict[str, float]:
    file = htdl.file("video.mkv")
    start = time.perf_counter()
    command = subprocess.Popen(
        [htdl.script.path, "add", "--quiet", "--video-id", "bench", source],
        env=htdl.script.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    piece = whole = ended = None
    while whole is None:
        now = (time.perf_counter() - start) * 1000
        if now > LIMIT_SECONDS * 1000:
            raise TimeoutError(f"no piece within {LIMIT_SECONDS:g} s; the daemon's log:\n{htdl.daemon.log()}")
        ended = now if ended is None and command.poll() is not None else ended
        piece = now if piece is None and _has_a_piece(file, content) else piece
        whole = now if place.is_written(file, len(content)) and ended and piece else None
        time.sleep(0.001)
    assert piece is not None
    assert ended is not None
    htdl.job = command.communicate()[0].strip()
    until(htdl.is_done)
    _forget(htdl)
    return {"piece": piece, "command": ended, "whole": whole}


def _has_a_piece(file: Path, content: bytes) -> bool:
    """The first or the last piece, which are asked for first."""
    try:
        with file.open("rb") as held:
            for offset in (0, len(content) - PIECE):
                held.seek(offset)
                if held.read(PIECE) == content[offset : offset + PIECE]:
                    return True
    except OSError:  # not there yet
        pass
    return False


def _forget(htdl: Htdl) -> None:
    """The job, its data, and the torrent in the session, so that the next is as new."""
    client, file = htdl.daemon.client, htdl.file("video.mkv")
    client.cancel(htdl.job, delete=True)
    until(lambda: not file.exists() and not client.job(htdl.job).delete_data)
    client.remove(htdl.job)
