"""Which pieces can be read, and that all of them can: on a real swarm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.torrent.api import Finished, GotMetadata
from htdl.torrent.pieces import Pieces
from tests.engines import Rig, running, soon
from tests.swarm import Swarm, Torrent, quiet_session

PIECE = 64 << 10


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "down") as rig:
        yield rig


def pieces_of(rig: Rig, key: str = "a") -> Pieces:
    pieces = rig.engine.pieces(key)
    assert pieces
    return pieces


def wrong(rig: Rig, torrent: Torrent, path: str = "video.mkv") -> list[int]:
    """Pieces of a single file that are said to be readable, and are not what was seeded."""
    content, pieces = torrent.content(path), pieces_of(rig)
    if not (rig.home() / path).exists():
        return [piece for run in pieces.runs(0, pieces.count) for piece in range(*run)]
    fd = os.open(rig.home() / path, os.O_RDONLY)
    try:
        return [
            piece
            for run in pieces.runs(0, pieces.count)
            for piece in range(*run)
            if os.pread(fd, pieces.length, piece * pieces.length)
            != content[piece * pieces.length : (piece + 1) * pieces.length]
        ]
    finally:
        os.close(fd)


async def news(pieces: Pieces) -> None:
    """As whoever reads waits: `wait_for` would listen a turn of the loop later, and miss what comes in it."""
    async with asyncio.timeout(60):
        await pieces.changed()


# --- the object alone


def test_runs_and_ends_of_them() -> None:
    pieces = Pieces(8, PIECE)
    pieces.add([0, 1, 4, 7])
    assert pieces.runs(0, 8) == [(0, 2), (4, 5), (7, 8)]
    assert pieces.runs(1, 5) == [(1, 2), (4, 5)]
    assert pieces.runs(2, 4) == []
    assert [pieces.readable_until(piece) for piece in range(8)] == [2, 2, 2, 3, 5, 5, 6, 8]


async def test_who_waits_hears_of_what_comes_later_and_of_the_end() -> None:
    pieces = Pieces(4, PIECE)
    pieces.add([0])
    before = pieces.version
    waiting = asyncio.create_task(pieces.changed())
    await asyncio.sleep(0)
    pieces.add([0])  # no news
    await asyncio.sleep(0)
    assert not waiting.done()
    assert pieces.version == before
    pieces.add([1])
    await asyncio.wait_for(waiting, 5)
    waiting = asyncio.create_task(pieces.changed())
    await asyncio.sleep(0)
    pieces.end()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(pieces.changed(), 5)
    assert pieces.is_gone


def test_what_is_forgotten_cannot_be_read_until_it_is_added_again() -> None:
    pieces = Pieces(4, PIECE)
    pieces.add(range(4))
    before = pieces.version
    pieces.forget([1, 3])
    assert pieces.runs(0, 4) == [(0, 1), (2, 3)]
    assert pieces.version > before
    pieces.add([1, 3])
    assert pieces.readable_until(0) == 4


# --- the engine


async def test_there_are_none_before_the_metadata(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    await rig.add("magnet:?xt=urn:btih:" + "c3" * 20, "b")
    assert rig.engine.pieces("b") is None
    assert rig.engine.metadata("b") is None
    assert rig.engine.pieces("no such key") is None
    await rig.add(torrent.magnet)
    metadata = (await rig.hears(GotMetadata)).metadata
    assert rig.engine.metadata("a") == metadata
    assert pieces_of(rig).count == metadata.num_pieces
    assert pieces_of(rig).runs(0, metadata.num_pieces) == []


@pytest.mark.parametrize("is_watched", [False, True], ids=["by looks", "by alerts"])
async def test_every_piece_is_right_the_moment_it_is_said_to_be_readable(
    rig: Rig, swarm: Swarm, is_watched: bool
) -> None:
    torrent = swarm.seed({"video.mkv": 12 << 20}, piece_length=PIECE, seeders=2, rate=1_000_000)
    await rig.add(torrent.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    if is_watched:
        rig.engine.want("a", range(100, 140))
    for port in swarm.ports():
        rig.handle().connect_peer(("127.0.0.1", port))
    looks = 0
    while pieces.readable_until(0) < pieces.count:
        await news(pieces)
        assert wrong(rig, torrent) == []
        looks += 1
        if looks == 2:
            swarm.limit(8_000_000)
    assert looks > 1
    await rig.hears(Finished)


async def test_all_can_be_read_once_it_is_said_to_be_finished(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 3_000_001}, piece_length=PIECE)
    seen: list[int] = []
    rig.on_event = lambda event: (
        seen.append(pieces_of(rig).readable_until(0)) if isinstance(event, Finished) else None
    )
    await rig.fetch(torrent.magnet)
    assert seen == [pieces_of(rig).count]


@pytest.mark.parametrize("recheck", [False, True], ids=["resume data", "a check"])
async def test_what_was_here_before_is_readable_without_a_peer(rig: Rig, swarm: Swarm, recheck: bool) -> None:
    torrent = swarm.seed({"video.mkv": 8 << 20}, piece_length=PIECE, rate=4_000_000)
    await rig.add(torrent.magnet)
    await rig.take_all()
    await soon(lambda: pieces_of(rig).readable_until(0) > 20)
    before = pieces_of(rig)
    blob = await rig.engine.remove("a")
    assert before.is_gone
    assert blob
    swarm.leave()
    await rig.engine.add("a", blob, rig.home(), wanted=[0], recheck=recheck)
    assert pieces_of(rig) is not before
    await soon(lambda: pieces_of(rig).readable_until(0) > 20)
    assert wrong(rig, torrent) == []


async def test_a_whole_torrent_is_readable_after_a_restart(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000}, piece_length=PIECE)
    done = await rig.fetch(torrent.magnet)
    await rig.engine.remove("a")
    rig.heard.clear()
    await rig.engine.add("a", done.resume, rig.home(), wanted=[0])
    await soon(lambda: pieces_of(rig).readable_until(0) == pieces_of(rig).count)


async def test_who_waits_hears_that_the_engine_stops(tmp_path: Path, swarm: Swarm) -> None:
    async with running(tmp_path / "short") as rig:
        await rig.add(swarm.seed({"video.mkv": 300_000}).metainfo, wanted=[0])
        pieces = pieces_of(rig)
        waiting = asyncio.create_task(pieces.changed())
    await asyncio.wait_for(waiting, 5)
    assert pieces.is_gone


async def test_the_edge_of_a_file_that_is_chosen_later_is_read_from_the_file(rig: Rig, swarm: Swarm) -> None:
    """It came with its neighbour, and was kept in a part file until then."""
    torrent = swarm.seed({"one.mkv": 300_001, "two.mkv": 300_003}, name="series", piece_length=PIECE)
    await rig.add(torrent.metainfo, wanted=[0])
    metadata = rig.engine.metadata("a")
    assert metadata
    first, second = metadata.files
    assert second.offset == first.size
    rig.handle().connect_peer(("127.0.0.1", swarm.ports()[0]))
    await rig.hears(Finished)
    edge = second.offset // PIECE
    assert pieces_of(rig).readable_until(edge) > edge
    rig.engine.select("a", [0, 1])
    assert pieces_of(rig).readable_until(edge) == edge
    await soon(lambda: pieces_of(rig).readable_until(edge) > edge)
    there = (edge + 1) * PIECE - second.offset
    with (rig.home() / second.path).open("rb") as file:
        assert file.read(there) == torrent.content(second.path)[:there]


async def test_a_piece_that_a_corrupt_peer_sent_is_never_readable(
    rig: Rig, swarm: Swarm, tmp_path: Path
) -> None:
    torrent = swarm.seed({"video.mkv": 4 << 20}, piece_length=PIECE, rate=2_000_000)
    liar = tmp_path / "liar"
    liar.mkdir()
    (liar / "video.mkv").write_bytes(bytes(4 << 20))
    params = lt.load_torrent_buffer(torrent.metainfo)
    params.save_path, params.have_pieces = str(liar), [True] * ((4 << 20) // PIECE)
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    session = quiet_session()
    handle = session.add_torrent(params)
    await soon(lambda: handle.status().is_seeding)
    await rig.add(torrent.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    rig.engine.want("a", range(pieces.count // 2, pieces.count))
    rig.handle().connect_peer(("127.0.0.1", session.listen_port()))
    await soon(lambda: handle.status().total_payload_upload >= PIECE)
    rig.handle().connect_peer(("127.0.0.1", swarm.ports()[0]))
    while pieces.readable_until(0) < pieces.count:
        await news(pieces)
        assert wrong(rig, torrent) == []
        here = pieces.readable_until(pieces.count // 2)
        rig.engine.want("a", range(here, pieces.count))  # as a reader does, who asks for what is missing
    await rig.hears(Finished)
