"""The session's settings, from the configuration."""

from __future__ import annotations

from pathlib import Path

import libtorrent as lt
import pytest

from htdl.config import Torrent
from htdl.torrent import settings


def config(**more: object) -> Torrent:
    return Torrent(download_path=Path("/d"), **more)  # type: ignore[arg-type]


def test_libtorrent_knows_every_name_and_type() -> None:
    known = lt.default_settings()
    made = settings.session_settings(config())
    assert {name for name in made if name not in known} <= {"outgoing_interfaces"}
    assert all(type(value) is type(known[name]) for name, value in made.items() if name in known)


@pytest.mark.parametrize(
    ("interface", "listen"),
    [
        ("", "0.0.0.0:6881,[::]:6881"),
        ("127.0.0.1", "127.0.0.1:6881"),
        ("::1", "[::1]:6881"),
        ("tun0", "tun0:6881"),
    ],
)
def test_where_it_listens(interface: str, listen: str) -> None:
    assert settings.listen_interfaces(interface, 6881) == listen


@pytest.mark.parametrize(("speed", "rate"), [(-1, 0), (0, 1), (1, 1), (5000, 5000), (-1024, 0)])
def test_no_limit_and_a_limit_of_nothing_differ(speed: int, rate: int) -> None:
    assert settings.rate(speed) == rate


def test_speeds_are_in_units_of_1024_bytes() -> None:
    made = settings.session_settings(config(max_download_speed=500, max_upload_speed=-1))
    assert (made["download_rate_limit"], made["upload_rate_limit"]) == (500 * 1024, 0)


def test_the_local_network_is_guarded_unless_it_is_allowed() -> None:
    assert settings.session_settings(config())["ssrf_mitigation"] is True
    assert settings.session_settings(config(allow_lan=True))["ssrf_mitigation"] is False


def test_every_port_of_the_range_is_tried() -> None:
    made = settings.session_settings(config(port_range_start=7000, port_range_end=7004))
    assert made["max_retry_port_bind"] == 4
