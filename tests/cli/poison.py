"""A daemon that puts what no terminal should be given into every text it sends.

It stands before a real one, whose answers it hands on: so each has the shape that it has today.
"""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any

EVIL = "\x1b]0;p\x07\x1b[2J\x1b[31mX\x9b31m\x85\u202eab\u2066cd\u200f\u2028\n\r\x08\x7f\x00\ud800[red]"
_WORDS = {"id", "status", "wish", "blocked_by", "event", "instance", "level", "version", "source"}
_OFTEN_NULL = {"detail", "error_message", "error_code", "file_path", "note", "hint", "output", "stream_url"}


def poisoned(value: Any, key: str = "") -> Any:
    """The same JSON; a text that a program chooses by, and one that must stay a number's, is left."""
    if isinstance(value, dict):
        return {name: poisoned(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, key) for one in value]
    if value is None and key in _OFTEN_NULL:
        return EVIL
    return value + EVIL if isinstance(value, str) and key not in _WORDS else value


class Poisoner:
    """A context manager that listens at `path` and asks the daemon at `target`."""

    def __init__(self, path: Path, target: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection("htdl", timeout=60)
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.connect(str(target))
                with connection.sock:
                    connection.request(self.command, self.path, body, {"Connection": "close"})
                    self._hand_on(connection.getresponse())
                self.close_connection = True

            def _hand_on(self, answer: http.client.HTTPResponse) -> None:
                self.send_response(answer.status)
                for name in ("Htdl-Version", "Htdl-Existing", "Htdl-Total"):
                    if value := answer.headers.get(name):
                        self.send_header(name, value)
                self.end_headers()
                is_stream = self.path.split("?")[0].endswith("/events")
                data = answer.readline() if is_stream else answer.read()  # the state now, and then its end
                self.wfile.write(json.dumps(poisoned(json.loads(data))).encode() + b"\n")

            def address_string(self) -> str:
                return "a Unix socket"

            def log_message(self, *args: object) -> None:
                pass

        for method in ("GET", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.do)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 50

        self._server = Server(str(path), Handler)

    def __enter__(self) -> Poisoner:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
