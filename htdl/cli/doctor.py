"""`htdl doctor`: looks at everything that may be wrong, with the daemon and without one."""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from htdl import __version__, paths
from htdl.answers import Finding, Level
from htdl.cli import findings
from htdl.cli.app import App
from htdl.cli.holder import holder
from htdl.cli.options import as_json, examples
from htdl.cli.output import is_terminal, json_text
from htdl.errors import BadConfig, HtdlError, NoDaemon

if TYPE_CHECKING:
    from htdl.cli.systemctl import Unit
    from htdl.config import Config

LONGEST_SOCKET = 107  # unix(7): sun_path holds 108 bytes, the last of them 0
_TAIL_BYTES, _TAIL_LINES = 8192, 20  # of the log: what follows the last error
_FAULT = "htdl: "  # how boundary.tell begins


@click.command(
    "doctor", epilog=examples("htdl doctor", "htdl doctor --json | jq '.[] | select(.level != \"ok\")'")
)
@as_json
@click.pass_obj
def command(app: App, as_json: bool) -> int:
    """Look at all that may be wrong, and say what to do about it.

    Folders, room, ports, peers, ffmpeg, the database, the clock, the configuration and the downloads
    themselves.  Nothing is changed, and nobody outside is asked.  Exits 1 when something does not work, and
    else 3 when no daemon answers: then it looks at what can be seen without one.
    """
    mine, is_there = _daemon(app)
    of_configuration, settings = _configuration(app)
    found = [*mine, *of_configuration, *_socket(app.client.socket), *_service(app)]
    found += _told(app) if is_there else [*_last_words(app), *_without_a_daemon(app, settings)]
    if as_json:
        click.echo(json_text([asdict(one) for one in found]))
    else:
        style = findings.style(is_drawn=is_terminal(), is_coloured=not app.environ.get("NO_COLOR"))
        click.echo("\n".join(line for one in found for line in findings.lines(one, style)))
        click.echo(findings.summed_up(found))
    if any(one.level is Level.FAIL for one in found):
        return 1
    return 0 if is_there else NoDaemon.exit_code


# --- what the command sees by itself


def _daemon(app: App) -> tuple[list[Finding], bool]:
    """Whether one answers, and is of this version."""
    try:
        health = app.client.health()
    except NoDaemon as exc:
        return [_nobody(app, exc)], False
    except HtdlError as exc:
        hint = exc.hint or "look at its log, and start it anew"
        return [Finding("daemon", Level.FAIL, exc.message, hint)], False
    said = [Finding("daemon", Level.OK, f"answers: version {health.version}, pid {health.pid}")]
    if health.version != __version__:
        words = f"the daemon is {health.version}, this command is {__version__}"
        hint = "restart the daemon: htdl daemon stop && htdl daemon start"
        said.append(Finding("version", Level.WARN, words, hint))
    return said, True


def _nobody(app: App, error: NoDaemon) -> Finding:
    held = holder(app)
    if held and held.is_elsewhere(app):
        return Finding("daemon", Level.WARN, f"one runs (pid {held.pid}) on another socket", held.hint)
    if held:
        words = f"one runs (pid {held.pid}), and does not answer on {app.socket}"
        return Finding(
            "daemon", Level.FAIL, words, "it may be starting or ending; else: kill it, start another"
        )
    return Finding("daemon", Level.WARN, error.message, error.hint or "")


def _last_words(app: App) -> list[Finding]:
    """Why the last daemon that was started in the background ended, where it was by a fault."""
    log = paths.background_log(app.state_dir)
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:  # none was, or its log is not for us
        return []
    faults = [line for line in lines[-_TAIL_LINES:] if line.startswith(_FAULT)]
    if not faults or "stopped pid=" in lines[-1]:
        return []
    return [Finding("last start", Level.WARN, f"it failed: {faults[-1].removeprefix(_FAULT)}", f"see {log}")]


def _configuration(app: App) -> tuple[list[Finding], Config | None]:
    """That which a start, or a reload, would read; None where it has faults."""
    from htdl import config

    try:
        settings = config.load_file(app.config, app.environ)
    except BadConfig as exc:
        return [Finding("config", Level.FAIL, exc.message, exc.hint or "")], None
    there = "" if app.config.exists() else " (not there: the defaults hold)"
    return [Finding("config", Level.OK, f"{app.config}{there}"), *_player(app, settings)], settings


def _player(app: App, settings: Config) -> list[Finding]:
    """The one that `play` would start, where one is named."""
    from htdl.cli import player

    if not settings.stream.player:
        return []
    try:
        words = player.named(settings.stream.player, app.environ)
    except HtdlError as exc:
        return [Finding("player", Level.WARN, exc.message, "set stream.player to one that is installed")]
    return [Finding("player", Level.OK, words[0])]


def _socket(path: Path) -> list[Finding]:
    """Nobody else may talk to the daemon, or put another socket in its place."""
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        hint = "name a shorter one: --socket or HTDL_SOCKET"
        return [Finding("socket", Level.FAIL, f"{path} is too long for a socket", hint)]
    try:
        mode, around = path.stat().st_mode, path.parent.stat().st_mode
    except OSError:  # there is none, as the daemon's own line says
        return []
    is_open = mode & stat.S_IWOTH and around & stat.S_IXOTH
    is_replaceable = around & stat.S_IWOTH and not around & stat.S_ISVTX
    if is_open or is_replaceable:
        words = f"other users can {'talk to' if is_open else 'replace'} {path}"
        return [
            Finding("socket", Level.FAIL, words, shlex.join(["chmod", "o=", str(path), str(path.parent)]))
        ]
    return [Finding("socket", Level.OK, f"{path} is not for other users")]


def _service(app: App) -> list[Finding]:
    """The units of systemd, where one is installed."""
    from htdl.cli.systemctl import SERVICE, Systemd

    found = []
    for systemd in (Systemd(True, app.environ), Systemd(False, app.environ)):
        try:
            unit = systemd.units().get(SERVICE)
        except HtdlError:  # there is no systemd
            continue
        if unit and unit.is_known:
            whose = "yours" if systemd.of_user else "the machine's"
            found.append(_unit(unit, whose, systemd.spelled("status", SERVICE)))
    return found


def _unit(unit: Unit, whose: str, command: str) -> Finding:
    if unit.active == "failed":
        words = f"{whose} has failed" + (f": {unit.says}" if unit.says else "")
        return Finding("service", Level.FAIL, words, f"see why: {command}")
    return Finding("service", Level.OK, f"{whose} is {unit.active}, {unit.enabled}")


# --- what the daemon sees, or would see


def _told(app: App) -> list[Finding]:
    try:
        return app.client.doctor()
    except HtdlError as exc:  # one of another version, say
        return [Finding("daemon", Level.FAIL, f"cannot look at itself: {exc.message}", exc.hint or "")]


def _without_a_daemon(app: App, settings: Config | None) -> list[Finding]:
    """Nothing where the settings, which say where all of it would be, cannot be read."""
    from htdl.daemon import doctor

    return doctor.look(settings, app.state_dir) if settings else []
