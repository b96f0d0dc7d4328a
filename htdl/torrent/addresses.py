"""Which addresses the public internet has, and which a stranger's torrent must not reach.

`BLOCKED` is the one source of it: the session's ip_filter takes the ranges, a fetched URL and a magnet's
peers are asked by `is_public`.  From the IANA special-purpose registries (RFC 6890 and its updates) and the
multicast ranges.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a carrier's customers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, retired
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_V6 = tuple(
    IPv6Network(text)
    for text in (
        "::/96",  # unspecified, loopback, and the retired IPv4-compatible form
        "64:ff9b:1::/48",  # NAT64 inside one network: any IPv4 address may stand in it
        "100::/64",  # discarded
        "2001::/23",  # protocol assignments; Teredo, which wraps any IPv4 address, is one
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, retired
        "ff00::/8",  # multicast
    )
)
# IPv6 forms that carry an IPv4 address, and the bit it starts at.  Only the carried address decides: a host
# of the public internet looks like 64:ff9b::8.8.8.8 to a network that has IPv6 alone.
_CARRIERS = (
    (IPv6Address("::ffff:0:0"), 96),  # IPv4-mapped
    (IPv6Address("::ffff:0:0:0"), 96),  # IPv4-translated (SIIT)
    (IPv6Address("64:ff9b::"), 96),  # NAT64
    (IPv6Address("2002::"), 16),  # 6to4
)


def _carried(network: IPv4Network, carrier: IPv6Address, offset: int) -> IPv6Network:
    bits = int(network.network_address) << (128 - offset - 32)
    return IPv6Network((int(carrier) | bits, offset + network.prefixlen))


BLOCKED: tuple[IPv4Network | IPv6Network, ...] = (
    *_V4,
    *_V6,
    *(_carried(network, carrier, offset) for carrier, offset in _CARRIERS for network in _V4),
)


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether the address lies outside every blocked range.  Raises ValueError for a text that is no address
    (a host name is none).
    """
    parsed = ip_address(address) if isinstance(address, str) else address
    return not any(parsed in network for network in BLOCKED)
