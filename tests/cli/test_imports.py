"""What the command line loads: it is paid at every call."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "libtorrent",
    "sqlite3",
    "sqlite_utils",
    "aiohttp",
    "msgspec",
    "asyncio",
    "rich",
    "watchfiles",
    "platformdirs",
}
VERBS = [
    "add",
    "convert",
    "status",
    "show",
    "watch",
    "wait",
    "cancel",
    "pause",
    "resume",
    "retry",
    "remove",
    "stats",
    "events",
    "play",
    "url",
]


def loaded(code: str) -> set[str]:
    code += "\nimport sys; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_the_entry_point_loads_no_verb_and_nothing_heavy() -> None:
    modules = loaded("import htdl.cli.main")
    assert not modules & HEAVY
    assert not modules & {
        "http.client",
        "json",
        "subprocess",
        "htdl.client",
        "htdl.wire",
        "htdl.jobs",
        "htdl.config",
    }
    assert {x for x in modules if x.startswith("htdl.cli.")} == {
        "htdl.cli.main",
        "htdl.cli.app",
        "htdl.cli.boundary",
        "htdl.cli.words",
    }


def test_help_loads_no_verb() -> None:
    code = "from click.testing import CliRunner; from htdl.cli.main import command\n"
    modules = loaded(code + "assert CliRunner().invoke(command, ['--help']).exit_code == 0")
    assert not {f"htdl.cli.{x}" for x in VERBS} & modules


@pytest.mark.parametrize("verb", [*VERBS, "daemon", "config", "service"])
def test_a_verb_loads_nothing_heavy(verb: str) -> None:
    assert not loaded(f"import htdl.cli.main, htdl.cli.{verb}") & HEAVY


def test_what_is_piped_is_drawn_without_rich() -> None:
    code = (
        "import sys\nsys.argv = ['htdl', '--socket', '/nowhere/s', 'status']\n"
        "from htdl.cli import boundary, main\nassert boundary.run(main.command, sys.argv[1:]) == 3"
    )
    modules = loaded(code)
    assert "http.client" in modules
    assert not modules & (HEAVY - {"http.client"})
