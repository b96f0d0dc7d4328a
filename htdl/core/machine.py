"""What the machine gives this process: a clock that can be believed, and enough open files."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from htdl.answers import Finding, Level
from htdl.config import Hooks

FILES_BESIDE_PEERS = 256  # torrents' files, clients, players and the database
CLOCK_SLACK_SECONDS = 120.0
_SET = "set it: timedatectl set-ntp true; a wrong clock breaks https trackers, and what is kept by age"


def _boot_seconds() -> float:
    """Since the boot, sleep included, where the system tells that."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Clock:
    """Remembers when it was made; `look` says whether the time of day was set since."""

    def __init__(
        self, now: Callable[[], float] = time.time, steady: Callable[[], float] = _boot_seconds
    ) -> None:
        self._now = now
        self._steady = steady
        self._start = now() - steady()

    def look(self, written: float) -> Finding:
        """`written` is the newest time of a file that is surely from the past, in seconds since the epoch."""
        behind = written - self._now()
        if behind > CLOCK_SLACK_SECONDS:
            return Finding("clock", Level.FAIL, f"is {behind / 3600:.1f} h behind our own files", _SET)
        jump = self._now() - self._steady() - self._start
        if abs(jump) > CLOCK_SLACK_SECONDS:
            words = f"was set {'on' if jump > 0 else 'back'} by {abs(jump) / 60:.0f} min since the start"
            return Finding("clock", Level.WARN, words, "nothing, if it is right now")
        return Finding("clock", Level.OK, "agrees with the files")


def programs(hooks: Hooks) -> Iterator[Finding]:
    """Hooks whose program is not there, or may not be run."""
    for key in ("on_added", "on_ready", "on_completed", "on_failed"):
        command = getattr(hooks, key)
        if command and not shutil.which(command[0]):
            words = f"{key}: {command[0]} is no program that can be run"
            yield Finding("hooks", Level.WARN, words, f"make it executable, or mend hooks.{key}")


def newest(*paths: Path) -> float:
    """The latest change of these files, 0 where there is none."""
    times = [0.0]
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # not there
            continue
    return max(times)


def open_files(max_connections: int) -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # the daemon takes all of it at its start
    needed = max_connections + FILES_BESIDE_PEERS
    if most != resource.RLIM_INFINITY and most < needed:
        hint = "raise it (LimitNOFILE= of the unit, or ulimit -n), or lower torrent.max_connections"
        return Finding("open files", Level.WARN, f"{most} may be open, and {needed} may be needed", hint)
    said = "any number" if most == resource.RLIM_INFINITY else str(most)
    return Finding("open files", Level.OK, f"{said} may be open")
