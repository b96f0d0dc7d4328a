"""Seeders in a process of their own, and the tracker that names them: what is measured pays for neither.

`python -m tests.bench.seeder FILE PIECE_LENGTH SETTINGS RATE...` seeds FILE once a RATE (bytes a second, 0
for no limit), with these libtorrent settings (JSON) over its own, prints a line of JSON when it does, and
ends with its standard input.
"""

from __future__ import annotations

import http.server
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.bench import place


@dataclass(frozen=True)
class Seeded:
    """`torrent` and `magnet` find the same `ports`: one by its tracker, the other as x.pe (BEP 9)."""

    torrent: Path
    magnet: str
    ports: tuple[int, ...]


class Seeders:
    """A context manager around the process."""

    def __init__(
        self,
        file: Path,
        piece_length: int,
        rates: Sequence[int] = (0,),
        settings: Mapping[str, int | bool] | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "tests.bench.seeder", str(file), str(piece_length)]
        self._command += [json.dumps(settings or {}), *(str(rate) for rate in rates)]

    def __enter__(self) -> Seeded:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        told = json.loads(self._process.stdout.readline())
        return Seeded(Path(told["torrent"]), told["magnet"], tuple(told["ports"]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)


class Tracker(http.server.BaseHTTPRequestHandler):
    """Answers everyone with all `ports` (BEP 23); whoever finds itself among them hangs up again."""

    ports: tuple[int, ...] = ()

    def do_GET(self) -> None:
        peers = b"".join(socket.inet_aton(place.ADDRESS) + struct.pack("!H", port) for port in self.ports)
        body = b"d8:intervali60e12:min intervali1e5:peers%d:%se" % (len(peers), peers)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


def main(file: Path, piece_length: int, settings: Mapping[str, int | bool], rates: Sequence[int]) -> None:
    import libtorrent as lt

    from tests.swarm import make_torrent, quiet_session

    tracker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
    url = f"http://127.0.0.1:{tracker.server_port}/announce"
    metainfo = make_torrent(file.parent, file.name, piece_length, lt.create_torrent.v1_only, (url,))
    params = lt.load_torrent_buffer(metainfo)
    sessions, handles = [], []
    for rate in rates:
        own = {
            "upload_rate_limit": rate,
            "unchoke_slots_limit": 100,
            "send_buffer_watermark": 4 << 20,
            "rate_limit_ip_overhead": False,
            "listen_interfaces": f"{place.ADDRESS}:0",
        }
        session = quiet_session(**{**own, **settings})
        mine = lt.add_torrent_params()
        mine.ti, mine.save_path, mine.flags = params.ti, str(file.parent), lt.torrent_flags.seed_mode
        sessions.append(session)
        handles.append(session.add_torrent(mine))
    Tracker.ports = tuple(session.listen_port() for session in sessions)
    threading.Thread(target=tracker.serve_forever, daemon=True).start()
    torrent = file.with_name(file.name + ".torrent")
    torrent.write_bytes(metainfo)
    magnet = lt.make_magnet_uri(lt.load_torrent_buffer(metainfo)).split("&tr=")[0]
    magnet += "".join(f"&x.pe={place.ADDRESS}:{port}" for port in Tracker.ports)
    print(json.dumps({"torrent": str(torrent), "magnet": magnet, "ports": Tracker.ports}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), [int(rate) for rate in sys.argv[4:]])
