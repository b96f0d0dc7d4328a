from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from htdl.core.admission import free_bytes
from htdl.jobs import Blocked, State
from tests.daemon.downloads import completed, flowing, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.torrents import make_info, make_torrent
from tests.waiting import until

Make = Callable[..., Daemon]
NO_ROOM = {"min_free": "1000TiB"}
ROOM = {"min_free": "1MiB"}


def test_without_room_it_waits_and_goes_on_by_itself(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(storage=NO_ROOM)
    torrent = swarm.seed({"video.mkv": 500_000})
    job = daemon.client.add(torrent.magnet)
    waits = once(daemon, job.id, lambda job: job.blocked_by is Blocked.DISK_FULL)
    assert waits.status is State.PENDING
    assert "disk is full" in waits.detail
    assert swarm.sent() == 0
    health = daemon.client.health()
    assert not health.ok
    assert "min_free" in health.checks["disk"]

    daemon.configure({"storage": ROOM})
    completed(daemon, torrent, job.id)
    until(lambda: daemon.client.health().ok, what=daemon.client.health)


def test_a_download_halts_when_the_room_is_gone(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(storage=ROOM)
    torrent = swarm.seed({"video.mkv": 2_000_000}, rate=50_000)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    daemon.configure({"storage": NO_ROOM})
    halted = once(daemon, job.id, lambda job: job.blocked_by is Blocked.DISK_FULL)
    assert halted.status is State.PENDING
    swarm.limit(0)
    daemon.configure({"storage": ROOM})
    completed(daemon, torrent, job.id)
    assert swarm.sent() < 2_000_000 * 1.2


def test_what_is_larger_than_the_disk_waits_and_smaller_ones_pass(
    make_daemon: Make, swarm: Swarm, tmp_path: Path
) -> None:
    daemon = make_daemon(storage={"min_free": free_bytes(tmp_path) - (1 << 30)})
    info = make_info(size=1 << 42, piece_length=1 << 25)  # 4 TiB, and about 1 GiB of room
    big = daemon.client.add(torrent=make_torrent(info))
    once(daemon, big.id, lambda job: job.blocked_by is Blocked.DISK_FULL)
    small = swarm.seed({"video.mkv": 200_000})
    completed(daemon, small, daemon.client.add(small.magnet).id)
