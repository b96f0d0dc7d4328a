"""What the engine's numbers say of the network, in words, and what to do.  Pure.

Nobody outside is asked whether we can be reached: a peer that has come is the proof.
"""

from __future__ import annotations

from collections.abc import Iterator

from htdl.answers import Finding, Level
from htdl.config import Torrent
from htdl.torrent.api import Network

_FORWARD = (
    "let TCP and UDP port {} through the firewall, and forward it in the router, or set torrent.upnp_enabled"
)
ENOUGH_PEERS = 5  # that we have found by ourselves, and none has found us
MOST_WORDS = 200  # of what a tracker says


def findings(config: Torrent, seen: Network, trouble: str | None, holders: dict[int, str]) -> list[Finding]:
    """`trouble` is the engine's, `holders` who has a port of the configured range in its place."""
    return [
        _port(config, seen, trouble, holders),
        _inbound(config, seen),
        _dht(config, seen),
        *_trackers(seen),
    ]


def _port(config: Torrent, seen: Network, trouble: str | None, holders: dict[int, str]) -> Finding:
    first, last = config.port_range_start, config.port_range_end
    if seen.port is None or trouble:
        words = trouble or "it listens nowhere for peers"
        hint = (
            "see torrent.listen_interface and torrent.port_range_start; is that device, such as a VPN's, up?"
        )
        return Finding("port", Level.FAIL, words, hint)
    where = f"peers come in at port {seen.port}"
    taken = "; ".join(f"{port} is taken by {who}" for port, who in sorted(holders.items()))
    if first <= seen.port <= last:
        return Finding("port", Level.OK, f"{where} ({taken})" if taken else where)
    words = f"{where}, since {_range(first, last)}" + (f": {taken}" if taken else "")
    return Finding(
        "port", Level.WARN, words, "end that program, or set torrent.port_range_start to free ones"
    )


def _range(first: int, last: int) -> str:
    return f"port {first} is not free" if first == last else f"none of {first} to {last} is free"


def _inbound(config: Torrent, seen: Network) -> Finding:
    if seen.incoming:
        one = seen.incoming == 1
        peers = (
            "1 peer has come in of its own accord"
            if one
            else f"{seen.incoming} peers have come in of their own accord"
        )
        whence = ", at least from our own network" if config.allow_lan else ""
        return Finding("inbound", Level.OK, f"{peers}: we can be reached{whence}")
    words = "no peer has come in of its own accord since the start"
    if seen.peers < ENOUGH_PEERS:
        return Finding("inbound", Level.OK, f"{words}; too few are connected to tell why")
    hint = _FORWARD.format(seen.port) if seen.port else ""
    return Finding("inbound", Level.WARN, f"{words}, while we found {seen.peers}: fewer can be had", hint)


def _dht(config: Torrent, seen: Network) -> Finding:
    if not config.dht_enabled:
        return Finding("dht", Level.OK, "off: a magnet without a tracker finds nobody")
    if seen.dht_nodes:
        return Finding("dht", Level.OK, f"{seen.dht_nodes} nodes")
    hint = "it takes a minute after a start; else let UDP out through the firewall"
    return Finding("dht", Level.WARN, "knows no node: magnets without trackers find nobody", hint)


def _trackers(seen: Network) -> Iterator[Finding]:
    good, bad = seen.trackers_good, seen.trackers_bad
    if not bad:
        yield Finding("trackers", Level.OK, f"{good} answer" if good else "none has been asked")
        return
    said = (seen.tracker_error or "")[:MOST_WORDS]
    if good:
        yield Finding("trackers", Level.OK, f"{good} answer, {bad} do not: {said}")
    else:
        hint = "they may be gone; where all torrents show this, look at the network, DNS and the clock"
        yield Finding("trackers", Level.WARN, f"none of {bad} answers: {said}", hint)
