"""The configuration: one frozen struct a section, read from TOML, then the environment.

`load` is pure: text and environment in, `Config` out, or one `BadConfig` that names every fault with its key.
A key of the original service (`STREAMING_TORRENT_DOWNLOAD_PATH`) has the same name here
(`HTDL_TORRENT_DOWNLOAD_PATH`).
"""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from htdl import paths, timetable
from htdl.errors import BadConfig

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
KiBps = Annotated[int, msgspec.Meta(ge=-1, le=10_000_000)]  # KB/s of 1024 bytes; -1 is no limit
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)
_MAX_SIZE = 1 << 60  # more than any file system; JSON's numbers end at 2**63
_TOO_LARGE = "is too large for a size: more than 1 EiB"
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Size(int):
    """Bytes; written as a number or as "1GiB", "500 MB", "1.5G" (a bare letter counts in 1024s)."""

    @classmethod
    def parse(cls, text: str) -> Size:
        match = _SIZE.fullmatch(text)
        if not match:
            raise ValueError(f"not a size: {text!r}; write it as 500MiB or 1GiB")
        number, letter, binary = match.groups()
        if len(number) > 30:
            raise ValueError(_TOO_LARGE)
        decimal = letter and not binary and text.strip().upper().endswith("B")
        return cls(float(number) * (1000 if decimal else 1024) ** _POWER[letter.upper()])


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


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, with the key (`torrent.max_connections`) or the place it stands at."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def load(text: str, environ: Mapping[str, str], *, origin: str = "config.toml") -> Config:
    """The configuration of this TOML text and HTDL_<SECTION>_<KEY> over it.

    Raises BadConfig with every fault, one a line, in the order of the file, the environment's last.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BadConfig(
            f"{origin} is not valid TOML: {exc}", hint="mend that line; `htdl config check` tries again"
        ) from exc
    faults: list[Fault] = []
    values = _defaults(environ)
    for section, table in tables.items():
        _merge(section, table, values, faults)
    variables = _merge_environment(environ, values, faults)
    built = {name: _section(name, kind, values[name], variables, faults) for name, kind in SECTIONS.items()}
    _check_together(built, faults)
    if faults:
        raise BadConfig(
            f"the configuration ({origin}) has {len(faults)} fault{'s' if len(faults) > 1 else ''}:\n"
            + "\n".join(f"  {x}" for x in faults),
            hint="mend that; `htdl config check` tries again",
        )
    return msgspec.convert(built, Config)


def load_file(path: Path, environ: Mapping[str, str]) -> Config:
    """`load` of a file; one that does not exist is an empty one, unless HTDL_CONFIG names it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        if environ.get("HTDL_CONFIG"):
            raise BadConfig(f"there is no file {path}", hint="name another one, or create it") from exc
        text = ""
    except (OSError, UnicodeDecodeError) as exc:
        raise BadConfig(f"cannot read {path}: {exc}", hint="it must be a readable UTF-8 file") from exc
    return load(text, environ, origin=str(path))


def flat(config: Config) -> dict[str, Any]:
    """{"torrent.max_connections": 200, …} in the order of the sections; paths as text."""
    return {
        f"{section}.{key}": value
        for section, table in msgspec.to_builtins(config, enc_hook=_plain).items()
        for key, value in table.items()
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
        faults.append(Fault(f"[{section}]", "no such section" + _did_you_mean(section, SECTIONS)))
        return
    if not isinstance(table, dict):
        faults.append(Fault(section, f"is a section: write [{section}] and its keys below"))
        return
    known = SECTIONS[section].__struct_fields__
    for key, value in table.items():
        if key in known:
            values[section][key] = value
        else:
            faults.append(Fault(f"{section}.{key}", "no such key" + _did_you_mean(key, known)))


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
                faults.append(Fault(variable, "names no key" + _did_you_mean(variable, known)))
            else:
                values[section][key] = _from_text(environ[variable], hints[key], variable, faults)
                variables[f"{section}.{key}"] = variable
    return variables


def _from_text(text: str, kind: Any, variable: str, faults: list[Fault]) -> Any:
    """An environment variable as the TOML value it stands for; a list is separated by colons."""
    if kind in (str, Path, Size):
        return text
    if kind is bool:
        lowered = text.strip().lower()
        if lowered in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return lowered in {"1", "true", "yes", "on"}
        faults.append(Fault(variable, f"{text!r} is neither true nor false"))
        return False
    if kind == tuple[Path, ...]:
        return [x for x in text.split(":") if x]
    if kind == tuple[str, ...]:
        return _words(text, variable, faults)
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text  # the section's own check names what it should have been


def _words(text: str, variable: str, faults: list[Fault]) -> list[str]:
    """A program and its arguments, quoted as for a shell."""
    try:
        return shlex.split(text)
    except ValueError as exc:
        faults.append(Fault(variable, f"cannot be split into words: {exc}".lower()))
        return []


def _section(
    name: str, kind: type[_Section], table: dict[str, Any], variables: Mapping[str, str], faults: list[Fault]
) -> _Section | None:
    """The section, or None with its faults noted: each key is tried alone, so that none hides another."""
    hints = get_type_hints(kind, include_extras=True)
    good: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{name}.{key}"
        try:
            good[key] = msgspec.convert(value, hints[key], dec_hook=_decode)
            _check_one(where, good[key])
        except (msgspec.ValidationError, ValueError) as exc:
            faults.append(Fault(variables.get(where, where), str(exc)))
    try:
        return kind(**good)
    except TypeError:  # a key without a default was faulty, and is in `faults` already
        return None


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return _path(value)
    if kind is Size:
        return _size(value)
    raise NotImplementedError(kind)


def _size(value: Any) -> Size:
    if isinstance(value, str):
        size = Size.parse(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        size = Size(value)
    else:
        raise ValueError(f"not a size: {value!r}; write it as 500MiB or 1GiB")
    if size > _MAX_SIZE:
        raise ValueError(_TOO_LARGE)
    return size


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"not a path: {value!r}")
    try:
        path = Path(value).expanduser()
    except RuntimeError as exc:  # ~name, and nobody has that name
        raise ValueError(f"{value!r} begins with the home folder of an unknown user") from exc
    if not path.is_absolute():
        raise ValueError(f"{value!r} is not an absolute path")
    return path


def _check_one(key: str, value: Any) -> None:
    choices = _CHOICES.get(key)
    if choices and value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(choices)}" + _did_you_mean(str(value), choices))
    if key == "limit.schedule":
        timetable.check(value)
    if key.startswith("hooks.on_") and value:
        _check_program(value)


def _check_program(command: tuple[str, ...]) -> None:
    """Raises ValueError for what cannot be a program and its arguments."""
    if not command[0] or any("\0" in word for word in command):
        raise ValueError(f"{list(command)!r:.200} names no program")
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError(f"{command[0]!r} is not an absolute path")


def _check_together(built: Mapping[str, _Section | None], faults: list[Fault]) -> None:
    torrent = built["torrent"]
    if isinstance(torrent, Torrent) and torrent.port_range_end < torrent.port_range_start:
        faults.append(Fault("torrent.port_range_end", "is below torrent.port_range_start"))


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
