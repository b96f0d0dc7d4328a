"""Pieces come in playing order on a real swarm, however the torrent came to be."""

from __future__ import annotations

from pathlib import Path

from htdl.torrent import order
from htdl.torrent.api import Phase
from tests.engines import running, soon
from tests.swarm import Swarm

SIZE, PIECE, RATE = 24 << 20, 256 << 10, 750_000


async def test_the_beginning_comes_first(tmp_path: Path, swarm: Swarm) -> None:
    """libtorrent 2.1.1 picks at random once a torrent has wanted nothing, as each magnet does at first."""
    torrent = swarm.seed({"video.mkv": SIZE}, piece_length=PIECE, seeders=2, rate=RATE)
    async with running(tmp_path / "down") as rig:
        await rig.add(torrent.magnet)
        await rig.take_all()
        status = await soon(lambda: (x := rig.status()).done_bytes > SIZE // 4 and x)
        assert status.phase is Phase.DOWNLOADING
        await rig.engine.save(["a"])  # flushes
        got, content = (rig.home() / "video.mkv").read_bytes(), torrent.content("video.mkv")
        there = [at for at in range(0, SIZE, PIECE) if got[at : at + PIECE] == content[at : at + PIECE]]
        assert sum(at < SIZE // 2 for at in there) > 0.75 * len(there)  # at random it would be half


def test_what_is_due_is_missing_and_lies_in_the_file() -> None:
    have = [True, False, True, False, False, False, False, False]
    assert order.due(have, 0, 7, order.DUE_BYTES // 4) == [1, 3, 4, 5]
    assert order.due(have, 4, 5, order.DUE_BYTES // 4) == [4, 5]
    assert order.due(have, 0, 7, 2 * order.DUE_BYTES) == [1, 3, 4]
    assert order.due([True, True], 0, 1, 16384) == []
