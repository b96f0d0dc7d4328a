"""How another configuration takes the place of the one that holds, without a daemon around it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from htdl.config import Config
from htdl.daemon.configuration import Configuration
from htdl.daemon.systemd import Notifier
from htdl.errors import BadConfig

HOME = {"HOME": "/home/nobody", "XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "/cache"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[torrent]\nmax_connections = 10\n")
    return path


def test_faults_are_told_at_once(path: Path) -> None:
    path.write_text("[torrent]\nmax_connections = 0\n")
    with pytest.raises(BadConfig, match=r"line 2: torrent\.max_connections"):
        Configuration(path, HOME, Notifier({}))


async def test_a_reload_tells_what_changed_and_where_it_stands(path: Path) -> None:
    configuration = Configuration(path, HOME, Notifier({}))
    told: list[Config] = []
    configuration.listener = told.append
    assert await configuration.reload() == {"changed": [], "needs_restart": []}
    path.write_text("\n\n[stream]\nport = 18083\n")
    assert await configuration.reload() == {
        "changed": ["torrent.max_connections", "stream.port"],
        "needs_restart": ["stream.port"],
    }
    assert told == [configuration.now]
    assert configuration.now.stream.port == 18083
    assert configuration.shown()["values"]["stream.port"]["line"] == 4


async def test_reloads_that_come_together_end_with_the_newest(path: Path) -> None:
    """Each is read after the one before has taken over, so the last one tells that nothing changed."""
    configuration = Configuration(path, HOME, Notifier({}))
    path.write_text("[torrent]\nmax_connections = 20\n")
    first, *others = await asyncio.gather(*(configuration.reload() for _ in range(5)))
    assert first["changed"] == ["torrent.max_connections"]
    assert [x["changed"] for x in others] == [[]] * 4


async def test_a_bug_in_one_reload_ends_no_other(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    configuration = Configuration(path, HOME, Notifier({}))
    taken_over = asyncio.Event()

    def fail(new: Config) -> None:
        configuration.listener = lambda new: taken_over.set()
        taken_over.set()
        raise RuntimeError("never thought of")

    configuration.listener = fail
    heeding = asyncio.create_task(configuration.heed_hangups())
    for number in (20, 30):
        path.write_text(f"[torrent]\nmax_connections = {number}\n")
        taken_over.clear()
        configuration.hang_up()
        await asyncio.wait_for(taken_over.wait(), 30)
    assert "RuntimeError: never thought of" in caplog.text
    assert configuration.now.torrent.max_connections == 30
    heeding.cancel()
    await asyncio.gather(heeding, return_exceptions=True)
