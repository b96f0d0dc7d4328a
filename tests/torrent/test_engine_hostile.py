"""The engine against peers, trackers and metadata that mean harm, and its limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.torrent import sources
from htdl.torrent.api import Failed, Finished, GotMetadata
from tests.engines import Rig, running, soon
from tests.swarm import Swarm, quiet_session
from tests.torrents import info_hash, make_info, make_torrent, with_files
from tests.tracker import Tracker


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path / "down") as rig:
        yield rig


@asynccontextmanager
async def counting(reply: bytes = b"") -> AsyncIterator[tuple[int, list[bytes]]]:
    """A TCP listener that notes the first bytes of each connection, answers and hangs up; its port."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(b"")
        try:
            seen[-1] = await reader.read(1000)
            writer.write(reply)
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        await server.wait_closed()


# --- metadata


HOSTILE = {
    "a way out": with_files([{"path": ["..", "..", "evil.mkv"]}]),
    "an absolute path": with_files([{"path": ["/etc/passwd"]}]),
    "a symlink": with_files(
        [
            {"path": ["link"], "attr": "l", "symlink path": ["..", "..", "etc"], "length": 0},
            {"path": ["a.mkv"]},
        ]
    ),
    "a name that turns around": make_info("video\u202e4pm.exe", size=1000),
    "a newline": make_info("video\n.mkv", size=1000),
}


@pytest.mark.parametrize("info", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_metadata_from_a_peer_fails_and_writes_nothing(
    rig: Rig, tmp_path: Path, info: dict[str, object]
) -> None:
    session = quiet_session()
    params = lt.load_torrent_buffer(make_torrent(info))
    params.save_path = str(tmp_path / "seed")
    params.flags = lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    await rig.add(f"magnet:?xt=urn:btih:{info_hash(info)}&x.pe=127.0.0.1:{session.listen_port()}")
    failed = await rig.hears(Failed)
    assert failed.code == "invalid_torrent"
    assert "refused" in failed.message
    rig.engine.select("a", [0, 1])
    await rig.engine.remove("a")
    assert list(rig.home().rglob("*")) == []
    assert not any(isinstance(x, GotMetadata) for x in rig.heard)
    del handle, session


async def test_a_peer_that_lies_about_metadata_does_no_harm(rig: Rig, swarm: Swarm) -> None:
    """BEP 9: the info dictionary must have the info-hash; one peer offers rubbish, another the truth."""
    torrent = swarm.seed({"video.mkv": 300_000})
    handshake = b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100005")
    handshake += bytes.fromhex(torrent.info_hash) + b"-XX0000-liar--------"
    offer = b"\x14\x00d1:md11:ut_metadatai3ee13:metadata_sizei64ee"
    lie = b"\x14\x01d8:msg_typei1e5:piecei0e10:total_sizei64ee" + b"x" * 64
    reply = handshake + b"".join(len(x).to_bytes(4, "big") + x for x in (offer, lie, lie, lie))
    async with counting(reply) as (port, seen):
        await rig.add(f"magnet:?xt=urn:btih:{torrent.info_hash}&x.pe=127.0.0.1:{port}")
        await soon(lambda: seen)
        honest = ("127.0.0.1", int(torrent.magnet.rpartition(":")[2]))
        rig.handle("a").connect_peer(honest)
        await rig.take_all()
        await rig.hears(Finished)
    assert (rig.home() / "video.mkv").read_bytes() == torrent.content("video.mkv")


async def test_calls_for_a_magnet_without_metadata_are_harmless(rig: Rig) -> None:
    """Some of them end the process when they reach libtorrent."""
    await rig.add("magnet:?xt=urn:btih:" + "b2" * 20)
    rig.engine.select("a", [0, 1, 2**40, -1])
    rig.engine.set_limits("a", max_download_speed=1, max_upload_speed=0)
    rig.engine.reannounce("a")
    assert await rig.engine.file_progress("a") == {}
    assert list(await rig.engine.save(["a", "a", "b"])) in (["a"], [])
    assert await rig.engine.remove("a")
    assert await rig.engine.remove("a") is None
    for verb in (rig.engine.reannounce, rig.engine.status):
        verb("a")
    assert rig.engine.held() == set()


# --- limits


async def seconds_to_fetch(rig: Rig, magnet: str, size_limit: int = -1) -> float:
    begun = time.monotonic()
    await rig.add(magnet, max_download_speed=size_limit)
    await rig.take_all()
    await rig.hears(Finished)
    return time.monotonic() - begun


async def test_a_torrents_own_limit_is_kept_and_can_be_lifted(rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 600_000})
    assert await seconds_to_fetch(rig, torrent.magnet, 250_000) > 1.5
    second = swarm.seed({"video.mkv": 2_000_000})
    await rig.add(second.magnet, "b", max_download_speed=10_000)
    await rig.take_all("b")
    rig.engine.set_limits("b", max_download_speed=-1, max_upload_speed=-1)
    await rig.hears(Finished, "b")  # which would take minutes


