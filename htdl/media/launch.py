"""Bounds a fresh process, then becomes another: `python -I -S launch.py PARENT NICE MEMORY FILE PROGRAM…`.

A program of its own because nothing else serves: code between fork and exec (`preexec_fn`) can deadlock where
the parent has threads, and `setpriv`, `prlimit` and `nice` are not on every machine.  It costs 7 ms of a
start; those three in a row cost 2, and ffmpeg itself 20 to 90 (measured).  It imports little and nothing of
ours, so that it stays quick.  PARENT is a process id; MEMORY and FILE are bytes, -1 for no limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(arguments: list[str]) -> None:
    parent, nice, memory, file_bytes = map(int, arguments[:4])
    os.nice(nice)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_FSIZE, file_bytes)
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
    ):  # Python ignores them, and a new program would inherit that
        signal.signal(number, signal.SIG_DFL)
    _die_with(parent)
    program = arguments[4:]
    try:
        os.execvp(program[0], program)  # noqa: S606 - a shell is what must not be
    except OSError as exc:
        sys.exit(f"{program[0]} cannot be started: {exc.strerror}")


def _limit(what: int, value: int) -> None:
    """At most what is already allowed.  Some systems refuse RLIMIT_AS (macOS): then there is none."""
    if value < 0:
        return
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (value, value))


def _die_with(parent: int) -> None:
    """Linux kills this process when its parent ends, however that ends.  Elsewhere it may outlive it."""
    with contextlib.suppress(AttributeError):  # no prctl
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before it could be said
        sys.exit("the daemon has ended")


if __name__ == "__main__":
    main(sys.argv[1:])
