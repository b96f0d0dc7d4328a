"""The files of the systemd service: which there are, where they go, and whose hand wrote them.

Each begins with a line that says who wrote it and the hash of what follows: a file that a person has changed
since is told apart from one that may be replaced or removed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from htdl import paths
from htdl.errors import BadConfig

_DATA = Path(__file__).parent.parent / "data" / "systemd"
_MARK = "# Written by `htdl service install`; put changes of your own into a drop-in: systemctl edit htdl"
_MARKED = re.compile(re.escape(_MARK) + r" \(([0-9a-f]{64})\)\n(.*)", re.DOTALL)
DEFAULT_GROUP = "htdl"
# What the system's unit hides from the daemon: ProtectHome= and PrivateTmp=.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - only compared with


@dataclass(frozen=True, slots=True)
class UnitFile:
    path: Path  # absolute, below `root` where that is given
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`command` starts htdl.  `writable` are folders beside its own that the system's daemon writes to."""

    command: tuple[str, ...]
    group: str = DEFAULT_GROUP
    writable: tuple[Path, ...] = ()


def system(wanted: Wanted, root: Path) -> list[UnitFile]:
    """The files of the machine's daemon."""
    values = _values(wanted, str(paths.SYSTEM_SOCKET))
    return [
        *_units(root / "etc/systemd/system", "system", values),
        _file(root / "etc/sysusers.d/htdl.conf", "sysusers.conf", values),
        _file(root / "etc/tmpfiles.d/htdl.conf", "tmpfiles.conf", values),
    ]


def user(wanted: Wanted, root: Path, environ: Mapping[str, str]) -> list[UnitFile]:
    """The files of this user's daemon."""
    folder = root / user_folder(environ).relative_to("/")
    return _units(folder, "user", _values(wanted, "%t/htdl/htdl.sock"))  # %t is XDG_RUNTIME_DIR


def user_folder(environ: Mapping[str, str]) -> Path:
    """Where systemd looks for the units that a user made, systemd.unit(5)."""
    given = environ.get("XDG_CONFIG_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(given) if given.startswith("/") else home / ".config") / "systemd/user"


def is_ours(text: str) -> bool:
    """Whether a file is just as it was written."""
    match = _MARKED.fullmatch(text)
    return match is not None and match[1] == _hash(match[2])


def is_hidden(path: Path) -> bool:
    """Whether the system's daemon cannot see this path."""
    return any(path.is_relative_to(x) for x in HIDDEN)


def _units(folder: Path, kind: str, values: Mapping[str, str]) -> list[UnitFile]:
    names = ("htdl.service", "htdl.socket")
    return [_file(folder / name, f"{kind}/{name}", values) for name in names]


def _file(path: Path, template: str, values: Mapping[str, str]) -> UnitFile:
    text = (_DATA / template).read_text(encoding="utf-8")
    text = re.sub(r"^@(\w+)@\n", lambda m: values[m[1]] and values[m[1]] + "\n", text, flags=re.MULTILINE)
    text = re.sub(r"@([A-Z]+)@", lambda m: values[m[1]], text)
    return UnitFile(path, f"{_MARK} ({_hash(text)})\n{text}")


def _values(wanted: Wanted, socket: str) -> dict[str, str]:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", wanted.group):
        raise BadConfig(
            f"daemon.socket_group: {wanted.group!r} is no name of a group", hint="see: getent group"
        )
    return {
        "HTDL": " ".join(_word(x).replace("$", "$$") for x in wanted.command),
        "SOCKET": socket,
        "GROUP": wanted.group,
        "MEMBER": f"m htdl {wanted.group}" if wanted.group != DEFAULT_GROUP else "",
        "READWRITE": "\n".join(f"ReadWritePaths=-{_word(str(x))}" for x in wanted.writable),
    }


def _word(text: str) -> str:
    """One word of a line of systemd.syntax(7): no specifier in it is expanded, and spaces stay."""
    if not text.isprintable():
        raise BadConfig(
            f"{text!r} cannot stand in a unit's file", hint="use a path without control characters"
        )
    plain = text.replace("%", "%%")
    if re.fullmatch(r"[\w./%$@:+,=-]+", plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def group_of(files: Iterable[UnitFile]) -> str:
    """The group that the socket's unit names; nothing where that is a user's own."""
    return next((m[1] for x in files if (m := re.search(r"^SocketGroup=(.+)$", x.text, re.MULTILINE))), "")


def changed(files: Iterable[UnitFile]) -> list[Path]:
    """Those that exist and are not as they were written."""
    return [x.path for x in files if x.path.exists() and not is_ours(read(x.path))]


def read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
