"""A finished file over HTTP: how fast on one connection, and what it costs the server.

Beside htdl, in turn: a loop around sendfile(2) that does nothing else, which is the limit, and nginx where it
is installed.  The client reads into one buffer and looks at nothing; one transfer of each is compared first.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import place
from tests.bench.contenders import Htdl
from tests.bench.report import Report, Row, median, ratio
from tests.bench.seeder import Seeders
from tests.ports import free_port
from tests.processes import cpu_seconds
from tests.waiting import until

PIECE = 1 << 20
GB = 1e9
TRANSFERS = 5  # a run: the system counts CPU time in hundredths of a second
LEAST_SECONDS_A_GB = 1.0
MOST_TIMES_SENDFILE = 1.3

_SENDFILE = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
file = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(file).st_size
while True:
    client, _ = server.accept()
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % size)
    offset = 0
    while offset < size:
        offset += os.sendfile(client.fileno(), file, offset, size - offset)
    client.close()
"""

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; tcp_nopush on;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True)
class Served:
    name: str
    pid: int
    url: str


@dataclass(frozen=True)
class Cost:
    seconds: float  # a GB
    cpu: float  # seconds of the server's time a GB


def measure(options: argparse.Namespace) -> Report:
    size = options.mib << 20
    costs: dict[str, list[Cost]] = {}
    with place.memory() as folder, contextlib.ExitStack() as stack:
        original = folder / "seed" / "video.mkv"
        place.fill(original, size)
        htdl = stack.enter_context(Htdl(folder / "htdl"))
        with Seeders(original, PIECE) as seeded:
            htdl.add(seeded.torrent)
            until(htdl.is_done, 120)
        file = htdl.file("video.mkv")  # the same for all: how its pages lie in memory tells in the cost
        served = [
            Served("htdl", htdl.pid, htdl.script.run("url", htdl.job).strip()),
            stack.enter_context(_bare(file)),
            *([stack.enter_context(_nginx(file, folder))] if shutil.which("nginx") else []),
        ]
        for one in served:
            _compare(one, original)
        for _ in range(options.runs):
            for one in served:
                costs.setdefault(one.name, []).append(_cost(one, size))
    raw = {name: [vars(x) for x in several] for name, several in costs.items()}
    return Report(title=f"serve: {size >> 20} MiB, {options.runs} runs", rows=_rows(costs), raw=raw)


def _rows(costs: dict[str, list[Cost]]) -> list[Row]:
    bare = median(x.cpu for x in costs["sendfile"])
    rows = []
    for name, several in costs.items():
        is_ours = name == "htdl"
        seconds, cpu = median(x.seconds for x in several), median(x.cpu for x in several)
        speed = f"{1 / seconds:.2f} GB/s" if seconds else ""
        target = LEAST_SECONDS_A_GB if is_ours else None
        rows.append(Row(name=f"{name}: a GB", value=seconds, unit="s", target=target, note=speed))
        rows.append(Row(name=f"{name}: CPU a GB", value=cpu, unit="s"))
        target = MOST_TIMES_SENDFILE if is_ours else None
        rows.append(Row(name=f"{name}: CPU to sendfile's", value=ratio(cpu, bare), unit="x", target=target))
    return rows


def _cost(one: Served, size: int) -> Cost:
    bytes_sent = size * TRANSFERS
    cpu, start = cpu_seconds(one.pid), time.perf_counter()
    for _ in range(TRANSFERS):
        if _fetch(one.url) < size:
            raise RuntimeError(f"{one.name} sent too little")
    seconds = time.perf_counter() - start
    return Cost(seconds * GB / bytes_sent, (cpu_seconds(one.pid) - cpu) * GB / bytes_sent)


def _compare(one: Served, original: Path) -> None:
    found = hashlib.sha256()
    head = b""
    with _asked(one.url) as sock:
        while b"\r\n\r\n" not in head:
            head += sock.recv(1 << 16)
        found.update(head.partition(b"\r\n\r\n")[2])
        while body := sock.recv(1 << 20):
            found.update(body)
    if found.hexdigest() != place.sha256(original):
        raise RuntimeError(f"{one.name} sent other bytes")


def _fetch(url: str) -> int:
    """How many bytes came, the head's included."""
    buffer = memoryview(bytearray(1 << 20))
    total = 0
    with _asked(url) as sock:
        while count := sock.recv_into(buffer):
            total += count
    return total


def _asked(url: str) -> socket.socket:
    parts = urllib.parse.urlsplit(url)
    sock = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60)
    sock.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
    return sock


@contextlib.contextmanager
def _bare(file: Path) -> Iterator[Served]:
    with _running([sys.executable, "-c", _SENDFILE, str(file)]) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        yield Served("sendfile", process.pid, f"http://127.0.0.1:{port}/")


@contextlib.contextmanager
def _nginx(file: Path, folder: Path) -> Iterator[Served]:
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, root=file.parent))
    with _running(["nginx", "-c", str(config), "-e", str(folder / "error"), "-p", str(folder)]) as process:
        until(lambda: _answers(port))
        yield Served("nginx", process.pid, f"http://127.0.0.1:{port}/{file.name}")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
