"""What is watched comes first, and all the rest after it: on a real swarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from htdl.torrent import order
from htdl.torrent.api import Finished, GotMetadata, Phase
from htdl.torrent.pieces import Pieces
from tests.engines import Rig, running, soon
from tests.swarm import Swarm, Torrent

SIZE, PIECE = 24 << 20, 128 << 10
COUNT = SIZE // PIECE
USUAL, SLOW = 1_500_000, 300_000  # bytes a second of a seeder; slow, little comes while nobody looks


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "down") as rig:
        yield rig


@pytest.fixture
def swift(swarm: Swarm) -> Torrent:
    return swarm.seed({"video.mkv": SIZE}, piece_length=PIECE, seeders=2, rate=4_000_000)


@pytest.fixture
def torrent(swarm: Swarm) -> Torrent:
    return swarm.seed({"video.mkv": SIZE}, piece_length=PIECE, seeders=2, rate=USUAL)


def pieces_of(rig: Rig) -> Pieces:
    pieces = rig.engine.pieces("a")
    assert pieces
    return pieces


def count(pieces: Pieces, first: int = 0, last: int = COUNT) -> int:
    return sum(stop - start for start, stop in pieces.runs(first, last))


def connect(rig: Rig, swarm: Swarm) -> None:
    for port in swarm.ports():
        rig.handle().connect_peer(("127.0.0.1", port))


async def until_readable(pieces: Pieces, first: int, last: int) -> None:
    await soon(lambda: pieces.readable_until(first) >= last, 60, f"pieces {first} to {last}")


async def is_right(rig: Rig, torrent: Torrent) -> None:
    await rig.hears(Finished, timeout=60)
    assert (rig.home() / "video.mkv").read_bytes() == torrent.content("video.mkv")


async def test_what_is_watched_comes_first_and_then_what_follows(
    rig: Rig, swarm: Swarm, torrent: Torrent
) -> None:
    """Asked for before there is any peer."""
    swarm.limit(SLOW)
    await rig.add(torrent.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    rig.engine.want("a", range(40, 72))
    connect(rig, swarm)
    await until_readable(pieces, 40, 44)
    assert count(pieces) < 40
    swarm.limit(USUAL)
    await until_readable(pieces, 40, 52)  # by then what peers were asked for at first has come
    ahead, every = count(pieces, 40), count(pieces)
    await until_readable(pieces, 40, 64)
    assert count(pieces, 40) - ahead > 0.9 * (count(pieces) - every)


async def test_a_jump_brings_what_is_there_now(rig: Rig, swarm: Swarm, torrent: Torrent) -> None:
    await rig.add(torrent.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    connect(rig, swarm)
    await until_readable(pieces, 0, 12)
    rig.engine.want("a", range(90, 122))
    before = count(pieces, 0, 90)
    await until_readable(pieces, 90, 94)
    assert count(pieces, 0, 90) < before + 40  # what was under way; in order it would be 78
    status = rig.status()
    assert status.phase is Phase.DOWNLOADING
    assert status.total_bytes == SIZE


async def test_the_speed_is_known_before_any_piece_is_whole(rig: Rig, swarm: Swarm) -> None:
    """By it the rest is held back, so that what a slow peer was asked for is asked of the others too."""
    large = swarm.seed({"video.mkv": SIZE}, piece_length=4 << 20, rate=400_000)
    await rig.add(large.metainfo, wanted=[0])
    rig.engine.want("a", range(6))
    connect(rig, swarm)
    course = rig.engine._torrents.get("a").course  # type: ignore[union-attr]
    await soon(lambda: course._seen_bytes > 0 or any(rig.handle().status().pieces))  # type: ignore[union-attr]
    await soon(lambda: order.DONT_DOWNLOAD in rig.handle().get_piece_priorities())
    assert not any(rig.handle().status().pieces)


async def test_all_arrives_whatever_was_watched_meanwhile(rig: Rig, swarm: Swarm, swift: Torrent) -> None:
    random = Random(5)
    await rig.add(swift.magnet)
    await rig.take_all()
    pieces = pieces_of(rig)
    while count(pieces) < COUNT - 20:
        start = random.randrange(COUNT)
        rig.engine.want(
            "a", random.choice([range(start, min(COUNT, start + 32)), range(0), range(start, start + 1)])
        )
        async with asyncio.timeout(60):
            await pieces.changed()
        if status := rig.engine.status("a"):
            assert status.total_bytes in {0, SIZE}
    await soon(lambda: rig.status().done_bytes > SIZE // 2)
    assert rig.status().peers == 2  # a seed hangs up on who wants nothing, and is not asked again so soon
    rig.engine.want("a", ())
    await is_right(rig, swift)
    barrier = rig.engine._torrents.get("a").barrier  # type: ignore[union-attr]
    await soon(lambda: barrier.is_idle)  # libtorrent's own flushes were counted right


async def test_the_rest_arrives_while_somebody_watches(rig: Rig, swarm: Swarm, swift: Torrent) -> None:
    """A player that stands at one place: what it asks for is here, and it goes on asking."""
    await rig.add(swift.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    rig.engine.want("a", range(100, 104))
    connect(rig, swarm)
    await is_right(rig, swift)
    assert count(pieces) == COUNT


async def test_a_priority_that_was_lost_is_found_and_put_back(
    rig: Rig, swarm: Swarm, torrent: Torrent
) -> None:
    swarm.limit(SLOW)
    await rig.add(torrent.metainfo, wanted=[0])
    pieces = pieces_of(rig)
    rig.engine.want("a", range(80, 112))
    rig.handle().clear_piece_deadlines()
    rig.handle().prioritize_pieces([(piece, order.DONT_DOWNLOAD) for piece in range(80, 112)])
    assert rig.handle().piece_priority(80) == order.DONT_DOWNLOAD
    connect(rig, swarm)
    await until_readable(pieces, 80, 84)
    assert count(pieces) < COUNT // 2


async def test_it_survives_another_choice_of_files(rig: Rig, swarm: Swarm) -> None:
    files: dict[str, int | bytes] = {"a.mkv": 6 << 20, "b.mkv": 5 << 20, "c.mkv": 700_001}
    torrent = swarm.seed(files, name="series", piece_length=PIECE, rate=3_000_000)
    await rig.add(torrent.magnet)
    metadata = (await rig.hears(GotMetadata)).metadata
    paths = {file.path: file for file in metadata.files}
    first, second = paths["series/a.mkv"], paths["series/b.mkv"]
    rig.engine.select("a", [first.index])
    middle = (first.offset + first.size // 2) // PIECE
    rig.engine.want("a", range(middle, middle + 8))  # before libtorrent has what was selected
    pieces = pieces_of(rig)
    await until_readable(pieces, middle, middle + 2)
    rig.engine.select("a", [first.index, second.index])
    there = (second.offset + second.size // 2) // PIECE
    rig.engine.want("a", range(there, there + 4))
    await until_readable(pieces, there, there + 4)
    rig.engine.select("a", [first.index, second.index])  # the same again, with something held back
    rig.engine.want("a", ())
    await soon(lambda: any(isinstance(x, Finished) and len(x.wanted) == 2 for x in rig.heard), 60)
    for file in (first, second):
        assert (rig.home() / file.path).read_bytes() == torrent.content(file.path)


async def test_it_goes_on_after_the_torrent_was_let_go(rig: Rig, swarm: Swarm, torrent: Torrent) -> None:
    swarm.limit(SLOW)
    await rig.add(torrent.magnet)
    await rig.take_all()
    await until_readable(pieces_of(rig), 0, 8)
    rig.engine.want("a", range(90, 122))
    old = pieces_of(rig)
    blob = await rig.engine.remove("a")
    assert blob
    rig.engine.want("a", range(90, 122))  # nobody has it now
    await rig.engine.add("a", blob, rig.home(), wanted=[0])
    pieces = pieces_of(rig)
    assert pieces is not old
    rig.engine.want("a", range(90, 122))
    await until_readable(pieces, 90, 94)
    assert count(pieces) < COUNT // 2


async def test_single_pieces_are_told_only_while_somebody_watches(
    rig: Rig, swarm: Swarm, torrent: Torrent
) -> None:
    await rig.add(torrent.metainfo, wanted=[0])
    session = rig.engine._session
    usual = session.lt.get_settings()["alert_mask"]
    rig.engine.want("a", [5])
    await soon(lambda: session.lt.get_settings()["alert_mask"] != usual)
    rig.engine.want("a", [])
    await soon(lambda: session.lt.get_settings()["alert_mask"] == usual)
