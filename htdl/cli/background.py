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
from htdl.cli.holder import holder
from htdl.errors import BadConfig, DiskFull, HtdlError, NoDaemon, Refused

START_SECONDS = 30.0
LOG_LINES = 20
_POLL_SECONDS = 0.05
_SPAWNS = 3


def answers(app: App) -> bool:
    """Whether this user's daemon is there; one that answers with an error is."""
    from htdl.client import Client

    try:
        Client(app.socket).health()
    except NoDaemon:
        return False
    except HtdlError:
        return True
    return True


def start(app: App) -> None:
    """Start a daemon and return when it answers: by its unit where that is installed, else as a process.

    Raises HtdlError with the end of its log and with its exit code, and Refused where one runs already on
    another socket.
    """
    if _by_unit(app):
        click.echo("started the daemon (its log: journalctl --user -u htdl)", err=True)
        return
    log = paths.background_log(app.state_dir)
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = log.stat().st_size if log.exists() else 0
        _await(app, log, before)
    except OSError as exc:
        raise HtdlError(
            f"cannot start a daemon with its log at {log}: {os.strerror(exc.errno or 0)}",
            hint="make its folder one that you may write to, or name another in HTDL_STATE_DIR",
        ) from exc
    click.echo(f"started the daemon (its log: {log})", err=True)


def _by_unit(app: App) -> bool:
    """Whether systemd has started it: with its socket, so that the unit answers whoever connects first.

    A unit that does not start is systemd's affair, and told by it: the error names its log.
    """
    from htdl.cli.systemctl import SOCKET, Systemd

    if any(x.startswith("HTDL_") for x in app.environ):  # which the unit would not see
        return False
    systemd = Systemd(of_user=True, environ=app.environ)
    if not systemd.answers() or not systemd.units()[SOCKET].is_known:
        return False
    systemd.do("start", SOCKET)
    if not answers(app):  # it waits in the socket's queue until the daemon takes it
        raise HtdlError(
            "systemd started the daemon, and it ended", hint="its log: journalctl --user -u htdl -n 20"
        )
    return True


def await_end(app: App, seconds: float) -> bool:
    """Whether the daemon has ended within this time: it holds its lock until it has let go of everything."""
    deadline = time.monotonic() + seconds
    while _is_there(app):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_there(app: App) -> bool:
    """Whether the daemon of this socket lives; the lock of this state folder may be another one's."""
    held = holder(app)
    return answers(app) if held and held.is_elsewhere(app) else held is not None


def _await(app: App, log: Path, before: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    child, spawned = _spawn(app, log), 1
    while not answers(app):
        code = child.poll()
        if code is not None and not (code == Refused.exit_code and _is_starting_or_stopping(app)):
            # refused, and nobody there any more: it met one that was just ending
            if code != Refused.exit_code or spawned == _SPAWNS:
                raise _ended(code, log, before)
            child, spawned = _spawn(app, log), spawned + 1
        if time.monotonic() > deadline:
            raise HtdlError(
                f"no daemon answers on {app.socket} after {START_SECONDS:.0f} s:\n{_tail(log, before)}",
                hint=f"its log: {log}; or see it run with: htdl daemon run",
            )
        time.sleep(_POLL_SECONDS)


def _is_starting_or_stopping(app: App) -> bool:
    """Whether another daemon has the state folder.  Raises Refused when that serves another socket."""
    other = holder(app)
    if other and other.is_elsewhere(app):
        raise Refused(
            f"a daemon runs already (pid {other.pid}), on another socket",
            hint=other.hint,
            code="already_running",
        )
    return other is not None


def _ended(code: int, log: Path, before: int) -> HtdlError:
    """What the child's end means here: a daemon with a bad configuration makes this command exit 2 too."""
    kind = next((x for x in (BadConfig, DiskFull, Refused) if x.exit_code == code), HtdlError)
    return kind(
        f"the daemon did not start, it ended with code {code}:\n{_tail(log, before)}", hint=f"its log: {log}"
    )


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
