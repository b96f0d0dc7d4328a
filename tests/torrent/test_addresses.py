from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.torrent.addresses import BLOCKED, is_public

LOCAL = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "224.0.0.251",
    "255.255.255.255",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "223.255.255.255",
]


@pytest.mark.parametrize("address", LOCAL)
@pytest.mark.parametrize("form", ["{}", "::ffff:{}", "64:ff9b::{}", "::{}", "::ffff:0:{}"])
def test_a_local_address_is_not_public_in_any_form(address: str, form: str) -> None:
    assert not is_public(form.format(address))


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("form", ["{}", "::ffff:{}", "64:ff9b::{}"])
def test_a_public_address_is_public_also_where_ipv6_carries_it(address: str, form: str) -> None:
    assert is_public(form.format(address))


@given(st.ip_addresses(v=4))
def test_6to4_is_judged_by_the_address_it_wraps(address: ipaddress.IPv4Address) -> None:
    wrapped = ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)
    assert wrapped.sixtofour == address
    assert is_public(wrapped) == is_public(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001::1"],
)
def test_local_and_multicast_ipv6_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888"])
def test_global_ipv6_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    # The library lets a few parts of the first pass.  The second, 6to4, Python 3.13 calls private as a whole,
    # where earlier ones, as we, judge by the IPv4 address inside.
    exceptions = [ipaddress.ip_network(text) for text in ("2001::/23", "2002::/16")]
    if address.is_private or address.is_loopback or address.is_multicast or address.is_link_local:
        is_excepted = any(address.version == 6 and address in network for network in exceptions)
        assert not is_public(address) or is_excepted


def test_a_host_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="localhost"):
        is_public("localhost")


def test_the_ranges_can_be_given_to_a_filter_one_by_one() -> None:
    assert len(set(BLOCKED)) == len(BLOCKED)
    assert {network.version for network in BLOCKED} == {4, 6}
