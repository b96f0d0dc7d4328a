"""The session's counters, as what they say of its network.  Pure.

Names of counters: libtorrent manual, "session statistics".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from htdl.torrent.api import Network

Answer = tuple[tuple[object, ...], str | None]
"""Of a tracker, named by its URL and our own address: its last error, None where it was no error."""


def of(
    counters: Mapping[str, int],
    port: int,
    listening: Iterable[tuple[str, int]],
    answers: Collection[Answer],
) -> Network:
    """`port` is where it listens now, 0 for nowhere; `listening` are all that it ever listened on."""
    by_tracker: dict[object, list[str | None]] = {}
    for (url, *_), error in answers:
        by_tracker.setdefault(url, []).append(error)
    bad = [errors[0] for errors in by_tracker.values() if None not in errors]
    return Network(
        port=port or None,
        addresses=tuple(address for address, at in listening if port and at == port),
        incoming=counters.get("peer.incoming_connections", 0),
        peers=counters.get("peer.num_peers_connected", 0),
        dht_nodes=counters.get("dht.dht_nodes", 0),
        trackers_good=len(by_tracker) - len(bad),
        trackers_bad=len(bad),
        tracker_error=bad[0] if bad else None,
        received_bytes=counters.get("net.recv_payload_bytes", 0),
        sent_bytes=counters.get("net.sent_payload_bytes", 0),
        wasted_bytes=counters.get("net.recv_failed_bytes", 0) + counters.get("net.recv_redundant_bytes", 0),
    )
