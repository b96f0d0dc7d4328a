"""The manual says what is so: each page is held against the program, both ways."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from htdl import answers, config, errors, jobs, wire
from htdl.api import guard, pages
from htdl.api.control import Control, Controls
from htdl.api.feed import Feed
from htdl.api.hls import Hls
from htdl.api.video import Videos
from htdl.cli import boundary
from htdl.cli.main import command
from htdl.core.hooks import Due, environment
from htdl.events import Kind
from tests import clips, manual
from tests.api.serving import Serving, served
from tests.cli.test_usage import commands
from tests.daemons import Daemon
from tests.tools import require
from tests.torrents import make_info, make_torrent

__all__ = ["served"]

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.name for path in manual.MAN.iterdir())
_AGAIN = "write it anew with: python -m tests.manual"


def text(page: str) -> str:
    return (manual.MAN / page).read_text()


def section(page: str, heading: str) -> str:
    """What stands below a heading, down to the next one that is no smaller."""
    smaller = "|Ss" if heading.startswith("Ss ") else ""
    found = re.search(rf"^\.{re.escape(heading)}\n(.*?)(?=^\.(?:Sh{smaller}) |\Z)", text(page), re.M | re.S)
    assert found, f"{page} has no {heading}"
    return found[1]


def terms(page: str, heading: str, macro: str) -> list[str]:
    """The terms of the lists in a section, such as the names of fields."""
    return re.findall(rf"^\.It {macro} (.*)$", section(page, heading), re.M)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_sound(page: str) -> None:
    done = subprocess.run(
        [require("mandoc"), "-Tlint", "-W", "warning", str(manual.MAN / page)], capture_output=True, text=True
    )
    assert done.stdout == ""


@pytest.mark.parametrize("page", PAGES)
def test_no_item_begins_with_what_looks_like_a_macro(page: str) -> None:
    """mandoc would take the word in `.It No peers` for its own, and leave it out."""
    assert not re.search(r"^\.It (?:Ad|An|At|Do|In|Me|No|So)\b", text(page), re.M)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_installed_where_man_looks(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared[f"man/{page}"] == f"share/man/man{page[-1]}/{page}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_pages_that_are_there(page: str) -> None:
    ours = re.findall(r"^\.Xr (htdl\S*) (\d)", text(page), re.M)
    assert {f"{name}.{number}" for name, number in ours} <= set(PAGES)
    title = re.search(r"^\.Dt (\S+) (\d)$", text(page), re.M)
    assert title
    assert f"{title[1].lower()}.{title[2]}" == page


# --- htdl(1) ---


def test_every_verb_stands_there_as_its_help_has_it() -> None:
    assert text("htdl.1") == manual.with_verbs(text("htdl.1")), _AGAIN


def test_every_verb_has_an_item() -> None:
    names = [re.split(r" (?:Oo|Ar|Op)\b", x)[0] for x in terms("htdl.1", "Sh COMMANDS", "Cm")]
    assert sorted(names) == sorted(name for name, _ in commands(command))


def test_the_options_of_all_verbs() -> None:
    known = {x.lstrip("-") for one in command.params if isinstance(one, click.Option) for x in one.opts}
    items = terms("htdl.1", "Sh DESCRIPTION", "Fl")
    told = {x for one in items for x in re.findall(r"(?:^|Fl )-?(\w+)", one)}
    assert known | {"h", "help"} == told


def kinds(kind: type[errors.HtdlError]) -> Iterator[type[errors.HtdlError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def test_exit_codes() -> None:
    told = [int(x) for x in re.findall(r"^\.It (\d+)$", section("htdl.1", "Sh EXIT STATUS"), re.M)]
    known = {x.exit_code for x in kinds(errors.HtdlError)}
    assert told == sorted(known | {0, boundary.INTERRUPTED, boundary.PIPE_CLOSED})


def test_states() -> None:
    told = re.findall(r"^\.It (\w+)$", section("htdl.1", "Sh STATES"), re.M)
    assert told == [x.lower() for x in jobs.State]


_VARIABLE = re.compile(
    r"(?:HTDL|XDG|LISTEN|WATCHDOG)_[A-Z_]+|[A-Z]+_DIRECTORY|NO_COLOR|[A-Z]+_STREAM|NOTIFY_SOCKET"
)
_GIVEN_TO = {"get", "getenv", "__getitem__"}


def variables() -> set[str]:
    """The names of environment variables that htdl asks for."""
    found = set()
    for path in (ROOT / "htdl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and _VARIABLE.fullmatch(node.value)
            ):
                found.add(node.value)
            named = _asked(node)
            if named and named.isupper():
                found.add(named)
    return found


def _asked(node: ast.AST) -> str | None:
    """environ.get("NAME"), environ["NAME"]"""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        holder, arguments = node.func.value, node.args
    elif isinstance(node, ast.Subscript):
        holder, arguments = node.value, [node.slice]
    else:
        return None
    name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
    if not name.endswith("environ") or not arguments or not isinstance(arguments[0], ast.Constant):
        return None
    return str(arguments[0].value)


# What is passed on to ffmpeg and hooks is theirs; PATH and HOME are everybody's.
PASSED_ON = {"PATH", "HOME"}


def test_environment_variables() -> None:
    hooked = {x for x in environment(_due(), {}) if x.startswith("HTDL_")}
    named = set()
    for page in ("htdl.1", "htdl-daemon.8", "htdl.toml.5"):
        for line in re.findall(r"^\.(?:It )?Ev (.*)$", text(page), re.M):
            named |= {x for x in re.split(r"[ ,.;:]+", line) if x and x.isupper() and "<" not in x}
    known = variables() | hooked
    assert known - PASSED_ON - named == set(), "say what it does in htdl(1) or htdl-daemon(8)"
    assert named - known - {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} - PASSED_ON == set(), (
        "nobody asks for it"
    )


def _due() -> Due:
    return Due(Kind.ADDED, jobs.Job(id="a", video_id="a", torrent_id="a"))


def test_hooks_are_told_what_the_page_says() -> None:
    told = set(terms("htdl.toml.5", "Ss [hooks]", "Ev"))
    assert told == {x for x in environment(_due(), {}) if x.startswith("HTDL_")}


# --- htdl.toml(5) ---


def test_every_key_has_an_item_with_its_default() -> None:
    page = text("htdl.toml.5")
    for name, kind in config.SECTIONS.items():
        assert terms("htdl.toml.5", f"Ss [{name}]", "Cm") == list(kind.__struct_fields__)
    assert re.findall(r"^\.Ss \[(\w+)\]$", page, re.M) == list(config.SECTIONS)
    assert page == manual.with_keys(page), _AGAIN


def test_the_example_is_a_configuration() -> None:
    example = re.search(
        r"\.Bd -literal -offset indent\n(.*?)\.Ed", section("htdl.toml.5", "Sh EXAMPLES"), re.S
    )
    assert example
    assert config.load(example[1], {"HOME": "/home/ann"}).torrent.max_upload_speed == 500


def test_the_schedule_s_example_is_a_schedule() -> None:
    example = re.search(r"schedule = \[.*?\]", text("htdl.toml.5"), re.S)
    assert example
    config.load(f"[limit]\n{example[0]}", {})


# --- htdl-api(7) ---


def test_every_route_has_an_item(served: Serving) -> None:
    service = served.service
    control = Controls(**dict.fromkeys((x.name for x in dataclasses.fields(Controls)), print))
    of_socket = [*Control(service, control, 1).routes(), *Feed(service, 1).routes()]
    of_players = [*Videos(service).routes(), *Hls(service).routes(), *pages.routes(service)]
    for heading, routes in (("Sh THE SOCKET", of_socket), ("Sh PLAYERS", of_players)):
        known = {f"{x.method} {re.sub(r':(?:[^{}]|{[^{}]*})*}', '}', x.path)}" for x in routes}
        known = {re.sub(r"/static/.*", "/static/{name}", x) for x in known}
        told = terms("htdl-api.7", heading, "Cm")
        assert sorted(told) == sorted(known)


def test_every_status_of_an_error_has_an_item() -> None:
    told = re.findall(r"^\.It (\d+)$", section("htdl-api.7", "Ss Answers"), re.M)
    known = {wire.status_of(kind("x")) for kind in kinds(errors.HtdlError)} | {*guard._CODES, 403}
    assert [int(x) for x in told] == sorted(known)


OBJECTS = {
    "A job": wire.JobInfo,
    "A file": jobs.JobFile,
    "Readiness": jobs.Readiness,
    "A conversion": jobs.Conversion,
    "A subtitle": jobs.SubtitleLink,
    "A stream": jobs.StreamInfo,
    "Statistics": answers.Stats,
    "Health": answers.Health,
    "Limits": answers.SpeedLimits,
    "To add": jobs.AddRequest,
    "To change": jobs.JobPatch,
    "To convert": jobs.FileRequest,
}


@pytest.mark.parametrize("heading", OBJECTS)
def test_every_field_has_an_item(heading: str) -> None:
    known = {x.name for x in dataclasses.fields(OBJECTS[heading])}
    told = terms("htdl-api.7", f"Ss {heading}", "Va")
    assert sorted(told) == sorted(known)


def test_every_kind_of_event_has_an_item() -> None:
    assert re.findall(r"^\.It (\w+)$", section("htdl-api.7", "Ss Events"), re.M) == list(Kind)


def test_every_parameter_of_a_list_has_an_item() -> None:
    told = terms("htdl-api.7", "Ss Jobs", "Va")
    assert set(told) == {x.name for x in dataclasses.fields(jobs.JobQuery)}


def calls() -> list[str]:
    """The page's examples of curl, in its order."""
    found = re.findall(r"^\.Dl \$ (api [^\n]*)$|^\$ (api .*?)^\.Ed", text("htdl-api.7"), re.M | re.S)
    return [_plain(one or several).strip() for one, several in found]


