"""The configuration: one frozen struct a section, read from TOML, then the environment.

`load` is pure: text and environment in, `Config` out, or one `BadConfig` that names every fault with its key.
A key of the original service (`STREAMING_TORRENT_DOWNLOAD_PATH`) has the same name here
(`HTDL_TORRENT_DOWNLOAD_PATH`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from htdl import paths, timetable, toml_lines
from htdl.errors import BadConfig
from htdl.faults import Fault, faulty, with_lines
from htdl.values import Size as Size
from htdl.values import check_program, decode, did_you_mean, from_text, in_words

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
KiBps = Annotated[int, msgspec.Meta(ge=-1, le=10_000_000)]  # KB/s of 1024 bytes; -1 is no limit
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Storage(_Section, frozen=True, kw_only=True):
    base_path: Path  # converted videos
    temp_path: Path  # work in progress
    subtitle_path: Path
    min_free: Size = Size(1 << 30)  # is never taken from the disk


class Torrent(_Section, frozen=True, kw_only=True):
    download_path: Path
    max_download_speed: KiBps = -1
    max_upload_speed: KiBps = 100
    max_connections: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 200
    dht_enabled: bool = True
    lsd_enabled: bool = True
    pex_enabled: bool = True
    upnp_enabled: bool = True
    listen_interface: str = ""  # an address or a device; empty is every interface
    port_range_start: Port = 6881
    port_range_end: Port = 6889
    allow_lan: bool = False  # peers, trackers and web seeds on private and loopback addresses
    metadata_timeout_seconds: Seconds = 120  # then a magnet gives its slot back, and goes on looking
    stall_timeout_seconds: Seconds = 300  # without a byte; then a download gives its slot back
    seed_ratio: Annotated[float, msgspec.Meta(ge=-1, le=1000)] = 1.0  # -1: never stop for it, 0: do not seed
    seed_minutes: Annotated[int, msgspec.Meta(ge=-1, le=10_000_000)] = 1440  # whichever comes first
    max_active_downloads: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3


class Limit(_Section, frozen=True, kw_only=True):
    schedule: tuple[str, ...] = ()  # rules as "mon-fri 08:00-18:00 down=500 up=50"; the first that holds wins


class Stream(_Section, frozen=True, kw_only=True):
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8083  # 0: any that is free
    buffer_threshold_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 10.0
    wait_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0  # a request waits so long for a byte
    player: str = ""  # a program and its arguments; empty: mpv, vlc, else the browser


class Conversion(_Section, frozen=True, kw_only=True):
    enabled: bool = True
    mode: str = "while-downloading"
    target_format: str = "mp4"
    target_codec: str = "h264"
    ffmpeg_path: str = "ffmpeg"
    ffprobe_path: str = "ffprobe"
    max_active: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    stall_seconds: Seconds = (
        60  # without a step forward, though there is something to read: then ffmpeg hangs
    )


class Cache(_Section, frozen=True, kw_only=True):
    ttl_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 30
    cleanup_interval_hours: Annotated[int, msgspec.Meta(ge=1, le=8_760)] = 6
    max_size: Size = Size(0)  # 0 is no limit


class Watch(_Section, frozen=True, kw_only=True):
    paths: tuple[Path, ...] = ()  # folders; a .torrent or .magnet file that is put there is added
    start_paused: bool = False
    poll_seconds: Seconds = 15  # between two looks, for a network share tells nobody what others put there


class Hooks(_Section, frozen=True, kw_only=True):
    """Each is a program and its arguments, one text each; empty for none.  No shell reads them."""

    on_added: tuple[str, ...] = ()
    on_ready: tuple[str, ...] = ()  # can be watched from now on
    on_completed: tuple[str, ...] = ()
    on_failed: tuple[str, ...] = ()
    timeout_seconds: Seconds = 60  # then it is ended, with all that it has started


class Daemon(_Section, frozen=True, kw_only=True):
    socket_group: str = ""  # whose members may use the socket, beside the daemon's own user


class Log(_Section, frozen=True, kw_only=True):
    level: str = "info"
    format: str = "text"


class Config(_Section, frozen=True, kw_only=True):
    storage: Storage
    torrent: Torrent
    limit: Limit
    stream: Stream
    conversion: Conversion
    cache: Cache
    watch: Watch
    daemon: Daemon
    hooks: Hooks
    log: Log


MAX_FILE_BYTES = 1 << 20

SECTIONS: dict[str, type[_Section]] = get_type_hints(Config)

# Read once, when the daemon starts.
NEEDS_RESTART = frozenset(
    {
        "storage.base_path",
        "storage.temp_path",
        "storage.subtitle_path",
        "torrent.pex_enabled",
        "stream.port",
        "daemon.socket_group",
    }
)

_CHOICES = {
    "conversion.mode": ("while-downloading", "after-download"),
    "conversion.target_format": ("mp4", "webm", "original"),
    "conversion.target_codec": ("h264", "vp9", "av1"),
    "log.level": ("debug", "info", "warning", "error"),
    "log.format": ("text", "json"),
}


def load(text: str, environ: Mapping[str, str], *, origin: str = "config.toml") -> Config:
    """The configuration of this TOML text and HTDL_<SECTION>_<KEY> over it.

    Raises BadConfig with every fault, one a line, in the order of the file, the environment's last.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BadConfig(
            f"{origin} is not valid TOML: {exc}{toml_lines.quoted(text, str(exc))}",
            hint="mend that line; `htdl config check` tries again",
        ) from exc
    except RecursionError as exc:
        raise BadConfig(f"{origin} is not valid TOML: its values are nested too deeply") from exc
    faults: list[Fault] = []
    values = _defaults(environ)
    for section, table in tables.items():
        _merge(section, table, values, faults)
    variables = _merge_environment(environ, values, faults)
    built = {name: _section(name, kind, values[name], variables, faults) for name, kind in SECTIONS.items()}
    _check_together(built, faults)
    if faults:
        raise faulty(with_lines(faults, text), origin)
    return msgspec.convert(built, Config)


