"""What tests ask of a daemon that converts: its children, what it leaves, and an ffmpeg that takes time."""

from __future__ import annotations

from pathlib import Path

from htdl.jobs import ConversionState
from htdl.wire import JobInfo
from tests.daemons import Daemon
from tests.tools import require


def is_made(job: JobInfo) -> bool:
    return bool(job.conversion and job.conversion.status is ConversionState.RUNNING)


def encoders(daemon: Daemon) -> list[int]:
    """The daemon's children that convert, by pid."""
    assert daemon.process
    return [pid for pid in _pids() if _parent(pid) == daemon.process.pid and b"-progress" in _command(pid)]


def is_alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def leftovers(daemon: Daemon) -> list[Path]:
    """What is half-made, anywhere."""
    return [x for x in daemon.home.rglob("*") if x.name.startswith((".htdl-", "part-"))]


def results(daemon: Daemon) -> list[Path]:
    return sorted(x for x in (daemon.home / "videos").rglob("*") if x.is_file())


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


def _pids() -> list[int]:
    return [int(x.name) for x in Path("/proc").iterdir() if x.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
