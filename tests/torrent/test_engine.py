"""The engine on a real swarm on loopback: ways in, what is chosen, what is said, and what is kept."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.errors import Refused
from htdl.torrent.api import Failed, Finished, GotMetadata, Phase, TorrentEvent
from tests.engines import Rig, running, soon
from tests.swarm import Swarm, Torrent
from tests.tracker import Tracker

V1, V2, HYBRID = lt.create_torrent.v1_only, lt.create_torrent.v2_only, 0
KINDS = pytest.mark.parametrize("kind", [V1, V2, HYBRID], ids=["v1", "v2", "hybrid"])
SERIES: dict[str, int | bytes] = {"one.mkv": 300_001, "two.mkv": 200_003, "three.srt": 77, "empty.txt": b""}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "down") as rig:
        yield rig


def seeder_port(torrent: Torrent) -> int:
    found = re.search(r"x\.pe=127\.0\.0\.1:(\d+)", torrent.magnet)
    assert found
    return int(found[1])


def with_seeder(torrent: Torrent, magnet: str) -> str:
    return f"{magnet}&x.pe=127.0.0.1:{seeder_port(torrent)}"


def expect(rig: Rig, torrent: Torrent, paths: list[str], key: str = "a") -> None:
    for path in paths:
        assert (rig.home(key) / path).read_bytes() == torrent.content(path), path


# --- ways in


@KINDS
@pytest.mark.parametrize("has_metadata", [False, True], ids=["magnet", "torrent"])
async def test_every_kind_of_torrent_arrives(rig: Rig, swarm: Swarm, kind: int, has_metadata: bool) -> None:
    with Tracker() as tracker:
        torrent = swarm.seed({"video.mkv": 900_001}, kind=kind, trackers=(tracker.url,))
        tracker.peers = (("127.0.0.1", seeder_port(torrent)),)
        if has_metadata:
            await rig.add(torrent.metainfo, wanted=[0])  # chosen at once, as whoever has the metadata does
            await rig.hears(Finished)
        else:
            await rig.fetch(torrent.magnet, timeout=60)  # a seed that hung up is asked again after 10 s
        expect(rig, torrent, ["video.mkv"])


async def test_finished_is_said_when_every_byte_can_be_read(rig: Rig, swarm: Swarm) -> None:
    """Read in the listener itself, many times: libtorrent finishes pieces before it has written them."""
    torrents = [swarm.seed({"video.mkv": 1_000_000 + n}, piece_length=16 << 10) for n in range(8)]
    seen: dict[str, bytes] = {}

    def read(event: TorrentEvent) -> None:
        if isinstance(event, Finished):
            seen[event.key] = (rig.home(event.key) / "video.mkv").read_bytes()

    rig.on_event = read
    await asyncio.gather(*(rig.fetch(x.magnet, str(n)) for n, x in enumerate(torrents)))
    assert [seen[str(n)] for n in range(8)] == [x.content("video.mkv") for x in torrents]


async def test_a_tracker_gives_peers_and_hears_of_start_end_and_stop(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    with Tracker((("127.0.0.1", seeder_port(torrent)),)) as tracker:
        await rig.fetch(f"magnet:?xt=urn:btih:{torrent.info_hash}&tr={tracker.url}")
        expect(rig, torrent, ["video.mkv"])
        await soon(lambda: "completed" in tracker.events())
        await rig.engine.remove("a")
        await soon(lambda: "stopped" in tracker.events())
        assert tracker.events() == ["started", "completed", "stopped"]
        assert {x.info_hash for x in tracker.announces} == {torrent.info_hash}


async def test_a_silent_trackers_error_is_told(rig: Rig) -> None:
    await rig.add("magnet:?xt=urn:btih:" + "a1" * 20 + "&tr=http://127.0.0.1:9/announce")
    await soon(lambda: rig.engine.status("a") and rig.status().tracker_error)
    assert "refused" in (rig.status().tracker_error or "").lower()


async def test_metadata_that_comes_before_add_returns_is_heard(rig: Rig, swarm: Swarm) -> None:
    """A seeder on the same network answers while a busy loop has not looked at the torrent's acceptance."""
    torrent = swarm.seed({"video.mkv": 300_000})
    adding = asyncio.create_task(rig.add(torrent.magnet))
    while not rig.engine._torrents.additions:  # noqa: ASYNC110 - the very moment, not an event
        await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - the busy loop
    await adding
    await rig.take_all()
    await rig.hears(Finished)


