"""A magnet that names nobody finds its peers: by trackers, DHT, PEX and LSD; and what a private torrent does
not do.  The metadata comes from the peers found.

LSD speaks by multicast, which is kept in a network of its own: this file is a program too, which that test
runs there.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import cast

import libtorrent as lt
import pytest

from htdl.config import Torrent as TorrentConfig
from htdl.torrent import settings
from htdl.torrent.api import Finished, GotMetadata
from htdl.torrent.engine import LibtorrentEngine
from tests.engines import Rig, running, soon
from tests.ports import free_port
from tests.swarm import make_files, quiet_session
from tests.tools import require
from tests.torrents import bencode, info_hash, make_info, make_torrent
from tests.tracker import Tracker

CONTENT = bytes(range(256)) * 1200
PUBLIC, PRIVATE = make_info(content=CONTENT), make_info(content=CONTENT, private=1)
PUBLIC_HASH, PRIVATE_HASH = info_hash(PUBLIC), info_hash(PRIVATE)
MAGNET = f"magnet:?xt=urn:btih:{PUBLIC_HASH}"


class Seed:
    """A session that has the public torrent; `more` is laid over its settings."""

    def __init__(
        self, folder: Path, *, has_content: bool = True, knows: tuple[int, ...] = (), **more: object
    ) -> None:
        make_files(folder, {"video.mkv": CONTENT} if has_content else {})
        self.session = quiet_session(close_redundant_connections=False, **more)
        params = lt.load_torrent_buffer(make_torrent(PUBLIC))
        params.save_path = str(folder)
        flags = lt.torrent_flags
        params.flags = flags.seed_mode | flags.disable_pex if has_content else flags.default_dont_download
        params.peers = [("127.0.0.1", port) for port in knows]
        self.handle = self.session.add_torrent(params)
        self.port = self.session.listen_port()


async def expect_found(rig: Rig, way: int, port: int, key: str = "a") -> None:
    """It is whole, and the peer that we downloaded from was found this way: a flag of libtorrent's
    peer_info.
    """
    await rig.take_all(key)
    await rig.hears(Finished, key)
    assert (rig.home(key) / "video.mkv").read_bytes() == CONTENT
    peers = {peer.ip[1]: peer for peer in rig.handle(key).get_peer_info()}
    assert peers[port].source & way
    assert peers[port].total_download >= len(CONTENT)
    assert all(peer.total_download == 0 for other, peer in peers.items() if other != port)


# --- trackers


class UdpTracker(asyncio.DatagramProtocol):
    """BEP 15: tells everyone of one peer."""

    def __init__(self, port: int) -> None:
        self._peers = struct.pack("!III4sH", 1800, 0, 1, socket.inet_aton("127.0.0.1"), port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str | int, int]) -> None:
        action, transaction = struct.unpack_from("!II", data, 8)
        body = self._peers if action == 1 else b"connect."  # any id of a connection will do
        self._transport.sendto(struct.pack("!II", action, transaction) + body, address)


@asynccontextmanager
async def udp_tracker(port: int) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: UdpTracker(port), ("127.0.0.1", 0))
    try:
        yield f"udp://127.0.0.1:{transport.get_extra_info('sockname')[1]}/announce"
    finally:
        transport.close()


async def test_a_tracker_over_http(tmp_path: Path) -> None:
    seed = Seed(tmp_path / "seed")
    with Tracker((("127.0.0.1", seed.port),)) as tracker:
        async with running(tmp_path) as rig:
            await rig.add(f"{MAGNET}&tr={tracker.url}")
            await expect_found(rig, lt.peer_info.tracker, seed.port)


async def test_a_tracker_over_udp(tmp_path: Path) -> None:
    seed = Seed(tmp_path / "seed")
    async with udp_tracker(seed.port) as url, running(tmp_path) as rig:
        await rig.add(f"{MAGNET}&tr={url}")
        await expect_found(rig, lt.peer_info.tracker, seed.port)


@pytest.mark.parametrize("hangs_on", [(), ("started",)], ids=["knows nobody", "does not answer"])
async def test_every_tracker_of_a_magnet_is_asked_at_once(tmp_path: Path, hangs_on: tuple[str, ...]) -> None:
    seed = Seed(tmp_path / "seed")
    with Tracker(hangs_on=hangs_on) as useless, Tracker((("127.0.0.1", seed.port),)) as useful:
        async with running(tmp_path) as rig:
            await rig.add(f"{MAGNET}&tr={useless.url}&tr={useful.url}")
            await rig.hears(GotMetadata, timeout=9)  # one that hangs is given up after 10 s
            await expect_found(rig, lt.peer_info.tracker, seed.port)
            assert useless.announces


# --- DHT


class Router:
    """A DHT node that others bootstrap from, and what it was asked for."""

    def __init__(self) -> None:
        self._session = dht_session("", alert_mask=lt.alert_category.dht)
        self.address = f"127.0.0.1:{self._session.listen_port()}"
        self._asked: Counter[str] = Counter()
        self._announced: Counter[str] = Counter()

    def asked(self, torrent: str) -> int:
        self._read()
        return self._asked[torrent]

    def announced(self, torrent: str) -> int:
        self._read()
        return self._announced[torrent]

    def _read(self) -> None:
        for alert in self._session.pop_alerts():
            if isinstance(alert, lt.dht_get_peers_alert):
                self._asked[str(alert.info_hash)] += 1
            elif isinstance(alert, lt.dht_announce_alert):
                self._announced[str(alert.info_hash)] += 1


def dht_session(router: str, **more: object) -> lt.session:
    return quiet_session(enable_dht=True, enable_incoming_utp=True, dht_bootstrap_nodes=router, **more)


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Router:
    """The engine's routers are this one alone: nothing is sent out into the world."""
    router = Router()
    monkeypatch.setattr(settings, "DHT_ROUTERS", (router.address,))
    return router


