"""What the session tells of its network."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from htdl.torrent import network
from tests.engines import running
from tests.ports import free_port

TRACKER, ELSEWHERE = "http://a/announce", "udp://b:1"


def test_a_tracker_that_answers_on_one_address_is_good() -> None:
    answers = [((TRACKER, "v4"), None), ((TRACKER, "v6"), "no route"), ((ELSEWHERE, "v4"), "refused")]
    seen = network.of({"dht.dht_nodes": 3}, 0, [("0.0.0.0", 1)], answers)
    assert (seen.trackers_good, seen.trackers_bad, seen.tracker_error) == (1, 1, "refused")
    assert (seen.port, seen.addresses, seen.dht_nodes) == (None, (), 3)


async def test_a_peer_that_comes_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        before = await rig.engine.network()
        assert before.port
        assert (before.addresses, before.incoming) == (("127.0.0.1",), 0)
        await rig.add("a" * 40)  # libtorrent hangs up on everybody while it has no torrent
        with socket.create_connection(("127.0.0.1", before.port)):
            async with asyncio.timeout(30):
                while (await rig.engine.network()).incoming != 1:
                    pass  # each asks libtorrent anew


async def test_where_its_port_is_taken_it_tells_the_one_that_it_took(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        async with running(tmp_path, port_range_start=port, port_range_end=port) as rig:
            seen = await rig.engine.network()
            assert seen.addresses == ("127.0.0.1",)
            assert seen.port not in {None, port}
