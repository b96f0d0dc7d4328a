"""The one place that starts a process.

A child gets an argument list and no shell, no stdin, a session of its own, a low priority, limits and a small
environment; it dies with this process.  What it prints is always drained, and kept within bounds.  However
`run` ends, by a limit or because its task is cancelled, the child's whole group is gone by then and reaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# After the first SIGTERM, and after the second; then SIGKILL.  ffmpeg needs 0.3 to 0.75 s to end well, but
# where it waits for bytes it heeds the second alone (measured).
GRACE_SECONDS = (0.5, 2.5)
TAIL_LINES = 50
LINE_CHARACTERS = 500

_TICK_SECONDS = 0.25  # how often limits are looked at
_REAP_SECONDS = 5.0  # a process that waits for a dead disk cannot be killed, nor need we wait for it
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")  # how programs are found, no more
_LAUNCH = str(Path(__file__).with_name("launch.py"))
_CHUNK = 64 << 10
_NO_WORDS = re.compile(r"Conversion failed!|Exiting normally.*|Error opening (in|out)put files?\W*")
_PREFIX = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] *)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`None` is no limit.  `memory` is address space, `file_bytes` the size of each file it writes; bytes."""

    seconds: float | None = None
    memory: int | None = None
    file_bytes: int | None = None
    stdout_bytes: int = 8 << 20  # of what is kept; nothing is where lines are taken as they come
    nice: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`code` is negative for a signal.  `stopped` says in words why it was ended before it was done."""

    code: int
    stdout: bytes
    stderr: tuple[str, ...]
    stopped: str | None = None

    @property
    def is_good(self) -> bool:
        return self.code == 0 and self.stopped is None

    @property
    def last_words(self) -> str:
        """Why it ended: our reason, else its own last line that says anything."""
        if self.stopped:
            return self.stopped
        lines = (_PREFIX.sub("", line).strip() for line in reversed(self.stderr))
        said = next((line for line in lines if line and not _NO_WORDS.fullmatch(line)), "")
        if said:
            return said
        return (
            f"it was ended by {_signal_name(-self.code)}" if self.code < 0 else f"it ended with {self.code}"
        )


async def run(
    command: Sequence[str],
    limits: Limits = Limits(),
    *,
    folder: str = "/",
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    should_stop: Callable[[], str | None] | None = None,
) -> Finished:
    """Runs `command` in `folder` to its end.  One that cannot be started ends with 1 and says so in `stderr`.

    `environment` is all that it gets, the small one where not given.

    `on_line` is given each line of stdout, which is then not kept.  `should_stop` is asked some times a
    second and answers with the reason, in words, when the child must end.
    """
    out = _Lines(on_line) if on_line else _Kept(limits.stdout_bytes)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    process = await asyncio.create_subprocess_exec(
        *_launcher(limits),
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=_environment() if environment is None else environment,
        cwd=folder,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    work = asyncio.gather(
        _drain(process.stdout, out), _drain(process.stderr, _Lines(tail.append)), process.wait()
    )
    try:
        stopped = await _reason_to_stop(work, out, limits, should_stop)
    finally:
        if process.returncode is None or not work.done():  # or what it started holds its pipes open
            await _end(process)
        await asyncio.wait([work], timeout=_REAP_SECONDS)
    if stopped is None:
        work.result()  # raises what `on_line` raised
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Finished(code=code, stdout=out.data, stderr=tuple(tail), stopped=stopped)


async def _reason_to_stop(
    work: asyncio.Future[Any],
    out: _Lines | _Kept,
    limits: Limits,
    should_stop: Callable[[], str | None] | None,
) -> str | None:
    """Waits until all is done, or there is a reason to end it."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while not work.done():
        await asyncio.wait([work], timeout=_TICK_SECONDS)
        if out.is_full:
            return f"it printed more than {limits.stdout_bytes} bytes"
        if work.done():
            break
        if limits.seconds is not None and clock() - began > limits.seconds:
            return f"it took longer than {limits.seconds:g} s"
        if should_stop and (reason := should_stop()):
            return reason
    return None


async def _end(process: Process) -> None:
    """Cancelled once more, it kills at once."""
    has_ended = False
    try:
        for seconds in GRACE_SECONDS:
            _signal(process, signal.SIGTERM)
            has_ended = await _has_ended(process, seconds)
            if has_ended:
                return
    finally:
        if not has_ended:
            _signal(process, signal.SIGKILL)  # also what it started itself, which may hold its pipes open
            await _has_ended(process, _REAP_SECONDS)


async def _has_ended(process: Process, seconds: float) -> bool:
    """Waits at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
            return True
    return False


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended; macOS says it so
        os.killpg(process.pid, number)


async def _drain(stream: asyncio.StreamReader, to: _Lines | _Kept) -> None:
    while chunk := await stream.read(_CHUNK):
        to.feed(chunk)
    to.close()


class _Kept:
    """The bytes as they are, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.data = b""
        self.is_full = False
        self._limit = limit

    def feed(self, chunk: bytes) -> None:
        self.is_full = self.is_full or len(self.data) + len(chunk) > self._limit
        self.data = (self.data + chunk)[: self._limit]

    def close(self) -> None:
        pass


class _Lines:
    """Gives lines away as they come: ended by \\n or \\r, cut to LINE_CHARACTERS, and printable (a message
    may hold a file's name, and that an escape sequence for the terminal).
    """

    data = b""
    is_full = False

    def __init__(self, give: Callable[[str], object]) -> None:
        self._give = give
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, rest = re.split(rb"[\r\n]+", self._rest + chunk)
        for line in lines:
            self._say(line)
        self._rest = rest[: 4 * LINE_CHARACTERS]  # a character is four bytes at most

    def close(self) -> None:
        self._say(self._rest)

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace")[:LINE_CHARACTERS]
        if text:
            self._give("".join(x if x.isprintable() else " " for x in text))


def _launcher(limits: Limits) -> list[str]:
    bounds = [-1 if x is None else x for x in (limits.memory, limits.file_bytes)]
    numbers = [os.getpid(), limits.nice, *bounds]
    return [sys.executable, "-I", "-S", _LAUNCH, *map(str, numbers)]


def _environment() -> dict[str, str]:
    """FFREPORT, proxies and all else that changes what ffmpeg does stay outside."""
    return {"LC_ALL": "C.UTF-8"} | {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
