"""How soon the socket answers while a download runs at full speed, and how long the event loop stands still.

Requests go out on one kept connection, each a few milliseconds after the last answer.  `config` touches
neither database nor engine: its slowest answer is the loop's longest pause, seen from outside, and what the
machine's scheduler adds.  What that adds alone is shown by a bare echo process, asked in the same way beside
the same download.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from htdl import wire
from tests.bench import place
from tests.bench.contenders import Htdl
from tests.bench.report import Report, Row, percentile
from tests.bench.seeder import Seeders
from tests.waiting import until

PIECE = 1 << 20
PAUSE_SECONDS = 0.002
P99_MS, LOOP_PAUSE_MS = 20.0, 50.0
PATHS = {"jobs": f"{wire.API}/jobs", "health": "/health", "config": f"{wire.API}/config"}

_ECHO = """
import asyncio, sys
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
async def main():
    server = await asyncio.start_unix_server(serve, sys.argv[1])
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Line:
    """A kept connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")

    def ask(self, path: str) -> float:
        """Milliseconds to the last byte of the answer."""
        start = time.perf_counter()
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: htdl\r\n\r\n".encode())
        status = self._file.readline()
        length = 0
        while (line := self._file.readline().strip().lower()) != b"":
            length = int(line[15:]) if line.startswith(b"content-length:") else length
        self._file.read(length)
        if b" 200 " not in status:
            raise RuntimeError(f"{path}: {status!r}")
        return (time.perf_counter() - start) * 1000


def measure(options: argparse.Namespace) -> Report:
    size = max(options.mib, 1024) << 20
    taken: dict[str, list[float]] = {}
    with place.memory() as folder, contextlib.ExitStack() as stack:
        original = folder / "seed" / "video.mkv"
        place.fill(original, size)
        seeded = stack.enter_context(Seeders(original, PIECE))
        echo = Line(stack.enter_context(echo_process(folder / "echo")))
        for number in range(options.runs):
            with Htdl(folder / f"run{number}") as htdl:
                line = Line(htdl.daemon.socket)
                _sample(line, echo, "at rest", taken, _count(200))
                htdl.add(seeded.torrent)
                _sample(
                    line,
                    echo,
                    "downloading",
                    taken,
                    lambda: not place.is_written(htdl.file("video.mkv"), size),
                )
                until(htdl.is_done)
                htdl.file("video.mkv").unlink()
    return Report(
        title=f"socket: while {size >> 20} MiB come, {options.runs} runs", rows=_rows(taken), raw=taken
    )


def _sample(
    line: Line, echo: Line, when: str, taken: dict[str, list[float]], goes_on: Callable[[], bool]
) -> None:
    names = itertools.cycle(["config", "jobs", "config", "health", "config", "echo"])
    while goes_on():
        name = next(names)
        milliseconds = echo.ask("/") if name == "echo" else line.ask(PATHS[name])
        taken.setdefault(f"{name}, {when}", []).append(milliseconds)
        time.sleep(PAUSE_SECONDS)


def _count(times: int) -> Callable[[], bool]:
    left = iter(range(times))
    return lambda: next(left, None) is not None


def _rows(taken: dict[str, list[float]]) -> list[Row]:
    rows = []
    for name, one in taken.items():
        what, when = name.split(", ")
        busy = when == "downloading"
        p99 = P99_MS if busy and what in {"jobs", "health"} else None
        longest = LOOP_PAUSE_MS if busy and what == "config" else None
        note = f"of {len(one)}, median {percentile(one, 50):.2f}"
        rows.append(Row(name=f"{name}: p99", value=percentile(one, 99), unit="ms", target=p99, note=note))
        rows.append(
            Row(name=f"{name}: longest", value=max(one), unit="ms", target=longest, note=_slowest(one))
        )
    return rows


def _slowest(one: Sequence[float]) -> str:
    return "the next " + " ".join(f"{x:.0f}" for x in sorted(one, reverse=True)[1:5])


@contextlib.contextmanager
def echo_process(path: Path) -> Iterator[Path]:
    process = subprocess.Popen([sys.executable, "-c", _ECHO, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        process.stdout.readline()
        yield path
    finally:
        process.kill()
        process.communicate()