async def test_the_sessions_limit_is_kept(tmp_path: Path, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 600_000})
    async with running(tmp_path / "slow", max_download_speed=250) as rig:
        assert await seconds_to_fetch(rig, torrent.magnet) > 1.5


async def test_the_upload_limit_is_kept(tmp_path: Path, rig: Rig, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 600_000})
    async with running(tmp_path / "seeding", max_upload_speed=250) as middle:
        await middle.fetch(torrent.magnet)
        swarm.leave()
        port = middle.engine._config.port_range_start
        magnet = f"magnet:?xt=urn:btih:{torrent.info_hash}&x.pe=127.0.0.1:{port}"
        assert await seconds_to_fetch(rig, magnet) > 1.5


# --- where it may connect to


async def test_nothing_of_a_torrent_reaches_the_local_network(tmp_path: Path) -> None:
    """Peer, trackers and web seed on loopback: with allow_lan they are reached, without it never."""
    info = make_info(size=100_000)
    async with counting() as (peer, peers), counting() as (port, web), counting() as (socket_port, sockets):
        urls = [f"http://127.0.0.1:{port}/announce", f"http://127.0.0.1:{port}/announce?passkey=1"]
        urls += [f"ws://127.0.0.1:{socket_port}/announce", f"wss://127.0.0.1:{socket_port}/announce"]
        seeds = [f"http://127.0.0.1:{port}/seed/"]
        raw = make_torrent(info, **{"announce-list": [[url] for url in urls], "url-list": seeds})
        # as another machine's resume data would be: the engine alone stands between
        params = lt.read_resume_data(sources.parse(raw, allow_lan=True).resume)
        params.peers = [("127.0.0.1", peer)]
        blob = lt.write_resume_data_buf(params)
        async with running(tmp_path / "shut", allow_lan=False) as shut:
            await shut.engine.add("a", blob, shut.home(), wanted=[0])
            await soon(lambda: shut.engine.status("a") and shut.status().tracker_error)
            async with running(tmp_path / "open") as free:
                await free.engine.add("a", blob, free.home(), wanted=[0])
                await soon(lambda: peers and any(b"/seed/" in x for x in web))
                await soon(lambda: any(b"/announce" in x for x in web))
                tried = len(peers), len(web)
            assert min(tried) > 0
            mine = shut.engine._config.port_range_start
            assert not any(f"port={mine}&".encode() in x for x in web)
            assert shut.status().peers == 0
        assert sockets == []


async def test_without_allow_lan_no_connection_is_made_at_all(tmp_path: Path) -> None:
    async with counting() as (peer, peers), counting() as (port, web):
        raw = make_torrent(
            make_info(size=100_000),
            announce=f"http://127.0.0.1:{port}/announce",
            **{"url-list": [f"http://127.0.0.1:{port}/seed/"]},
        )
        params = lt.read_resume_data(sources.parse(raw, allow_lan=True).resume)
        params.peers = [("127.0.0.1", peer)]
        async with running(tmp_path / "shut", allow_lan=False) as shut:
            await shut.engine.add("a", lt.write_resume_data_buf(params), shut.home(), wanted=[0])
            await soon(lambda: shut.engine.status("a") and shut.status().tracker_error)
            for _ in range(3):  # several rounds of the session's own thread
                shut.engine.reannounce("a")
                await shut.engine.save(["a"])
        assert peers == web == []


async def test_stop_does_not_wait_for_a_tracker_that_hangs(tmp_path: Path, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})

    async def seconds_to_stop(folder: Path) -> float:
        with Tracker(hangs_on=("stopped",)) as tracker:
            async with running(folder) as rig:
                await rig.fetch(f"{torrent.magnet}&tr={tracker.url}")
                await soon(lambda: tracker.announces)
                begun = time.monotonic()
            took = time.monotonic() - begun
            await soon(lambda: "stopped" in tracker.events())
        return took

    for turn in range(3):  # a busy machine only ever adds
        if (took := await seconds_to_stop(tmp_path / f"down{turn}")) < 3:
            return
    raise AssertionError(f"it took {took} s to stop")
