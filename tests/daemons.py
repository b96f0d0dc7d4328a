"""A real daemon process with folders, socket and port of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htdl.client import Client
from htdl.errors import NoDaemon
from tests.ports import free_port
from tests.waiting import until


class Daemon:
    """`home` holds everything but the socket, whose path must be short."""

    def __init__(self, home: Path, sections: dict[str, dict[str, Any]] | None = None) -> None:
        self.home = home
        self.downloads = home / "downloads"
        self.state = home / "state"
        self.config = home / "config" / "config.toml"
        self.logfile = home / "log"
        self._short = tempfile.TemporaryDirectory(prefix="htdl-")
        self.socket = Path(self._short.name) / "run" / "s"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HTDL_SOCKET": str(self.socket),
            "HTDL_CONFIG": str(self.config),
            "HTDL_STATE_DIR": str(self.state),
            "PYTHONPATH": os.pathsep.join(x for x in sys.path if x),
            "PYTHONWARNINGS": "error",
            "PYTHONUNBUFFERED": "1",
        }
        self.command = [sys.executable, "-m", "htdl"]
        self.client = Client(self.socket)
        home.mkdir(parents=True, exist_ok=True)
        self.configure(sections or {})

    def configure(self, sections: dict[str, dict[str, Any]]) -> None:
        """Write the configuration: loopback only, and what the test asks for over it."""
        tables: dict[str, dict[str, Any]] = {
            "storage": {
                "base_path": str(self.home / "videos"),
                "temp_path": str(self.home / "temp"),
                "subtitle_path": str(self.home / "subtitles"),
                "min_free": "1MiB",
            },
            "torrent": {
                "download_path": str(self.downloads),
                "dht_enabled": False,
                "lsd_enabled": False,
                "upnp_enabled": False,
                "listen_interface": "127.0.0.1",
                "allow_lan": True,
                "port_range_start": self.port,
                "port_range_end": self.port,
                "max_upload_speed": -1,
            },
            "stream": {"port": 0},
            "conversion": {"enabled": False},  # most videos of the tests are random bytes
            "log": {"level": "debug"},
        }
        for section, values in sections.items():
            tables.setdefault(section, {}).update(values)
        lines = []
        for section, values in tables.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.parent.mkdir(parents=True, exist_ok=True)
        whole = self.config.with_name("whole")
        whole.write_text("\n".join(lines) + "\n")
        whole.replace(self.config.resolve())  # a daemon that watches it must not read half of it

    def start(self) -> None:
        self.launch()
        until(self.answers, what="the daemon answers; its log:\n" + self.log())

    def launch(self) -> None:
        """Start the process, and wait for nothing."""
        log = self.logfile.open("ab")
        self.process = subprocess.Popen(
            [*self.command, "daemon", "run"],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def answers(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")
        try:
            self.client.health()
        except NoDaemon:
            return False
        return True

    def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of what stands at a path of its socket, as any program sees it."""
        connection = http.client.HTTPConnection("htdl")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(str(self.socket))
            connection.sock = sock
            connection.request("GET", path)
            with connection.getresponse() as answer:
                return answer.status, answer.headers, answer.read()

    def kill(self) -> None:
        """kill -9"""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, timeout: float = 30.0) -> int:
        """SIGTERM; the exit status."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def restart(self) -> None:
        self.kill()
        self.start()

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)
        self._short.cleanup()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def log(self) -> str:
        return self.logfile.read_text(errors="replace") if self.logfile.exists() else ""

    def htdl(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The real command line against this daemon."""
        return subprocess.run(
            [*self.command, *args],
            env=self.env | options.pop("env", {}),
            stdin=options.pop("stdin", subprocess.DEVNULL),
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 60),
            **options,
        )
