"""The README is true: what it shows can be run as it stands, and what it names is there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import htdl
from htdl import config
from htdl.cli.main import VERBS, command
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.tools import require

ROOT = Path(htdl.__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MAGNET = "magnet:?xt=urn:btih:…"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def shell_lines() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


CALLS = list(
    dict.fromkeys(
        [
            line.split("#")[0].strip().removeprefix("sudo ").removeprefix("/opt/htdl/bin/")
            for line in shell_lines()
            if "htdl " in line
        ]
        + re.findall(r"`(htdl [^`]+)`", TEXT)
    )
)


@pytest.fixture
def film(daemon: Daemon, swarm: Swarm) -> tuple[Daemon, str]:
    """A daemon, and a magnet that arrives in a moment."""
    return daemon, swarm.seed({"video.mkv": 300_000}).magnet


@pytest.mark.parametrize("call", [x for x in CALLS if x.startswith("htdl ")])
def test_every_call_is_one_that_exists(call: str) -> None:
    """It is parsed down to the last option, and not run; of a verb that is only named, its help is."""
    current: click.Command = command
    parent, name, words = None, "htdl", shlex.split(call)[1:]
    while isinstance(current, click.Group):
        with current.make_context(name, words, parent=parent) as context:
            _, found, words = current.resolve_command(context, [*context._protected_args, *context.args])
        assert found
        current, parent, name = found, context, found.name or ""
    with contextlib.suppress(click.exceptions.Exit):  # of --help
        current.make_context(name, words or ["--help"], parent=parent).close()


def test_it_tells_of_every_verb() -> None:
    assert not [x for verbs in VERBS.values() for x in verbs if not re.search(rf"\bhtdl {x}\b", TEXT)]


def test_its_tree_shows_every_room() -> None:
    tree = TEXT.split("```\nhtdl/\n")[1].split("```")[0]
    rooms = [x for x in (ROOT / "htdl").iterdir() if x.name[0] != "_" and x.name != "__pycache__"]
    assert rooms
    assert not [x.name for x in rooms if not re.search(rf"\b{re.escape(x.name)}\b", tree)]


def test_what_it_links_to_is_there() -> None:
    links = [x for x in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in x]
    assert links
    assert not [link for link in links if not (ROOT / link).is_file()]


def test_its_settings_are_taken() -> None:
    (settings,) = blocks("toml")
    assert config.load(settings, {"HOME": "/nowhere"}).watch.paths == (Path("/srv/drop"),)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_its_python_runs(film: tuple[Daemon, str], number: int) -> None:
    daemon, magnet = film
    code = blocks("python")[number]
    assert MAGNET in code
    done = subprocess.run(
        [sys.executable, "-c", code.replace(MAGNET, magnet)],
        env=daemon.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "bad_" not in done.stdout
    assert "no_" not in done.stdout


def test_its_curl_runs(daemon: Daemon, swarm: Swarm) -> None:
    """Each line in its turn, in one shell, while it downloads; the stream of events ends after a second."""
    require("curl")
    magnet = swarm.seed({"video.mkv": 8 << 20}, rate=64 << 10).magnet
    lines = [line for line in shell_lines() if line.startswith("api")]
    assert len(lines) > 10
    script = "\n".join(f"{line}\necho" for line in lines).replace(MAGNET, magnet)
    script = script.replace('"$XDG_RUNTIME_DIR/htdl/htdl.sock"', shlex.quote(str(daemon.socket)))
    script = script.replace("--no-buffer", "--no-buffer --max-time 1 2>/dev/null")
    asked = "api /api/v1/jobs/film-42"  # a cancel is answered before it is carried out
    waits = f"until [[ $({asked}) == *'\"CANCELLED\"'* ]]; do sleep 0.05; done"
    assert f"{asked} -X DELETE" in script
    script = script.replace(f"{asked} -X DELETE", f"{waits}\n{asked} -X DELETE")
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert '"error"' not in done.stdout, done.stdout
    assert done.stdout.count("film-42") >= 5
    assert "# HELP" in done.stdout
