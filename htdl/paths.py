"""Where things live, as functions of an environment mapping.

An explicit HTDL_* variable wins, then the XDG Base Directory variables, then what platformdirs says for this
system.  platformdirs reads the process environment, so it is asked last, and imported only then: a command
line with XDG_RUNTIME_DIR set never pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/htdl/config.toml")


def socket_path(environ: Mapping[str, str]) -> Path:
    """HTDL_SOCKET, else htdl/htdl.sock in the runtime folder of this user."""
    if explicit := environ.get("HTDL_SOCKET"):
        return Path(explicit)
    return _xdg(environ, "XDG_RUNTIME_DIR", "user_runtime_path") / "htdl" / "htdl.sock"


def state_dir(environ: Mapping[str, str]) -> Path:
    """The database, the lock and the log of a daemon that was started in the background."""
    if explicit := environ.get("HTDL_STATE_DIR"):
        return Path(explicit)
    return _xdg(environ, "XDG_STATE_HOME", "user_state_path") / "htdl"


def config_path(environ: Mapping[str, str]) -> Path:
    """HTDL_CONFIG, else the user's config.toml, else the system's where only that exists."""
    if explicit := environ.get("HTDL_CONFIG"):
        return Path(explicit)
    own = _xdg(environ, "XDG_CONFIG_HOME", "user_config_path") / "htdl" / "config.toml"
    return SYSTEM_CONFIG if not own.exists() and SYSTEM_CONFIG.exists() else own


def data_dir(environ: Mapping[str, str]) -> Path:
    """Default home of downloads, converted videos and subtitles."""
    return _xdg(environ, "XDG_DATA_HOME", "user_data_path") / "htdl"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Default home of work in progress that may be thrown away."""
    return _xdg(environ, "XDG_CACHE_HOME", "user_cache_path") / "htdl"


def database(state: Path) -> Path:
    return state / "htdl.db"


def lock(state: Path) -> Path:
    return state / "htdl.lock"


def background_log(state: Path) -> Path:
    return state / "daemon.log"


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