# --- what is chosen


@pytest.mark.parametrize("kind", [V1, HYBRID], ids=["v1", "hybrid"])
async def test_a_torrent_of_many_files_arrives_without_its_padding(rig: Rig, swarm: Swarm, kind: int) -> None:
    torrent = swarm.seed(SERIES, name="series", kind=kind)
    await rig.fetch(torrent.magnet)
    expect(rig, torrent, [f"series/{path}" for path in SERIES])
    files = sorted(x.name for x in rig.home().rglob("*") if x.is_file())
    assert files == sorted(SERIES)
    metadata = (await rig.hears(GotMetadata)).metadata
    assert {x.path: x.size for x in metadata.files} == {
        f"series/{path}": len(torrent.content(f"series/{path}")) for path in SERIES
    }
    progress = await rig.engine.file_progress("a")
    assert {x.index: x.size for x in metadata.files} == {x.index: progress[x.index] for x in metadata.files}


@pytest.mark.parametrize("has_metadata", [False, True], ids=["magnet", "torrent"])
async def test_names_that_differ_by_case_alone_are_told_as_they_will_be_written(
    rig: Rig, swarm: Swarm, has_metadata: bool
) -> None:
    torrent = swarm.seed({"video.mkv": 100_000, "Video.mkv": 120_000}, name="series")
    await rig.add(torrent.metainfo if has_metadata else torrent.magnet)
    metadata = (await rig.hears(GotMetadata)).metadata
    paths = [x.path for x in metadata.files]
    assert len({path.casefold() for path in paths}) == 2, paths
    blob = await rig.engine.remove("a")
    assert blob
    await rig.engine.add("b", blob, rig.home(), wanted=None)
    assert (await rig.hears(GotMetadata, "b")).metadata == metadata


def index_of(event: GotMetadata, name: str) -> int:
    return next(x.index for x in event.metadata.files if x.path.endswith(name))


