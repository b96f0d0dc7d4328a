"""`htdl doctor`: looks at everything that may be wrong, with the daemon and without one."""

from __future__ import annotations

import os
import stat
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from htdl import __version__, paths
from htdl.cli.app import App
from htdl.cli.holder import holder
from htdl.cli.options import as_json, examples
from htdl.cli.output import is_terminal, json_text
from htdl.cli.words import printable
from htdl.errors import BadConfig, HtdlError, NoDaemon
from htdl.jobs import Finding, Level

if TYPE_CHECKING:
    from htdl.cli.systemctl import Unit

MARKS = {Level.OK: ("✓", "green"), Level.WARN: ("!", "yellow"), Level.FAIL: ("✗", "red")}
LONGEST_SOCKET = 107  # unix(7): sun_path holds 108 bytes, the last of them 0
_NAME_WIDTH = 12
_WIDEST = 100  # cells of a line that is read with ease
_TAIL_BYTES, _TAIL_LINES = 8192, 20  # of the log: what follows the last error
_FAULT = "htdl: "  # how boundary.tell begins


@dataclass(frozen=True, slots=True)
class Style:
    """`width` in cells.  How bad it is says a mark where it `is_drawn`, else a word."""

    width: int
    is_drawn: bool
    is_coloured: bool = False


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
    found = [*mine, *_configuration(app), *_socket(app.client.socket), *_service(app)]
    found += [] if is_there else _last_words(app)
    found += _told(app) if is_there else _without_a_daemon(app)
    if as_json:
        click.echo(json_text([asdict(one) for one in found]))
    else:
        style = Style(_width(), is_drawn=is_terminal(), is_coloured=not app.environ.get("NO_COLOR"))
        click.echo("\n".join(line for one in found for line in lines(one, style)))
        click.echo(_sum(found))
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
        return [Finding("daemon", Level.FAIL, exc.message, exc.hint or "")], False
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


def _configuration(app: App) -> list[Finding]:
    """That which a start, or a reload, would read."""
    from htdl import config

    try:
        config.load_file(app.config, app.environ)
    except BadConfig as exc:
        return [Finding("config", Level.FAIL, exc.message, exc.hint or "")]
    there = "" if app.config.exists() else " (not there: the defaults hold)"
    return [Finding("config", Level.OK, f"{app.config}{there}")]


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
        return [Finding("socket", Level.FAIL, words, f"chmod o= {path} {path.parent}")]
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


def _without_a_daemon(app: App) -> list[Finding]:
    from htdl import config
    from htdl.daemon import doctor

    try:
        return doctor.look(config.load_file(app.config, app.environ), app.state_dir)
    except BadConfig:  # is told already, and says where the rest would be
        return []


# --- how it is shown


def lines(one: Finding, style: Style) -> list[str]:
    """How bad it is, the name and the words; what to do below them."""
    mark, colour = MARKS[one.level]
    head = f"{mark if style.is_drawn else one.level.ljust(4)} {printable(one.name).ljust(_NAME_WIDTH)} "
    margin = " " * len(head)
    said = [
        part for line in one.words.splitlines() for part in _wrapped(printable(line), style.width - len(head))
    ]
    styled = click.style(head, fg=colour) if style.is_drawn and style.is_coloured else head
    told = _wrapped(printable(one.hint), style.width - len(head) - 2) if one.level is not Level.OK else []
    below = [margin + part for part in said[1:]]
    return [styled + said[0], *below] + [
        margin + ("→ " if n == 0 else "  ") + part for n, part in enumerate(told)
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width), break_long_words=False, break_on_hyphens=False)


def _width() -> int:
    import shutil

    return min(_WIDEST, shutil.get_terminal_size().columns) if is_terminal() else 10_000


def _sum(found: list[Finding]) -> str:
    count = {level: sum(one.level is level for one in found) for level in Level}
    if not (count[Level.WARN] or count[Level.FAIL]):
        return "nothing is wrong"
    return f"{count[Level.FAIL]} wrong, {count[Level.WARN]} to look at, {count[Level.OK]} well"
