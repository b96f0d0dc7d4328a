"""Players in a process of their own, so that what is measured beside them does not wait for this Python.

`python -m tests.bench.player SPEED ORIGINAL START...` reads a URL, the first line of its standard input, once
from each START (an offset) to its end, SPEED bytes a second, 0 as fast as it comes; compares all with the
file ORIGINAL, and ends with its standard input.  Prints what it saw as a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from tests.bench.viewers import Connection

CHUNK = 64 << 10


@dataclass
class Seen:
    """By one player.  `waited` is how long its longest read took; a video stands still meanwhile."""

    start: int
    bytes: int = 0
    waited: float = 0.0
    is_wrong: bool = False
    error: str = ""


class Players:
    """A context manager around the process, which waits for `play`; `seen` after its end."""

    def __init__(self, speed: int, original: Path, starts: Sequence[int]) -> None:
        self._command = [sys.executable, "-m", "tests.bench.player", str(speed), str(original)]
        self._command += [str(start) for start in starts]
        self.seen: list[Seen] = []

    def __enter__(self) -> Players:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self._process.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._process.communicate(timeout=20)
        self.seen = [Seen(**one) for one in json.loads(told)] if told else []

    def play(self, url: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{url}\n")
        self._process.stdin.flush()

    def faults(self) -> list[str]:
        """What no player may see: wrong bytes, an answer cut off, or none at all."""
        wrong = [f"from {x.start}: wrong bytes before {x.start + x.bytes}" for x in self.seen if x.is_wrong]
        return wrong + [f"from {x.start}: {x.error}" for x in self.seen if x.error]


def watch(seen: Seen, url: str, speed: int, original: Path) -> None:
    size = original.stat().st_size
    asked = time.perf_counter()
    try:
        connection = Connection(url, seen.start)
        with original.open("rb") as file:
            file.seek(seen.start)
            begun = time.perf_counter()
            while seen.start + seen.bytes < size and not seen.is_wrong:
                content = connection.read(min(CHUNK, size - seen.start - seen.bytes))
                seen.waited = max(seen.waited, time.perf_counter() - asked)
                if not content:
                    raise EOFError(f"the answer ended after {seen.bytes} bytes")
                seen.is_wrong = content != file.read(len(content))
                seen.bytes += len(content)
                if speed:
                    time.sleep(max(0.0, begun + seen.bytes / speed - time.perf_counter()))
                asked = time.perf_counter()
    except (OSError, EOFError, RuntimeError) as exc:
        seen.error = str(exc) or type(exc).__name__


def main(speed: int, original: Path, starts: Sequence[int]) -> None:
    print("ready", flush=True)
    all_seen, url = [Seen(start) for start in starts], sys.stdin.readline().strip()
    threads = [
        threading.Thread(target=watch, args=(seen, url, speed, original), daemon=True) for seen in all_seen
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    print(json.dumps([asdict(seen) for seen in all_seen]), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), [int(x) for x in sys.argv[3:]])