def _plain(roff: str) -> str:
    for escape, meant in ((r"\(aq", "'"), (r"\(dq", '"'), (r"\e", "\\"), (r"\-", "-")):
        roff = roff.replace(escape, meant)
    return roff


def test_the_examples_are_answered(daemon: Daemon) -> None:
    """Each is run as it stands, but for the id and the path in it; it may be refused in this state."""
    function = re.search(r"^api\(\) \{.*?^\}", text("htdl-api.7"), re.M | re.S)
    assert function
    (daemon.home / "htdl").mkdir()
    (daemon.home / "htdl" / "htdl.sock").symlink_to(daemon.socket)
    (daemon.home / ".curlrc").write_text('write-out = "\\n%{http_code}"\n')
    film = clips.clip(daemon.home, "avi", seconds=1)
    for call in calls():
        job = daemon.client.add(torrent=make_torrent(make_info()), video_id="a-film").id
        here = call.replace("3f2a", job[:8]).replace("/srv/films/film.avi", str(film))
        done = called(daemon, f"{_plain(function[0])}\n{here}", 1 if "/events" in call else 30)
        if "/events" in call and len(done.stdout.splitlines()) < 2:  # nothing was heard as yet
            done = called(daemon, f"{_plain(function[0])}\n{here}", 15)
        *answer, status = done.stdout.splitlines()
        assert status in {"200", "201", "202", "409"}, f"{call}\n{done.stdout}{done.stderr}"
        assert "/metrics" in call or [json.loads(line) for line in answer if line]


def called(daemon: Daemon, script: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """A call listens no longer than that; that of the events would for ever."""
    return subprocess.run(
        [require("bash"), "-c", f"{script} --max-time {seconds}"],
        env={"PATH": os.environ["PATH"], "HOME": str(daemon.home), "XDG_RUNTIME_DIR": str(daemon.home)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_every_route_has_an_example() -> None:
    assert len(calls()) == len(terms("htdl-api.7", "Sh THE SOCKET", "Cm")) - 1  # the health has two
