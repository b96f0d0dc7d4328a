"""A tiny HTTP tracker (BEP 3, BEP 23: compact peers) that remembers who asked for what."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from tests.torrents import bencode


@dataclass(frozen=True)
class Announce:
    info_hash: str  # hex
    event: str  # started, completed, stopped, or empty
    port: int
    left: int


class Tracker:
    """A context manager.  `peers` are told to everyone; `hangs_on` names events that never get an answer."""

    def __init__(self, peers: tuple[tuple[str, int], ...] = (), *, hangs_on: tuple[str, ...] = ()) -> None:
        self.peers = peers
        self.announces: list[Announce] = []
        self._hangs_on = hangs_on
        self._closing = threading.Event()
        tracker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tracker._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/announce"

    def __enter__(self) -> Tracker:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def events(self) -> list[str]:
        return [announce.event for announce in self.announces]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = parse_qs(urlsplit(request.path).query, encoding="latin-1")
        event = asked.get("event", [""])[0]
        self.announces.append(
            Announce(
                asked["info_hash"][0].encode("latin-1").hex(),
                event,
                int(asked["port"][0]),
                int(asked["left"][0]),
            )
        )
        if event in self._hangs_on:
            self._closing.wait()
            return
        body = bencode({"interval": 1800, "peers": b"".join(map(_compact, self.peers))})
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _compact(peer: tuple[str, int]) -> bytes:
    return socket.inet_aton(peer[0]) + peer[1].to_bytes(2, "big")