def load_file(path: Path, environ: Mapping[str, str]) -> Config:
    """`load` of a file, see `read`."""
    return load(read(path, environ), environ, origin=str(path))


def read(path: Path, environ: Mapping[str, str]) -> str:
    """The text of a file; one that does not exist is an empty one, unless HTDL_CONFIG names it."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        text = raw.decode("utf-8")
    except FileNotFoundError as exc:
        if environ.get("HTDL_CONFIG"):
            raise BadConfig(f"there is no file {path}", hint="name another one, or create it") from exc
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise BadConfig(f"cannot read {path}: {exc}", hint="it must be a readable UTF-8 file") from exc
    if len(raw) > MAX_FILE_BYTES:
        raise BadConfig(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB", hint="is it the right file?")
    return text.replace("\r\n", "\n")


def flat(config: Config) -> dict[str, Any]:
    """{"torrent.max_connections": 200, …} in the order of the sections; paths as text."""
    return {
        f"{section}.{key}": value
        for section, table in msgspec.to_builtins(config, enc_hook=_plain).items()
        for key, value in table.items()
    }


def sizes() -> set[str]:
    """The keys whose values are sizes in bytes, which `flat` gives as numbers: {"storage.min_free", …}"""
    return {
        f"{section}.{key}"
        for section, kind in SECTIONS.items()
        for key, hint in get_type_hints(kind).items()
        if hint is Size
    }


def _plain(value: Path | Size) -> int | str:
    """What msgspec does not know: it takes no subclass of int."""
    return int(value) if isinstance(value, Size) else str(value)


def changed(old: Config, new: Config) -> list[str]:
    """The keys whose values differ."""
    before, after = flat(old), flat(new)
    return [key for key in after if after[key] != before[key]]


def _defaults(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    data = paths.data_dir(environ)
    values["storage"] |= {
        "base_path": str(data / "videos"),
        "temp_path": str(paths.cache_dir(environ) / "temp"),
        "subtitle_path": str(data / "subtitles"),
    }
    values["torrent"]["download_path"] = str(data / "downloads")
    return values


def _merge(section: str, table: Any, values: dict[str, dict[str, Any]], faults: list[Fault]) -> None:
    if section not in SECTIONS:
        faults.append(Fault(f"[{section}]", "no such section" + did_you_mean(section, SECTIONS)))
        return
    if not isinstance(table, dict):
        faults.append(Fault(section, f"is a section: write [{section}] and its keys below"))
        return
    known = SECTIONS[section].__struct_fields__
    for key, value in table.items():
        if key in known:
            values[section][key] = value
        else:
            faults.append(Fault(f"{section}.{key}", "no such key" + did_you_mean(key, known)))


def _merge_environment(
    environ: Mapping[str, str], values: dict[str, dict[str, Any]], faults: list[Fault]
) -> dict[str, str]:
    """Lay the variables over the values; returns by key the variable that set it."""
    variables: dict[str, str] = {}
    for section, kind in SECTIONS.items():
        hints = get_type_hints(kind)
        prefix = f"HTDL_{section}_".upper()
        known = {f"{prefix}{key}".upper(): key for key in kind.__struct_fields__}
        for variable in sorted(name for name in environ if name.startswith(prefix)):
            key = known.get(variable)
            if key is None:
                faults.append(Fault(variable, "names no key" + did_you_mean(variable, known)))
            else:
                variables[f"{section}.{key}"] = variable
                try:
                    values[section][key] = from_text(environ[variable], hints[key])
                except ValueError as exc:
                    faults.append(Fault(variable, str(exc)))
    return variables


def _section(
    name: str, kind: type[_Section], table: dict[str, Any], variables: Mapping[str, str], faults: list[Fault]
) -> _Section | None:
    """The section, or None with its faults noted: each key is tried alone, so that none hides another."""
    hints = get_type_hints(kind, include_extras=True)
    good: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{key}"
        try:
            good[key] = msgspec.convert(value, hints[key], dec_hook=decode)
            _check_one(where, good[key])
        except (msgspec.ValidationError, ValueError) as exc:
            faults.append(Fault(variables.get(where, where), in_words(str(exc))))
    try:
        return kind(**good)
    except TypeError:  # a key without a default was faulty, and is in `faults` already
        return None


def _check_one(key: str, value: Any) -> None:
    choices = _CHOICES.get(key)
    if choices and value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(choices)}" + did_you_mean(str(value), choices))
    if key == "limit.schedule":
        timetable.check(value)
    if key.startswith("hooks.on_") and value:
        check_program(value)


def _check_together(built: Mapping[str, _Section | None], faults: list[Fault]) -> None:
    torrent = built["torrent"]
    if isinstance(torrent, Torrent) and torrent.port_range_end < torrent.port_range_start:
        faults.append(Fault("torrent.port_range_end", "is below torrent.port_range_start"))
