"""Whether the daemon is well, as far as no process is needed to tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from htdl import config
from htdl.core import checks
from htdl.core.checks import OK, Lanes
from htdl.errors import HtdlError
from htdl.torrent.api import Network
from htdl.torrent.engine import LibtorrentEngine
from tests.core.world import World, running_world

RUNS, PATIENCE = ("job", 0), 600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as world:
        yield world


def test_a_conversion_that_stands_still_is_stuck_and_one_that_moves_is_not() -> None:
    lanes = Lanes()
    for step in range(5):
        assert lanes.stuck({RUNS: step * 10.0, ("other", 1): 5.0}, step * 100, PATIENCE) is None
    assert lanes.stuck({RUNS: 50.0, ("other", 1): 5.0}, PATIENCE - 1, PATIENCE) is None
    assert lanes.stuck({RUNS: 60.0, ("other", 1): 5.0}, PATIENCE, PATIENCE) == "other"


def test_one_that_was_begun_again_has_not_stood_still() -> None:
    lanes = Lanes()
    lanes.stuck({RUNS: 5.0}, 0, PATIENCE)
    lanes.stuck({}, 10, PATIENCE)
    assert lanes.stuck({RUNS: 5.0}, PATIENCE, PATIENCE) is None
    assert lanes.stuck({RUNS: 5.0}, 2 * PATIENCE, PATIENCE) == "job"


def network(port: int | None, *addresses: str) -> Network:
    return Network(
        port=port, addresses=addresses, incoming=0, peers=0, dht_nodes=0,
        trackers_good=0, trackers_bad=0, tracker_error=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "trouble", "words", "detail"),
    [
        (network(6881, "192.0.2.1", "2001:db8::1"), None, OK, "192.0.2.1:6881, [2001:db8::1]:6881"),
        (network(6881), None, OK, "port 6881"),
        (network(None), None, "it listens nowhere for peers: set torrent.listen_interface", ""),
        (network(6881), "cannot listen on eth9", "cannot listen on eth9: set torrent.listen_interface", ""),
    ],
)
def test_the_port_is_where_it_really_listens(
    seen: Network, trouble: str | None, words: str, detail: str
) -> None:
    told = checks._port(seen, trouble)
    assert told[0].startswith(words)
    assert told[1] == detail


async def test_an_engine_that_hangs_is_asked_once_and_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ENGINE_SECONDS", 0.05)
    world.engine.may_go_on.clear()
    for _ in range(3):
        health = await world.service.health()
        assert "has not answered" in health.checks["engine"]
        assert "restart the daemon" in health.checks["engine"]
    assert world.engine.busy == ["network"]
    world.engine.may_go_on.set()
    await world.until(lambda: not world.engine.busy)
    monkeypatch.undo()
    assert (await world.service.health()).ok


async def test_an_engine_that_does_not_run_says_so() -> None:
    settings = config.load("", {"HOME": "/nowhere"}).torrent
    with pytest.raises(HtdlError, match="does not run"):
        await LibtorrentEngine(settings).network()
