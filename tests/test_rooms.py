"""What each room of htdl may import, and why.  A line that breaks a rule is named with its reason."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import htdl

ROOT = Path(htdl.__file__).parent
# each imports only those before it
TOP = (
    *("errors", "rates", "timetable", "toml_lines", "faults", "values"),
    *("paths", "jobs", "answers", "events", "config", "origins", "wire"),
)
EVERYTHING = frozenset({*TOP, "store", "torrent", "stream", "media", "core", "api", "daemon"})


@dataclass(frozen=True)
class Room:
    """`own`: rooms and files of htdl; `foreign`: packages beside the standard library; `banned`: of that."""

    own: frozenset[str]
    foreign: frozenset[str]
    why: str
    banned: frozenset[str] = frozenset()


def room(own: str, foreign: str, why: str, banned: str = "") -> Room:
    return Room(*(frozenset(x.split()) for x in (own, foreign)), why, frozenset(banned.split()))


ROOMS = {
    "errors": room("", "", "everything may import it, so it imports nothing", "asyncio os time"),
    "rates": room("", "", "how a speed is written, in a file or on the command line", "asyncio os"),
    "timetable": room("rates", "", "pure: lines in, rules out; who asks brings the time", "asyncio os time"),
    "toml_lines": room("", "", "pure: text in, line numbers out", "asyncio os time"),
    "faults": room("errors toml_lines", "", "pure: what is wrong, in words", "asyncio os time"),
    "values": room("", "", "pure: what is written in, what it stands for out", "asyncio os time"),
    "paths": room("errors", "platformdirs", "pure functions of an environ mapping", "asyncio os time"),
    "jobs": room("errors paths", "", "no I/O, no clock", "asyncio os time datetime"),
    "answers": room("", "", "no I/O, no clock", "asyncio os time datetime"),
    "events": room("errors paths jobs", "", "the bus knows jobs, and nobody who listens", "os time"),
    "config": room(
        "errors timetable toml_lines faults values paths jobs events",
        "msgspec",
        "pure: text in, values out",
        "asyncio os time",
    ),
    "origins": room("toml_lines faults values config", "", "pure: text in, origins out", "asyncio os time"),
    "wire": room(
        "errors paths jobs answers events config", "", "both ends of the socket import it", "asyncio os time"
    ),
    "store": room("errors jobs", "sqlite_utils", "SQL lives here, decisions do not", "time datetime"),
    "torrent": room("errors config", "libtorrent aiohttp", "libtorrent is seen from nowhere else"),
    "stream": room("errors jobs", "", "states what it needs, knows neither torrent nor HTTP", "socket http"),
    "media": room(
        "errors config", "av imageio_ffmpeg charset_normalizer", "ffmpeg is seen from nowhere else"
    ),
    "core": room(
        "errors timetable paths jobs answers events config store stream media torrent",
        "sqlite_utils prometheus_client",
        "decides and acts; how it is asked and shown is not its affair",
        "http json",
    ),
    "api": room(
        "errors paths jobs answers events config wire core stream",
        "aiohttp msgspec",
        "HTTP and nothing else; it decides nothing",
        "sqlite3",
    ),
    "daemon": room(" ".join(EVERYTHING), "watchfiles", "builds the parts; the one who may know all of them"),
    "reached": room("errors jobs wire", "", "what a wait waits for: no I/O, no clock", "asyncio os time"),
    "connection": room("errors paths wire", "", "the client's way to the socket", "asyncio"),
    "client": room(
        "errors paths jobs answers events wire reached connection",
        "",
        "other programs import it: small and quick",
        "asyncio",
    ),
    "cli": room(
        "errors rates paths jobs answers events faults config origins wire reached connection client daemon",
        "click rich",
        "talks to the daemon as any client does",
        "sqlite3 asyncio",
    ),
    "__main__": room("cli", "", "is the command htdl"),
    "__init__": room("", "", "holds the version"),
}

# (file, what it imports) where a room's rule is narrower than its list
NARROW = {
    ("torrent", "libtorrent"): {"torrent/_lt.py"},  # at run time; types may be imported for checking
    ("torrent", "aiohttp"): {"torrent/fetch.py"},
    ("media", "av"): {"media/av_probe.py"},  # a crash of its C code must not be the daemon's
    ("media", "imageio_ffmpeg"): {"media/tools.py"},
    ("media", "charset_normalizer"): {"media/encodings.py"},  # which believes it for some scripts alone
    ("cli", "daemon"): {"cli/daemon.py", "cli/doctor.py"},  # where none runs it looks by itself
    ("cli", "config"): {"cli/config.py", "cli/doctor.py", "cli/installation.py"},  # units hold what it names
    ("core", "prometheus_client"): {"core/metrics.py", "core/scrape.py"},  # it shapes no other code
    ("core", "torrent"): "torrent.api, and torrent.pieces, which is plain data",
    ("api", "core"): "core.service and core.metrics alone",
}


@dataclass(frozen=True)
class Import:
    file: str  # relative to htdl/
    line: int
    module: str
    for_types: bool
    is_lazy: bool = False  # inside a function: only when that is called


def imports_of(path: Path) -> list[Import]:
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{x.name}" for x in node.names] if module.startswith("htdl") else [module]
        found += [
            Import(str(path.relative_to(ROOT)), node.lineno, name, id(node) in typing_only, id(node) in lazy)
            for name in names
        ]
    return found


ALL = [one for path in sorted(ROOT.rglob("*.py")) for one in imports_of(path)]


def room_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def fault(one: Import) -> str | None:
    """What this import breaks, or None."""
    name = room_of(one.file)
    rules = ROOMS[name]
    parts = one.module.split(".")
    if parts[0] == "htdl":
        target = parts[1] if len(parts) > 1 else "__init__"
        if target in {name, "__version__", "__init__"}:
            return None
        if target not in rules.own:
            return f"{name} may not import {target}: {rules.why}"
        return narrow_fault(one, name, target, parts)
    if parts[0] in sys.stdlib_module_names:
        return f"{name} may not import {parts[0]}: {rules.why}" if parts[0] in rules.banned else None
    if parts[0] not in rules.foreign:
        return f"{name} may not import {parts[0]}: {rules.why}"
    allowed = NARROW.get((name, parts[0]))
    if isinstance(allowed, set) and one.file not in allowed and not one.for_types:
        return f"{parts[0]} is imported in {allowed} alone"
    return None


def narrow_fault(one: Import, name: str, target: str, parts: list[str]) -> str | None:
    if name == "core" and target == "torrent" and parts[2] not in {"api", "pieces"}:
        return "core sees the torrent room as torrent.api: it must run on a fake of it"
    if name == "api" and target == "core" and parts[2] not in {"service", "metrics"}:
        return "api asks the service, and decides nothing"
    allowed = NARROW.get((name, target))
    if isinstance(allowed, set) and one.file not in allowed and not one.for_types:
        return f"{name} imports {target} in {allowed} alone"
    return None


def test_every_file_lies_in_a_room_that_has_rules() -> None:
    files = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py")}
    assert {room_of(file) for file in files} <= ROOMS.keys()


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_what_it_may_know(name: str) -> None:
    broken = [f"htdl/{x.file}:{x.line} {why}" for x in ALL if room_of(x.file) == name and (why := fault(x))]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(("position", "name"), list(enumerate(TOP)))
def test_the_top_files_import_upwards_only(position: int, name: str) -> None:
    assert ROOMS[name].own <= set(TOP[:position])


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("jobs.py", "time"),
        ("jobs.py", "htdl.store.db"),
        ("store/jobs.py", "htdl.core.service"),
        ("core/runner.py", "htdl.torrent.engine"),
        ("core/runner.py", "libtorrent"),
        ("api/control.py", "htdl.core.runner"),
        ("api/control.py", "sqlite_utils"),
        ("torrent/engine.py", "libtorrent"),
        ("cli/status.py", "htdl.daemon.app"),
        ("client.py", "aiohttp"),
    ],
)
def test_the_rules_see_a_breach(file: str, module: str) -> None:
    assert fault(Import(file, 1, module, for_types=False))


def module_of(name: str) -> str:
    """`htdl.jobs` of `htdl.jobs.Job`: imports name what they take from a module, or modules of a folder."""
    path = ROOT.joinpath(*name.split(".")[1:])
    return name if path.is_dir() or path.with_suffix(".py").exists() else name.rpartition(".")[0]


def test_no_import_cycles() -> None:
    """No module needs another, by whatever way, that needs it to be imported first."""
    needs: dict[str, set[str]] = {}
    for one in ALL:
        if one.module.startswith("htdl") and not (one.for_types or one.is_lazy):
            name = ".".join(("htdl", *Path(one.file).with_suffix("").parts))
            needs.setdefault(name, set()).add(module_of(one.module))
    assert "htdl.core.service" in needs["htdl.daemon.app"], "they are seen"
    TopologicalSorter(needs).prepare()  # its CycleError names them
