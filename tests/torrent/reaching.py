"""Two engines in a network of their own, one that may reach the local network and one that may not.

Run by test_reaching.py as `python -m tests.torrent.reaching FOLDER` in a namespace whose loopback device has
public addresses too: PUBLIC is an attacker's, who is tracker, web seed, DHT node and peer at once, and names
the addresses of LOCAL in every way there is.  At each of those something listens.  Prints JSON: who reached
what, by the engine's own address.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections import defaultdict
from pathlib import Path

import libtorrent as lt

from htdl.config import Torrent as TorrentConfig
from htdl.torrent import sources
from htdl.torrent.engine import LibtorrentEngine
from tests.engines import soon
from tests.torrents import info_hash, make_info, make_torrent

SHUT, FREE, PUBLIC = "9.9.9.9", "9.9.9.10", "8.8.8.8"
LOCAL = ("127.0.0.1", "127.0.0.2", "192.168.5.5", "10.1.1.1", "100.64.0.1", "169.254.169.254", "172.16.3.3")
NAMED = "rebound.example"  # the hosts file gives it a local address
PORT = 7000
FORMS = ("localhost", NAMED, "2130706433", "0x7f000001", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]")

reached: dict[str, set[str]] = defaultdict(set)  # "tcp 10.1.1.1", by the engine's address
told: dict[str, set[str]] = defaultdict(set)  # the ways in which the attacker was asked
counts: dict[str, int] = defaultdict(int)  # DHT messages to the attacker


def compact(address: str) -> bytes:
    return socket.inet_aton(address) + struct.pack(">H", PORT)


EVERY = [compact(address) for address in LOCAL]


class Trap(asyncio.DatagramProtocol):
    def __init__(self, address: str) -> None:
        self._address = address

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        reached[client[0]].add(f"udp {self._address}")


class EvilNode(asyncio.DatagramProtocol):
    """Answers every question with local nodes and local peers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        asked = lt.bdecode(data)
        if not isinstance(asked, dict) or asked.get(b"y") != b"q":
            return
        counts[client[0]] += 1
        nodes = b"".join(random.randbytes(20) + one for one in EVERY)
        answer = {b"id": b"e" * 20, b"nodes": nodes, b"token": b"t", b"values": EVERY}
        self._transport.sendto(lt.bencode({b"t": asked[b"t"], b"y": b"r", b"r": answer}), client)


async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reached[writer.get_extra_info("peername")[0]].add(f"tcp {writer.get_extra_info('sockname')[0]}")
    writer.close()


async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A tracker that tells local peers, or leads elsewhere; a web seed that does."""
    line = (await reader.readline()).decode()
    told[writer.get_extra_info("peername")[0]].add(line.split("?")[0].split(" HTTP")[0])
    await reader.read(4096)
    if "/to/" in line:
        place = LOCAL[int(line.split("/to/")[1][0])]
        answer = (
            f"HTTP/1.1 302 Found\r\nLocation: http://{place}:{PORT}/x\r\nContent-Length: 0\r\n\r\n".encode()
        )
    else:
        body = lt.bencode({b"interval": 60, b"peers": b"".join(EVERY)})
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    writer.write(answer)
    writer.close()


def peer(wanted: str) -> object:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tells of local peers by PEX (BEP 11), and sends there to open a way (BEP 55)."""
        await reader.readexactly(68)
        hello = (
            b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100005" + wanted) + b"-XX0000-evil--------"
        )
        known = {b"added": b"".join(EVERY), b"added.f": b"\x12" * len(EVERY)}
        messages = [lt.bencode({b"m": {b"ut_pex": 1, b"ut_holepunch": 4}}), lt.bencode(known)]
        frames = [b"\x14\0" + messages[0], b"\x0f", b"\x14\x01" + messages[1]]
        frames += [b"\x14\x04\x01\0" + one for one in EVERY]
        writer.write(hello + b"".join(struct.pack(">I", len(x)) + x for x in frames))
        await writer.drain()
        told[writer.get_extra_info("peername")[0]].add("pex")
        while await reader.read(4096):
            pass
        writer.close()

    return serve


def torrent(info: dict[str, object]) -> bytes:
    leading = [f"http://{PUBLIC}/to/{number}" for number in range(len(LOCAL))]
    direct = [f"{address}:{PORT}" for address in (*LOCAL, *FORMS)]
    trackers = [f"http://{PUBLIC}/announce", *(f"{url}/announce" for url in leading)]
    trackers += [f"{scheme}://{host}/announce" for host in direct for scheme in ("http", "udp")]
    seeds = [f"{url}/seed" for url in leading] + [f"http://{host}/seed" for host in direct]
    return make_torrent(info, **{"announce-list": [[url] for url in trackers], "url-list": seeds})


async def main(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    for address in LOCAL:
        await loop.create_datagram_endpoint(lambda address=address: Trap(address), local_addr=(address, PORT))
        await asyncio.start_server(trap, address, PORT)
    await loop.create_datagram_endpoint(EvilNode, local_addr=(PUBLIC, 6881))
    await asyncio.start_server(site, PUBLIC, 80)
    info = make_info(size=100_000)
    await asyncio.start_server(peer(info_hash(info)), PUBLIC, 5555)
    engines = [await engine(folder / own, own, torrent(info)) for own in (SHUT, FREE)]
    everything = {f"{kind} {address}" for address in LOCAL for kind in ("tcp", "udp")}

    def is_told() -> bool:
        for one in engines:
            one.reannounce("a")
            one._session.lt.add_dht_node((PUBLIC, 6881))
        return reached[FREE] >= everything and counts[SHUT] > 20 and told[SHUT] >= told[FREE] - _SEEDS

    await soon(is_told, timeout=120, what=f"{reached} {told} {counts}")
    for one in engines:
        await one.stop()
    print(json.dumps({"reached": sorted(reached[SHUT]), "told": sorted(told[SHUT])}))


# libtorrent takes one web seed after the other, in its own order
_SEEDS = {f"GET /to/{number}/seed" for number in range(len(LOCAL))}


async def engine(folder: Path, own: str, raw: bytes) -> LibtorrentEngine:
    config = TorrentConfig(
        download_path=folder,
        allow_lan=own == FREE,
        upnp_enabled=False,
        listen_interface=own,
        port_range_start=9333,
        port_range_end=9333,
    )
    made = LibtorrentEngine(config)
    await made.start()
    params = lt.read_resume_data(sources.parse(raw, allow_lan=True).resume)
    params.peers = [(PUBLIC, 5555), *((address, PORT) for address in LOCAL), ("::ffff:127.0.0.1", PORT)]
    folder.mkdir()
    await made.add("a", lt.write_resume_data_buf(params), folder, wanted=[0])
    return made


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
