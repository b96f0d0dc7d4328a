"""Programs that download, each as a user has it running: `add` a .torrent, then ask whether it is done.

Every one is a context manager that starts its process before the clock runs, and ends it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from htdl.jobs import State
from tests.bench import place
from tests.bench.console import Script
from tests.daemons import Daemon
from tests.ports import free_port
from tests.waiting import until

_SESSION = "X-Transmission-Session-Id"


class Contender(Protocol):
    name: str
    pid: int

    def __init__(self, folder: Path) -> None:
        """`folder` is for what it downloads."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def add(self, torrent: Path) -> None:
        """Returns as soon as the program has taken it."""

    def is_done(self) -> bool:
        """Whether the program itself says that all is here and verified."""

    def file(self, name: str) -> Path:
        """Where the file called `name` comes to be."""


class _Process:
    """A child that ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.process = self.start()
        self.pid = self.process.pid
        self.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def start(self) -> subprocess.Popen[str]:
        raise NotImplementedError

    def wait(self) -> None:
        """Until it takes torrents."""

    def file(self, name: str) -> Path:
        return self.folder / name


class Raw(_Process):
    """A bare libtorrent session, TCP only: the limit of all that is built on it."""

    name = "raw"
    _CODE = """
import sys, libtorrent as lt
session = lt.session({"listen_interfaces": sys.argv[2] + ":0", "enable_dht": False, "enable_lsd": False,
    "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True, "ssrf_mitigation": False,
    "alert_mask": lt.alert_category.status})
print("ready", flush=True)
params = lt.load_torrent_file(sys.stdin.readline().strip())
params.save_path = sys.argv[1]
handle = session.add_torrent(params)
while not any(isinstance(x, lt.torrent_finished_alert) for x in session.pop_alerts()):
    session.wait_for_alert(1000)
print("finished", flush=True)
sys.stdin.read()
"""

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", self._CODE, str(self.folder), place.ADDRESS]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait(self) -> None:
        assert self.process.stdout
        self.process.stdout.readline()
        os.set_blocking(self.process.stdout.fileno(), False)

    def add(self, torrent: Path) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{torrent}\n")
        self.process.stdin.flush()

    def is_done(self) -> bool:
        assert self.process.stdout
        return self.process.stdout.readline() == "finished\n"


class Aria2(_Process):
    name = "aria2"

    def start(self) -> subprocess.Popen[str]:
        self._rpc_port = free_port()
        options = {
            "enable-rpc": "true",
            "rpc-listen-port": self._rpc_port,
            "listen-port": free_port(),
            "dir": self.folder,
            "enable-dht": "false",
            "enable-dht6": "false",
            "bt-enable-lpd": "false",
            "file-allocation": "none",
            "seed-time": 0,
            "no-conf": "true",
            "quiet": "true",
        }
        command = ["aria2c", *(f"--{key}={value}" for key, value in options.items())]
        return subprocess.Popen(command, text=True)

    def wait(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self._ask("aria2.getVersion"))
        except OSError:
            return False

    def add(self, torrent: Path) -> None:
        self._id = self._ask("aria2.addTorrent", base64.b64encode(torrent.read_bytes()).decode())

    def is_done(self) -> bool:
        return bool(self._ask("aria2.tellStatus", self._id, ["status"])["status"] == "complete")

    def _ask(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._rpc_port}/jsonrpc", body) as answer:
            return json.load(answer)["result"]


class Transmission(_Process):
    """It connects to no peer on 127.0.0.1, so that all must have another address of this machine:

    sudo unshare --net sh -c 'ip link set lo up; ip address add 10.9.0.1/32 dev lo;
        BENCH_ADDRESS=10.9.0.1 .venv/bin/python -m tests.bench download'
    """

    name = "transmission"

    def start(self) -> subprocess.Popen[str]:
        self._rpc_port = free_port()
        self._session = ""
        self._home = tempfile.TemporaryDirectory(prefix="htdl-bench-")
        settings = {
            "download-dir": str(self.folder),
            "rpc-port": self._rpc_port,
            "rpc-bind-address": "127.0.0.1",
            "peer-port": free_port(),
            "bind-address-ipv4": place.ADDRESS,
            "dht-enabled": False,
            "lpd-enabled": False,
            "port-forwarding-enabled": False,
            "utp-enabled": False,
            "preallocation": 0,
            "message-level": 0,
        }
        Path(self._home.name, "settings.json").write_text(json.dumps(settings))
        command = ["transmission-daemon", "--foreground", "--config-dir", self._home.name]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._home.cleanup()

    def wait(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self._ask("session-get"))
        except OSError:
            return False

    def add(self, torrent: Path) -> None:
        self._ask("torrent-add", metainfo=base64.b64encode(torrent.read_bytes()).decode())

    def is_done(self) -> bool:
        (told,) = self._ask("torrent-get", fields=["percentDone", "leftUntilDone"])["torrents"]
        return bool(told["percentDone"] == 1 and not told["leftUntilDone"])

    def _ask(self, method: str, **arguments: object) -> Any:
        """The first answer is 409 with the session's id, which every other question must name."""
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        url, headers = f"http://127.0.0.1:{self._rpc_port}/transmission/rpc", {_SESSION: self._session}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
                return json.load(answer)["arguments"]
        except urllib.error.HTTPError as exc:
            with exc:
                if exc.code != 409:
                    raise
                self._session = exc.headers[_SESSION]
        return self._ask(method, **arguments)


class Htdl:
    """Its state lies on a disk, as a user's does; only what it downloads lies in `folder`."""

    name = "htdl"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            home = stack.enter_context(place.disk())
            torrent = {"download_path": str(self.folder), "listen_interface": place.ADDRESS}
            self.daemon = Daemon(home, {"torrent": torrent, "log": {"level": "info"}})
            stack.callback(self.daemon.end)
            self.script = Script(home / "bin", self.daemon.env)
            self.daemon.start()
            assert self.daemon.process
            self.pid = self.daemon.process.pid
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, torrent: Path) -> None:
        self.job = self.script.run("add", "--quiet", "--video-id", "bench", str(torrent)).strip()

    def is_done(self) -> bool:
        return self.daemon.client.job(self.job).status is State.COMPLETED

    def file(self, name: str) -> Path:
        return self.folder / "bench" / name


def available() -> list[type[Contender]]:
    """Those that this machine has; a missing one is named."""
    found: list[type[Contender]] = [Raw]
    if shutil.which("aria2c"):
        found.append(Aria2)
    else:
        print("aria2c is not installed and is left out")
    if shutil.which("transmission-daemon") and place.ADDRESS != "127.0.0.1":
        found.append(Transmission)
    else:
        print("transmission-daemon is not installed, or may not be asked on 127.0.0.1, and is left out")
    return [*found, Htdl]
