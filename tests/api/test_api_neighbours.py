"""The feed of a conversion, whose address every user of the machine can read in `ps`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from htdl.api.neighbours import is_ours
from tests.api.playing import FILM, Playing

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: 0100007F:C001 0100007F:1F93 01 00000000:00000000 00:00000000 00000000 {uid:5} 0 1 1\n"
CLIENT, SERVER = ("127.0.0.1", 0xC001), ("127.0.0.1", 8083)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no table of connections")


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is written by a little-endian machine")
@pytest.mark.parametrize(
    ("client", "uid", "answer"),
    [
        (CLIENT, os.geteuid(), True),
        (CLIENT, os.geteuid() + 1, False),
        (("127.0.0.1", 1), os.geteuid(), False),  # as of a client by IPv6, which has another table
        (("127.0.0.2", 0xC001), os.geteuid(), False),
    ],
)
def test_the_table_tells_whose_it_is(tmp_path: Path, client: tuple[str, int], uid: int, answer: bool) -> None:
    table = tmp_path / "tcp"
    table.write_text(HEAD + ROW.format(uid=uid))
    assert is_ours(client, SERVER, table) == answer


def test_without_a_table_the_token_must_do(tmp_path: Path) -> None:
    assert is_ours(CLIENT, SERVER, tmp_path / "none")


def feed(playing: Playing) -> str:
    links = playing.world.service.links
    return f"/feed/{playing.job_id}/{links.token(playing.job_id, links.FEED)}/{FILM}/film.mkv"


def test_the_address_of_a_feed_opens_nothing_else(whole: Playing) -> None:
    assert whole.get(feed(whole), Range="bytes=0-9").status == 206
    for kind in ("stream", "video", "watch", "hls"):
        assert whole.get(feed(whole).replace("/feed/", f"/{kind}/")).status == 404
    assert whole.get(whole.target().replace("/stream/", "/feed/")).status == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_feed_is_not_for_another_user(whole: Playing) -> None:
    asked = f"GET {feed(whole)} HTTP/1.0\r\nHost: 127.0.0.1:{whole.port}\r\n\r\n"
    script = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(); "
        "s.connect((b'127.0.0.1', int(sys.argv[1]))); "
        "s.sendall(sys.argv[2].encode()); sys.stdout.buffer.write(s.recv(100))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(whole.port), asked], capture_output=True, timeout=60, cwd="/"
    )
    assert told.stdout.startswith(b"HTTP/1.0 404"), told
