"""Where things live, as functions of an environment mapping.

In this order: an explicit HTDL_* variable; the folder that systemd made for the unit (STATE_DIRECTORY and its
kin, systemd.exec(5)); the XDG Base Directory variables; what platformdirs says for this system.  platformdirs
reads the process environment, so it is asked last, and imported only then: a command line with
XDG_RUNTIME_DIR set never pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/htdl/config.toml")
SYSTEM_SOCKET = Path("/run/htdl/htdl.sock")  # of the machine's daemon, which serves a group of users


def socket_path(environ: Mapping[str, str]) -> Path:
    """HTDL_SOCKET, else htdl.sock in the runtime folder of the unit or of this user."""
    if explicit := environ.get("HTDL_SOCKET"):
        return Path(explicit)
    return _folder(environ, "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "user_runtime_path") / "htdl.sock"


def state_dir(environ: Mapping[str, str]) -> Path:
    """The database, the lock and the log of a daemon that was started in the background."""
    if explicit := environ.get("HTDL_STATE_DIR"):
        return Path(explicit)
    return _folder(environ, "STATE_DIRECTORY", "XDG_STATE_HOME", "user_state_path")


def config_path(environ: Mapping[str, str]) -> Path:
    """HTDL_CONFIG, else the unit's or user's config.toml, else the system's where only that exists."""
    if explicit := environ.get("HTDL_CONFIG"):
        return Path(explicit)
    own = _folder(environ, "CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", "user_config_path") / "config.toml"
    return SYSTEM_CONFIG if not own.exists() and SYSTEM_CONFIG.exists() else own


def data_dir(environ: Mapping[str, str]) -> Path:
    """Default home of downloads, converted videos and subtitles; of a unit, its state folder."""
    return _folder(environ, "STATE_DIRECTORY", "XDG_DATA_HOME", "user_data_path")


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Default home of work in progress that may be thrown away."""
    return _folder(environ, "CACHE_DIRECTORY", "XDG_CACHE_HOME", "user_cache_path")


def database(state: Path) -> Path:
    return state / "htdl.db"


def lock(state: Path) -> Path:
    return state / "htdl.lock"


def background_log(state: Path) -> Path:
    return state / "daemon.log"


def _folder(environ: Mapping[str, str], systemd: str, xdg: str, fallback: str) -> Path:
    return _from_systemd(environ.get(systemd, "")) or _xdg(environ, xdg, fallback) / "htdl"


def _from_systemd(value: str) -> Path | None:
    """The folder named htdl of a list with colons: a client may run in another program's unit, whose folders
    are not ours.
    """
    folders = (Path(x) for x in value.split(":") if x.startswith("/"))
    return next((x for x in folders if x.name == "htdl"), None)


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    value = environ.get(variable, "")
    if value.startswith("/"):  # the specification: a relative path is invalid and must be ignored
        return Path(value)
    import warnings

    import platformdirs

    with warnings.catch_warnings():  # that there is no XDG_RUNTIME_DIR, which is why it is asked
        warnings.simplefilter("ignore")
        path: Path = getattr(platformdirs, fallback)()
    return path