async def test_only_what_is_selected_is_fetched(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    await rig.add(torrent.magnet)
    got = await rig.hears(GotMetadata)
    rig.engine.select("a", [index_of(got, "two.mkv")])
    await rig.hears(Finished)
    expect(rig, torrent, ["series/two.mkv"])
    assert not (rig.home() / "series" / "one.mkv").exists()
    assert rig.status().total_bytes == 200_003


async def test_nothing_is_fetched_before_it_is_selected(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    await rig.add(torrent.metainfo)
    await rig.hears(GotMetadata)
    await soon(lambda: rig.status().phase is Phase.DOWNLOADING)
    assert rig.status().done_bytes == rig.status().total_bytes == 0
    assert not any(isinstance(x, Finished) for x in rig.heard)
    assert not [x for x in rig.home().rglob("*") if x.is_file()]


@pytest.mark.parametrize("has_metadata", [False, True], ids=["magnet", "torrent"])
async def test_a_late_selection_does_not_lose_the_peers(rig: Rig, swarm: Swarm, has_metadata: bool) -> None:
    """Seeds hang up on who wants nothing, and are not tried again for a while."""
    torrent = swarm.seed({"video.mkv": 300_000})
    source = await rig.engine.inspect(torrent.metainfo if has_metadata else torrent.magnet)
    params = lt.read_resume_data(source.resume)
    params.peers = [("127.0.0.1", seeder_port(torrent))]
    rig.home().mkdir(parents=True)
    await rig.engine.add("a", lt.write_resume_data_buf(params), rig.home(), wanted=None)
    await rig.hears(GotMetadata)
    await soon(lambda: (status := rig.engine.status("a")) and status.peers == 1)
    await rig.take_all()
    await rig.hears(Finished, timeout=9)  # a lost one is tried again after 10 s


async def test_indices_that_no_file_has_are_left_out(rig: Rig, swarm: Swarm) -> None:
    """libtorrent ends the process for some of them."""
    torrent = swarm.seed(SERIES, name="series")
    strange = [-1, -(2**31), 4, 99, 2**31, 2**63, 10**30]
    rig.engine.select("nobody", strange)
    await rig.add(torrent.magnet)
    rig.engine.select("a", [*strange, 0, 0, 0])
    got = await rig.hears(GotMetadata)
    two = index_of(got, "two.mkv")
    rig.engine.select("a", [*strange, two, two, *strange])
    await rig.hears(Finished)
    expect(rig, torrent, ["series/two.mkv"])
    assert rig.status().total_bytes == 200_003


async def test_the_last_of_two_quick_selections_counts(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series", rate=400_000)
    await rig.add(torrent.magnet)
    got = await rig.hears(GotMetadata)
    for name in ("one.mkv", "two.mkv", "one.mkv", "two.mkv", "three.srt", "two.mkv"):
        rig.engine.select("a", [index_of(got, name)])
    await rig.hears(Finished)
    expect(rig, torrent, ["series/two.mkv"])
    assert rig.status().done_bytes == rig.status().total_bytes == 200_003


async def test_a_selection_that_is_here_already_finishes_again(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    await rig.fetch(torrent.magnet)
    rig.heard.clear()
    rig.engine.select("a", [0])
    await rig.hears(Finished)
    assert rig.status().done_bytes == rig.status().total_bytes > 0


async def test_a_wider_selection_fetches_the_rest(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    await rig.add(torrent.magnet)
    got = await rig.hears(GotMetadata)
    rig.engine.select("a", [index_of(got, "three.srt")])
    await rig.hears(Finished)
    rig.heard.remove(await rig.hears(Finished))
    rig.engine.select("a", [x.index for x in got.metadata.files])
    await rig.hears(Finished)
    expect(rig, torrent, [f"series/{path}" for path in SERIES if SERIES[path]])


# --- what is kept


async def test_save_gives_only_what_changed(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    await rig.fetch(torrent.magnet)
    async with asyncio.timeout(30):
        while await rig.engine.save(["a"]):
            pass  # what libtorrent does behind the end
    assert await rig.engine.save(["a", "nobody"]) == {}
    rig.engine.set_limits("a", max_download_speed=10_000, max_upload_speed=-1)
    assert list(await rig.engine.save(["a"])) == ["a"]


async def test_what_was_saved_goes_on_where_it_was(rig: Rig, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000}, rate=500_000)
    await rig.add(torrent.magnet)
    await rig.take_all()
    await soon(lambda: rig.status().done_bytes > 500_000)
    blob = await rig.engine.remove("a")
    assert blob
    assert rig.engine.held() == set()
    await rig.engine.add("b", blob, rig.home("a"), wanted=[0])
    await rig.hears(Finished, "b")
    expect(rig, torrent, ["video.mkv"])
    assert swarm.sent() < 1_400_000, "what was here is not sent again"


async def test_what_was_saved_before_a_selection_is_not_finished(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000}, rate=500_000)
    await rig.add(torrent.magnet)
    await rig.hears(GotMetadata)
    blob = await rig.engine.remove("a")
    assert blob
    rig.home().mkdir(exist_ok=True)
    (rig.home() / "video.mkv").write_bytes(bytes(1_000_000))
    seen: list[bytes] = []
    rig.on_event = lambda event: seen.append((rig.home() / "video.mkv").read_bytes())
    await rig.engine.add("b", blob, rig.home(), wanted=[0])
    await rig.hears(Finished, "b")
    assert seen == [torrent.content("video.mkv")]


async def test_pieces_that_were_saved_are_in_the_file(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 3_000_000}, piece_length=16 << 10, rate=200_000)
    await rig.add(torrent.magnet)
    await rig.take_all()
    content, looks = torrent.content("video.mkv"), 0
    while not any(isinstance(x, Finished) for x in rig.heard):
        blob = (await rig.engine.save(["a"])).get("a")
        if blob is None:
            continue
        have = lt.read_resume_data(blob).have_pieces
        if not any(have):
            continue
        written = (rig.home() / "video.mkv").read_bytes()
        looks += 1
        for piece in (n for n, is_here in enumerate(have) if is_here):
            place = slice(piece << 14, (piece + 1) << 14)
            assert written[place] == content[place], piece
        if looks == 3:
            swarm.limit(6_000_000)
    assert looks >= 3


async def test_removing_while_saving_loses_nothing(rig: Rig, swarm: Swarm) -> None:
    for turn in range(10):
        key = str(turn)
        torrent = swarm.seed({"video.mkv": 200_000})
        await rig.fetch(torrent.magnet, key)
        await rig.engine.save([key])
        saved, blob, again, twice = await asyncio.wait_for(
            asyncio.gather(
                rig.engine.save([key]),
                rig.engine.remove(key),
                rig.engine.save([key]),
                rig.engine.remove(key),
            ),
            30,
        )
        assert blob, (saved, again, twice)
        assert all(lt.read_resume_data(blob).have_pieces[:4])
    assert rig.engine.held() == set()


async def test_removing_many_at_once_is_quick(rig: Rig, swarm: Swarm) -> None:
    torrents = [swarm.seed({"video.mkv": 50_000 + n}) for n in range(12)]
    await asyncio.gather(*(rig.fetch(x.magnet, str(n)) for n, x in enumerate(torrents)))
    async with asyncio.timeout(10):  # one after the other, each would wait for a look of its own: 12 s
        blobs = await asyncio.gather(*(rig.engine.remove(str(n)) for n in range(12)))
    assert all(blobs)
    assert rig.engine.held() == set()


async def test_a_torrent_that_was_removed_writes_no_more(rig: Rig, swarm: Swarm) -> None:
    """Who deletes its files right then must not see them come again."""
    torrent = swarm.seed({"video.mkv": 20_000_000}, piece_length=16 << 10, seeders=2)
    for turn in range(8):
        key = str(turn)
        await rig.add(torrent.magnet, key)
        await rig.take_all(key)
        await soon(lambda key=key: (rig.home(key) / "video.mkv").exists())
        await rig.engine.remove(key)
        (rig.home(key) / "video.mkv").unlink()
    assert not [x for x in rig.folder.rglob("*") if x.is_file()]


# --- one torrent, one key


async def test_a_key_is_given_once(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1000})
    await rig.add(torrent.magnet)
    with pytest.raises(ValueError, match="already"):
        await rig.add(torrent.magnet)


async def test_a_torrent_is_held_under_one_key(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1000})
    await rig.add(torrent.magnet)
    with pytest.raises(Refused):
        await rig.add(torrent.magnet, "b")
    with pytest.raises(Refused):
        await rig.add(torrent.metainfo, "c")
    await rig.take_all()
    await rig.hears(Finished)
    assert rig.engine.held() == {"a"}


async def test_one_of_two_hashes_of_one_torrent_gives_way(rig: Rig, swarm: Swarm) -> None:
    """A hybrid torrent has two info-hashes; that they are one torrent shows when its metadata is here."""
    torrent = swarm.seed({"video.mkv": 500_000}, kind=HYBRID)
    source = await rig.engine.inspect(torrent.metainfo)
    await rig.add(f"magnet:?xt=urn:btih:{source.info_hash}")
    await rig.add(with_seeder(torrent, f"magnet:?xt=urn:btmh:1220{source.info_hash_v2}"), "b")
    failed = await soon(lambda: next((x for x in rig.heard if isinstance(x, Failed)), None))
    assert failed.code == "duplicate"
    other = "b" if failed.key == "a" else "a"
    await rig.engine.remove(failed.key)
    await rig.take_all(other)
    await rig.hears(Finished, other)
    expect(rig, torrent, ["video.mkv"], other)


@pytest.mark.parametrize("half", ["v1", "v2"])
async def test_half_a_hybrid_goes_on_after_a_restart(rig: Rig, swarm: Swarm, half: str) -> None:
    torrent = swarm.seed({"video.mkv": 500_000}, kind=HYBRID, rate=400_000)
    source = await rig.engine.inspect(torrent.metainfo)
    topic = f"btih:{source.info_hash}" if half == "v1" else f"btmh:1220{source.info_hash_v2}"
    await rig.add(with_seeder(torrent, f"magnet:?xt=urn:{topic}"))
    await rig.take_all()
    await soon(lambda: rig.status().done_bytes > 0)
    blob = await rig.engine.remove("a")
    assert blob
    await rig.engine.add("b", blob, rig.home("a"), wanted=[0])
    await rig.hears(Finished, "b")
    expect(rig, torrent, ["video.mkv"])


async def test_a_torrent_that_stands_still_seems_to(rig: Rig, swarm: Swarm) -> None:
    """Blocks of a piece that is not whole count in every update, or in none."""
    torrent = swarm.seed({"video.mkv": 500_000})
    [honest], liar = swarm.ports(), swarm.corrupt(torrent)
    await rig.add(torrent.magnet.replace(f"127.0.0.1:{honest}", liar))
    await rig.hears(GotMetadata)
    rig.engine.select("a", [0])
    await soon(lambda: swarm.sent() and not swarm.peers())  # it was banned, in the middle of some pieces
    seen: list[int] = []
    for _ in range(300):  # three updates
        status = rig.engine.status("a")
        assert status
        seen.append(status.done_bytes)
        await asyncio.sleep(0.01)  # that nothing changes is the case
    assert seen == sorted(seen)
