"""A daemon in the background: start it, and wait until it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click

from htdl import paths
from htdl.cli.app import App
from htdl.errors import HtdlError, NoDaemon, Refused

START_SECONDS = 10.0
LOG_LINES = 10
_POLL_SECONDS = 0.05


def answers(app: App) -> bool:
    """Whether a daemon is there; one that answers with an error is."""
    try:
        app.client.health()
    except NoDaemon:
        return False
    except HtdlError:
        return True
    return True


def start(app: App) -> None:
    """Start a daemon and return when it answers.  Raises HtdlError with the end of its log."""
    log = paths.background_log(app.state_dir)
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = log.stat().st_size if log.exists() else 0
        _await(app, log, before)
    except OSError as exc:
        raise HtdlError(f"cannot start a daemon with its log at {log}: {exc}") from exc
    click.echo(f"started the daemon (its log: {log})", err=True)


def await_end(app: App, seconds: float) -> bool:
    """Whether the daemon has ended within this time: it holds its lock until it has let go of everything."""
    deadline = time.monotonic() + seconds
    while _is_locked(paths.lock(app.state_dir)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_locked(lock: Path) -> bool:
    import fcntl

    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _await(app: App, log: Path, before: int) -> None:
    child = _spawn(app, log)
    deadline = time.monotonic() + START_SECONDS
    while not answers(app):
        code = child.poll()
        if code == Refused.exit_code:
            child = _spawn(app, log)  # another one is just starting, or still stopping
        elif code is not None:
            raise HtdlError(
                f"the daemon ended at once, with code {code}:\n{_tail(log, before)}", hint=f"its log: {log}"
            )
        if time.monotonic() > deadline:
            raise HtdlError(
                f"no daemon answers on {app.socket} after {START_SECONDS:.0f} s:\n{_tail(log, before)}",
                hint=f"its log: {log}; or see it run with: htdl daemon run",
            )
        time.sleep(_POLL_SECONDS)


def _spawn(app: App, log: Path) -> subprocess.Popen[bytes]:
    # -P: without it Python would import from the folder the user happens to stand in
    arguments = [sys.executable, "-P", "-m", "htdl", "daemon", "run"]
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  our own interpreter and module
            arguments,
            env=dict(app.environ),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
        )
    finally:
        os.close(handle)


def _tail(log: Path, start: int) -> str:
    """The last lines that were written since the log was `start` bytes long."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (it wrote nothing)"
