"""What `htdl service install` writes on this machine, and whether it would run there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from htdl.cli import boundary, unit_files
from htdl.cli.app import App
from htdl.cli.holder import holder
from htdl.cli.systemctl import SERVICE, Systemd
from htdl.cli.unit_files import UnitFile, Wanted
from htdl.errors import Refused

# The folders that systemd gives the machine's daemon; with them the configuration is read as that reads it.
_SYSTEM_FOLDERS = {
    "STATE_DIRECTORY": "/var/lib/htdl",
    "CACHE_DIRECTORY": "/var/cache/htdl",
    "CONFIGURATION_DIRECTORY": "/etc/htdl",
}
WITHOUT = "start it with `htdl daemon start`, or have your own supervisor run `htdl daemon run`"


def files(app: App, root: Path, *, of_user: bool, as_json: bool) -> list[UnitFile]:
    """What is to be written; what the service will not see of here is told."""
    command = _own_command()
    lost = {x for x in app.environ if x.startswith("HTDL_")}
    file = root / "etc/htdl/config.toml"
    if os.environ.get("HTDL_CONFIG") != app.environ.get("HTDL_CONFIG"):  # by --config
        file, lost = app.config, lost - {"HTDL_CONFIG"}
        command += ("--config", str(file))
    warnings = [f"the service does not see what is set here: {', '.join(sorted(lost))}"] if lost else []
    if of_user:
        found = unit_files.user(Wanted(command=command), root, app.environ)
    else:
        wanted = _of_machine(file, command)
        hidden = [x for x in wanted.writable if unit_files.is_hidden(x)]
        warnings += [f"the machine's service sees no home and no temporary folder, as {x}" for x in hidden]
        found = unit_files.system(wanted, root)
    for words in warnings:
        boundary.warn(words, as_json)
    return found


def _of_machine(file: Path, command: tuple[str, ...]) -> Wanted:
    """With the group and the folders that the configuration names, read as the service reads it."""
    from htdl import config

    settings = config.load_file(file, _SYSTEM_FOLDERS)
    storage = settings.storage
    named = (
        storage.base_path,
        storage.temp_path,
        storage.subtitle_path,
        settings.torrent.download_path,
        *settings.watch.paths,
    )
    own = (_SYSTEM_FOLDERS["STATE_DIRECTORY"], _SYSTEM_FOLDERS["CACHE_DIRECTORY"])
    writable = tuple(x for x in dict.fromkeys(named) if not any(x.is_relative_to(y) for y in own))
    group = settings.daemon.socket_group or unit_files.DEFAULT_GROUP
    return Wanted(command=command, group=group, writable=writable)


def _own_command() -> tuple[str, ...]:
    """What starts this very htdl, wherever it is installed."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "htdl" and os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-P", "-m", "htdl")


def check(app: App, systemd: Systemd) -> None:
    """Raises Refused where the service could not be installed, or not run."""
    if not systemd.answers():
        whose = ", or not for this user" if systemd.of_user else ""
        raise Refused(
            f"systemd does not run here{whose}",
            hint=f"{WITHOUT}; --dry-run prints the units, --root writes them elsewhere",
        )
    if systemd.of_user:
        held = holder(app)
        if held and held.pid and held.pid != systemd.units()[SERVICE].pid:
            raise Refused(
                f"a daemon that systemd did not start runs already (pid {held.pid})",
                hint="stop it with `htdl daemon stop`; its downloads go on by the service",
            )
        return
    if os.geteuid() != 0:
        raise Refused(
            "only root may install the machine's service", hint="sudo htdl service install --system"
        )
    for path in (Path(_own_command()[0]), Path(sys.prefix)):
        if unit_files.is_hidden(path) or unit_files.is_hidden(path.resolve()):
            raise Refused(
                f"the machine's service cannot see {path}: it sees no home and no temporary folders",
                hint="install htdl for all users, as below /opt or /usr/local",
            )