def dht_seed(folder: Path, router: Router) -> Seed:
    return Seed(folder, enable_dht=True, enable_incoming_utp=True, dht_bootstrap_nodes=router.address)


async def test_the_dht(tmp_path: Path, router: Router) -> None:
    seed = dht_seed(tmp_path / "seed", router)
    await soon(lambda: router.announced(PUBLIC_HASH))
    async with running(tmp_path, dht_enabled=True) as rig:
        await rig.add(MAGNET)
        await expect_found(rig, lt.peer_info.dht, seed.port)
        await soon(lambda: router.announced(PUBLIC_HASH) > 1, what="we announce ourselves too")


async def test_the_dht_is_known_again_after_a_restart(
    tmp_path: Path, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = dht_seed(tmp_path / "seed", router)
    await soon(lambda: router.announced(PUBLIC_HASH))
    port = free_port()
    config = TorrentConfig(
        download_path=tmp_path,
        lsd_enabled=False,
        upnp_enabled=False,
        listen_interface="127.0.0.1",
        allow_lan=True,
        port_range_start=port,
        port_range_end=port,
    )
    before = LibtorrentEngine(config)
    await before.start()
    try:
        await Rig(before, tmp_path / "before").fetch(MAGNET)
    finally:
        state = await before.stop()
    monkeypatch.setattr(settings, "DHT_ROUTERS", ())
    after = LibtorrentEngine(config, session_state=state)
    await after.start()
    try:
        rig = Rig(after, tmp_path / "after")
        await rig.add(MAGNET)
        await expect_found(rig, lt.peer_info.dht, seed.port)
    finally:
        await after.stop()


async def test_a_private_torrent_is_not_in_the_dht(tmp_path: Path, router: Router) -> None:
    """BEP 27.  It is asked for before the public one, each time."""
    async with running(tmp_path, dht_enabled=True) as rig:
        await rig.add(make_torrent(PRIVATE), wanted=[0])
        await rig.add(make_torrent(PUBLIC), "b", wanted=[0])
        await soon(lambda: router.announced(PUBLIC_HASH))
        asked = router.asked(PUBLIC_HASH)
        rig.engine.reannounce("a")
        rig.engine.reannounce("b")
        await soon(lambda: router.asked(PUBLIC_HASH) > asked)
        assert router.asked(PRIVATE_HASH) == router.announced(PRIVATE_HASH) == 0


# --- PEX


async def test_peers_tell_of_peers(tmp_path: Path) -> None:
    """BEP 11: the peer that we know has nothing, and knows who has.  With PEX off we are told as well, and do
    not listen.
    """
    seed = Seed(tmp_path / "seed")
    friend = Seed(
        tmp_path / "friend", has_content=False, knows=(seed.port,), alert_mask=lt.alert_category.peer_log
    )
    await soon(lambda: any(peer.flags & peer.seed for peer in friend.handle.get_peer_info()))
    magnet = f"{MAGNET}&x.pe=127.0.0.1:{friend.port}"
    async with running(tmp_path / "off", pex_enabled=False) as deaf, running(tmp_path / "on") as rig:
        await deaf.add(magnet)
        await deaf.take_all()  # it is connected, before the other
        await rig.add(magnet)
        await expect_found(rig, lt.peer_info.pex, seed.port)
        told = Counter[str]()
        await soon(lambda: talks(friend, told) == 3, what="the seed, the deaf one and the other are told")
        assert seed.port not in {peer.ip[1] for peer in deaf.handle().get_peer_info()}


def talks(friend: Seed, told: Counter[str]) -> int:
    """How many peers it has sent a list of peers to, by libtorrent's log; `told` keeps the count."""
    told.update(x for a in friend.session.pop_alerts() for x in re.findall(r"==> (PEX_FULL)", str(a)))
    return told.total()


class Gossip:
    """A peer that has the metadata (BEP 9) and notes what it is told by PEX: how many messages."""

    def __init__(self, info: dict[str, object]) -> None:
        self._info = bencode(info)
        self._hash = bytes.fromhex(info_hash(info))
        self.told = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(68)
        head = b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100005")
        writer.write(head + self._hash + os.urandom(20))
        names = {"ut_metadata": 2, "ut_pex": 1}
        _send(writer, 0, bencode({"m": names, "metadata_size": len(self._info), "p": writer_port(writer)}))
        theirs: dict[bytes, int] = {}
        while True:
            message = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            if message[:2] == b"\x14\x00":
                theirs = lt.bdecode(message[2:])[b"m"]
            elif message[:2] == b"\x14\x01":
                self.told += 1
            elif message[:2] == b"\x14\x02" and b"msg_typei0e" in message:
                piece = {"msg_type": 1, "piece": 0, "total_size": len(self._info)}
                _send(writer, theirs[b"ut_metadata"], bencode(piece) + self._info)


def _send(writer: asyncio.StreamWriter, kind: int, payload: bytes) -> None:
    writer.write((2 + len(payload)).to_bytes(4, "big") + bytes((20, kind)) + payload)


def writer_port(writer: asyncio.StreamWriter) -> int:
    port: int = writer.get_extra_info("sockname")[1]
    return port


@asynccontextmanager
async def gossips(info: dict[str, object]) -> AsyncIterator[tuple[str, list[Gossip]]]:
    """Two of them, and a magnet that names both."""
    both = [Gossip(info), Gossip(info)]
    servers = [await asyncio.start_server(gossip.serve, "127.0.0.1", 0) for gossip in both]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        yield f"magnet:?xt=urn:btih:{info_hash(info)}" + "".join(f"&x.pe=127.0.0.1:{p}" for p in ports), both
    finally:
        for server in servers:
            server.close()


async def test_the_peers_of_a_private_torrent_are_told_of_nobody(tmp_path: Path) -> None:
    """BEP 27; also of a magnet, whose metadata tells that it is private.  Another torrent's peers are told
    later, and libtorrent lets 3 s pass between any two messages.
    """
    secret, open_ = gossips(PRIVATE), gossips(PUBLIC)
    async with secret as (private, hushed), open_ as (public, told), running(tmp_path) as rig:
        await rig.add(private)
        await rig.hears(GotMetadata)
        await rig.add(public, "b")
        await soon(lambda: all(gossip.told for gossip in told))
        assert [gossip.told for gossip in hushed] == [0, 0]


# --- LSD

GROUP, PORT = "239.192.152.143", 6771  # BEP 14


def test_the_local_network(tmp_path: Path) -> None:
    """BEP 14, in a network that has nothing but a loopback which takes multicast."""
    namespace = [require("unshare"), "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    probe = subprocess.run([*namespace, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"a network of its own is not allowed: {probe.stderr.strip()}")
    command = [*namespace, sys.executable, "-m", "tests.torrent.test_discovery", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def take_multicast() -> None:
    """Bring loopback up, with multicast (netdevice(7))."""
    set_flags, up, loopback, multicast = 0x8914, 0x1, 0x8, 0x1000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up | loopback | multicast))


@contextmanager
def member() -> Iterator[Callable[[], set[str]]]:
    """Of the group: the function returns the torrents that have been announced up to now."""
    heard: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group:
        group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        group.bind(("", PORT))
        membership = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        group.setblocking(False)

        def announced() -> set[str]:
            try:
                while True:
                    heard.update(re.findall(r"Infohash: (\w+)", group.recv(2000).decode()))
            except BlockingIOError:
                return heard

        yield announced


async def local_network(folder: Path) -> None:
    """A seed that connects to nobody is found by what it announces; we announce what is not private."""
    take_multicast()
    with member() as announced:
        async with running(folder, lsd_enabled=True) as rig:
            await rig.add(make_torrent(PRIVATE), "private", wanted=[0])
            await rig.add(MAGNET)
            await soon(lambda: PUBLIC_HASH in announced())
            seed = Seed(folder / "seed", enable_lsd=True, enable_outgoing_tcp=False)
            await expect_found(rig, lt.peer_info.lsd, seed.port)
            assert PRIVATE_HASH not in announced()


if __name__ == "__main__":
    asyncio.run(local_network(Path(sys.argv[1])))
