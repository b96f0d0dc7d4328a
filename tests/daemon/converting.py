"""What tests ask of a daemon that converts: its children, what it leaves, and an ffmpeg that takes time."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from htdl.jobs import ConversionState
from htdl.wire import JobInfo
from tests.daemons import Daemon
from tests.processes import children, command
from tests.tools import require


def is_made(job: JobInfo) -> bool:
    return bool(job.conversion and job.conversion.status is ConversionState.RUNNING)


def encoders(daemon: Daemon) -> list[int]:
    """The daemon's children that convert, by pid."""
    return [pid for pid in children(daemon.pid) if b"-progress" in command(pid)]


def leftovers(daemon: Daemon) -> list[Path]:
    """What is half-made, anywhere."""
    return [x for x in files(daemon.home) if x.name.startswith((".htdl-", "part-"))]


def results(daemon: Daemon) -> list[Path]:
    return files(daemon.home / "videos")


def files(folder: Path) -> list[Path]:
    """All below it; folders may vanish meanwhile, which Path.rglob does not bear."""
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


@contextlib.contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """They stand still meanwhile, as under a debugger."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def program(folder: Path, name: str, on_conversion: str) -> Path:
    """A script that is ffmpeg, but for a conversion: then it does what `on_conversion` says ($real is it)."""
    path = folder / name
    path.write_text(
        f"#!/bin/sh\nreal={require('ffmpeg')}\n"
        f'case " $* " in *" -progress "*) {on_conversion};; esac\nexec "$real" "$@"\n'
    )
    path.chmod(0o755)
    return path


def slow(folder: Path, speed: float = 2.0) -> Path:
    """An ffmpeg that reads no faster than so many times as fast as the film plays."""
    return program(folder, "slow-ffmpeg", f'exec "$real" -readrate {speed} "$@"')
