"""The session's settings, from the configuration.  Pure: a dict that libtorrent understands.

Names and defaults: libtorrent reference, settings_pack.  Only what differs from the default is set.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from htdl.config import Torrent
from htdl.torrent._lt import lt
from htdl.torrent.bounds import MAX_PIECES, MAX_TOKENS, MAX_TORRENT_BYTES

if TYPE_CHECKING:
    from libtorrent import settings_pack

DHT_ROUTERS = ("dht.libtorrent.org:25401", "router.bittorrent.com:6881", "dht.transmissionbt.com:6881")
UNLIMITED = 0  # libtorrent's word for "no limit" in a rate


def watch_settings(*, is_watched: bool) -> settings_pack:
    """What differs while somebody waits for single pieces."""
    categories = lt.alert_category
    mask = categories.error | categories.status | categories.storage | categories.tracker
    return {
        "alert_mask": mask | categories.piece_progress if is_watched else mask,
        # what a peer has been asked for comes first, and delays what is needed after a jump
        "request_queue_time": 1 if is_watched else 3,
        # else a fast peer that has nothing left to ask for does not ask for what a slow one is slow to bring
        "strict_end_game_mode": not is_watched,
    }


def session_settings(config: Torrent) -> settings_pack:
    return {
        **watch_settings(is_watched=False),
        # else one peer is given a whole piece, be it one that takes 20 s for it
        "whole_pieces_threshold": 0,
        "alert_queue_size": 100_000,  # 2,000 torrents at once post more than the default holds, and lose some
        "user_agent": f"htdl libtorrent/{lt.__version__}",
        "listen_interfaces": listen_interfaces(config.listen_interface, config.port_range_start),
        "max_retry_port_bind": config.port_range_end - config.port_range_start,
        # by the same interface as we listen on, so that a VPN's stays the only one
        "outgoing_interfaces": config.listen_interface,
        "enable_dht": config.dht_enabled,
        "enable_lsd": config.lsd_enabled and config.allow_lan,  # it finds private addresses alone
        "enable_upnp": config.upnp_enabled,
        "enable_natpmp": config.upnp_enabled,
        "webtorrent_stun_server": "",  # would tell a third party that we are here
        **session_limits(config.max_download_speed * 1024, config.max_upload_speed * 1024),
        # else the acknowledgements of a fast download use up the upload limit: 100 KB/s of them allow for
        # about 3.5 MB/s, in fits and starts
        "rate_limit_ip_overhead": False,
        "connections_limit": config.max_connections,
        # A peer that answers only TCP costs 3.5 s when uTP is tried first; see Engine's watch over it.
        "enable_outgoing_utp": False,
        "utp_connect_timeout": 1000,
        "close_redundant_connections": False,  # else each pause in what is wanted drops every seed
        # A rate limit hands out bandwidth once a tick, so that with the default of 500 ms every message of a
        # handshake waits half a second when there is any limit.
        "tick_interval": 20,
        # A seed hangs up on who wants nothing, and a network may be away for a minute.  By default a peer is
        # tried again after 60, 120 and 180 s, and then never; here after 10, 20, 30 … 100 s.
        "min_reconnect_time": 10,
        "max_failcount": 10,
        # Each tracker of a magnet is a tier of its own.  By default the next is asked only when one failed
        # (up to 30 s), and not at all when it answers and knows nobody.  Both names: libtorrent 2.1.1 asks
        # nobody more for the first alone.
        "announce_to_all_tiers": True,
        "announce_to_all_trackers": True,
        "stop_tracker_timeout": 1,  # destroying the session waits for this, holding the GIL
        "auto_sequential": False,
        "hashing_threads": 2,
        "active_checking": 2,
        # what peers may make us hold before it is ours to judge
        "max_metadata_size": MAX_TORRENT_BYTES,
        "metadata_token_limit": MAX_TOKENS,
        "max_piece_count": MAX_PIECES,
        # we add torrents without auto_managed, but a seed's upload slot still counts here
        "active_limit": -1,
        "active_seeds": -1,
        "active_downloads": -1,
        "ssrf_mitigation": not config.allow_lan,
        "allow_multiple_connections_per_ip": config.allow_lan,
        "dht_bootstrap_nodes": ",".join(DHT_ROUTERS),
    }


def session_limits(max_download_speed: int, max_upload_speed: int) -> settings_pack:
    """What all torrents together may take, in bytes a second; negative is no limit."""
    return {"download_rate_limit": rate(max_download_speed), "upload_rate_limit": rate(max_upload_speed)}


def listen_interfaces(interface: str, port: int) -> str:
    """libtorrent's listen_interfaces for an address or device name; empty is every IPv4 and IPv6 address."""
    if not interface:
        return f"0.0.0.0:{port},[::]:{port}"
    try:
        address = ipaddress.ip_address(interface)
    except ValueError:
        return f"{interface}:{port}"  # a device
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def rate(bytes_a_second: int) -> int:
    """A speed where negative is "no limit", as libtorrent writes it.  0 would be no limit there, so the
    slowest is 1.
    """
    return UNLIMITED if bytes_a_second < 0 else max(1, bytes_a_second)
