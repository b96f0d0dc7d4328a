"""What strangers name on the local network is not reached, whoever names it and how."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torrent.reaching import FREE, LOCAL, NAMED, PUBLIC, SHUT

UNSHARE = ["unshare", "--map-root-user", "--net", "--mount"]
NETWORK = """
set -e
ip link set lo up
for address in {addresses}; do ip addr add $address/32 dev lo; done
mount --bind {hosts} /etc/hosts
exec "$@"
"""


def can_unshare() -> bool:
    """A network of one's own, which some containers do not give."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no network namespace may be made here")
def test_nothing_reaches_the_local_network(tmp_path: Path) -> None:
    """By trackers (http, udp, redirects, names, odd spellings), web seeds, DHT nodes and values, PEX,
    holepunching and resume data; an engine with allow_lan beside it reaches every one of them.
    """
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n10.1.1.1 {NAMED}\n127.0.0.1 {NAMED}\n")
    addresses = " ".join((PUBLIC, SHUT, FREE, *(x for x in LOCAL if not x.startswith("127."))))
    script = NETWORK.format(addresses=addresses, hosts=hosts)
    command = [sys.executable, "-m", "tests.torrent.reaching", str(tmp_path)]
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script, "sh", *command], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["reached"] == []
    assert {"pex", "GET /announce", "GET /to/0/announce"} <= set(said["told"])
