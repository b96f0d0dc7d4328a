"""Seed one file or folder on loopback: `python -m htdl.torrent.seeder PATH [BYTES_A_SECOND]`.

The other side of `htdl demo`.  Prints the magnet, which names this seeder as its only peer (BEP 9, x.pe), and
ends when its standard input does, so that it cannot outlive who started it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from htdl.torrent._lt import lt
from htdl.torrent.session import limit_everyone
from htdl.torrent.settings import rate

PIECE_LENGTH = 128 << 10


def seed(path: Path, bytes_a_second: int) -> tuple[lt.session, str]:
    """The session that seeds it, which must be kept, and the magnet."""
    builder = lt.create_torrent(lt.list_files(str(path)), PIECE_LENGTH, lt.create_torrent.v1_only)
    lt.set_piece_hashes(builder, str(path.parent))
    params = lt.load_torrent_buffer(lt.bencode(builder.generate()))
    session = lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "webtorrent_stun_server": "",
            "stop_tracker_timeout": 0,
            "upload_rate_limit": rate(bytes_a_second),
            "tick_interval": 20,  # else a limited seeder takes a second to shake hands
        }
    )
    limit_everyone(session)
    magnet = f"{lt.make_magnet_uri(params)}&x.pe=127.0.0.1:{session.listen_port()}"
    params.save_path = str(path.parent)
    params.flags |= lt.torrent_flags.seed_mode
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    session.add_torrent(params)
    return session, magnet


def main(arguments: list[str]) -> None:
    session, magnet = seed(Path(arguments[0]).absolute(), int(arguments[1]) if arguments[1:] else -1)
    print(magnet, flush=True)  # noqa: T201 - its caller reads it
    sys.stdin.read()
    del session


if __name__ == "__main__":
    main(sys.argv[1:])
