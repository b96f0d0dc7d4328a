"""Programs that stream while they download, each as a user has it: `add` a .torrent, then read from its URL.

A viewer is a context manager; what runs beforehand (a daemon) starts before the clock does.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.bench.contenders import Htdl
from tests.ports import free_port
from tests.waiting import until

LIMIT_SECONDS = 60.0
NPM_FOLDER = Path(os.environ.get("NPM_BIN", "/tmp/lab/npm/node_modules/.bin"))


class Viewer(Protocol):
    name: str
    url: str  # of its one file, once that was read from; empty where there is no HTTP

    def __init__(self, folder: Path) -> None:
        """`folder` is for what it downloads."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def add(self, torrent: Path, first: range) -> None:
        """Begin; the bytes `first` are read next."""

    def read(self, part: range) -> bytes:
        """These bytes of its one file, as soon as they are here."""


class Bare:
    """A libtorrent session that fetches the pieces asked for and nothing else: the limit of the swarm.

    What htdl may not do: a session that wants nothing more is hung up by its seeds, so these must not.
    """

    name = "bare"
    url = ""
    _CODE = """
import sys, libtorrent as lt
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
    "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True, "ssrf_mitigation": False, "tick_interval": 20,
    "close_redundant_connections": False, "request_queue_time": 1, "webtorrent_stun_server": "",
    "alert_mask": lt.alert_category.status | lt.alert_category.piece_progress | lt.alert_category.storage})
print("ready", flush=True)
handle, came = None, set()
for line in sys.stdin:
    torrent, start, stop = line.rstrip("\\n").split("\\t")
    params = lt.load_torrent_file(torrent)
    length, count = params.ti.piece_length(), params.ti.num_pieces()
    wanted = set(range(int(start) // length, (int(stop) - 1) // length + 1)) - came
    priorities = [7 if piece in wanted else 0 for piece in range(count)]
    if handle is None:
        params.save_path, params.piece_priorities = sys.argv[1], priorities
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handle = session.add_torrent(params)
    else:
        handle.prioritize_pieces(priorities)
    for piece in wanted:
        handle.set_piece_deadline(piece, 0, 0)
    while not wanted <= came:
        session.wait_for_alert(1000)
        came |= {x.piece_index for x in session.pop_alerts() if isinstance(x, lt.piece_finished_alert)}
    handle.flush_cache()
    while not any(isinstance(x, lt.cache_flushed_alert) for x in session.pop_alerts()):
        session.wait_for_alert(1000)
    print("here", flush=True)
"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", self._CODE, str(self._folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def add(self, torrent: Path, first: range) -> None:
        self._torrent = torrent
        self._ask(first)
        self._asked = first

    def read(self, part: range) -> bytes:
        if part != self._asked:
            self._ask(part)
        self._asked = range(0)
        self._answer()
        with (self._folder / self._torrent.stem).open("rb") as file:
            file.seek(part.start)
            return file.read(len(part))

    def _ask(self, part: range) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{self._torrent}\t{part.start}\t{part.stop}\n")
        self._process.stdin.flush()

    def _answer(self) -> None:
        assert self._process.stdout
        if not self._process.stdout.readline():
            raise RuntimeError("the bare session ended")


class Peerflix:
    """Started for each torrent, as its users do.  Without DHT: nothing here leaves loopback."""

    name = "peerflix"
    path = NPM_FOLDER / "peerflix"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def add(self, torrent: Path, first: range) -> None:
        options = ["--quiet", "--no-quit", "--no-dht", "--hostname", "127.0.0.1", "--port", str(self._port)]
        options += ["--path", str(self._folder), "--peer-port", str(free_port())]
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [self.path, str(torrent), *options], stdin=nowhere, stdout=nowhere, stderr=nowhere
        )

    def read(self, part: range) -> bytes:
        return until(lambda: self._try(part), LIMIT_SECONDS)

    def _try(self, part: range) -> bytes:
        try:
            return fetch(self.url, part)
        except ConnectionRefusedError:  # it does not listen yet
            return b""


class HtdlViewer(Htdl):
    """The command line, then HTTP; the daemon is there."""

    url = ""

    def add(self, torrent: Path, first: range | None = None) -> None:
        super().add(torrent)
        self.added = time.perf_counter()

    def read(self, part: range) -> bytes:
        if not self.url:
            self.url = self.script.run("url", self.job).strip()
            self.named = time.perf_counter()
        return fetch(self.url, part)


class Connection:
    """One GET from an offset to the end or to `stop`, read as far as the caller likes."""

    def __init__(self, url: str, start: int, stop: int | None = None) -> None:
        target = urllib.parse.urlsplit(url)
        assert target.hostname
        self._http = http.client.HTTPConnection(target.hostname, target.port, timeout=LIMIT_SECONDS)
        last = "" if stop is None else stop - 1
        self._http.request("GET", target.path, headers={"Range": f"bytes={start}-{last}"})
        self._answer = self._http.getresponse()
        said = self._answer.getheader("Content-Range", "")
        if self._answer.status != http.HTTPStatus.PARTIAL_CONTENT or not said.startswith(f"bytes {start}-"):
            raise RuntimeError(f"asked for bytes from {start}: {self._answer.status} {said}")

    def read(self, count: int) -> bytes:
        """Fewer only at the end."""
        return self._answer.read(count)

    def close(self) -> None:
        self._http.close()


def fetch(url: str, part: range) -> bytes:
    connection = Connection(url, part.start, part.stop)
    try:
        return connection.read(len(part))
    finally:
        connection.close()


def available() -> list[type[Viewer]]:
    """Those that this machine has; a missing one is named."""
    if shutil.which(Peerflix.path):
        return [Bare, Peerflix, HtdlViewer]
    print(f"peerflix is not installed at {Peerflix.path} and is left out")
    return [Bare, HtdlViewer]
