"""A full disk stops nothing but the download that needs it, which goes on by itself when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from htdl.jobs import Blocked, State
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk of these tests")

Disk = Callable[..., Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """disk("name", megabytes) mounts a tmpfs of this size, or changes the size of the one there is."""
    mounted: list[Path] = []

    def mount(name: str, megabytes: float) -> Path:
        folder = tmp_path / name
        size = f"size={int(megabytes * 1024)}k"
        if folder in mounted:
            run("mount", "-o", f"remount,{size}", str(folder))
            return folder
        folder.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", f"{size},mode=0755", "none", str(folder))
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        run("umount", "--lazy", str(folder))


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")


def complete(daemon: Daemon, job_id: str, torrent: Torrent) -> bool:
    job = daemon.client.job(job_id)
    if job.status is not State.COMPLETED:
        return False
    assert job.file_path
    assert Path(job.file_path).read_bytes() == torrent.content("video.mkv")
    return True


def is_full(daemon: Daemon, job_id: str) -> bool:
    return daemon.client.job(job_id).blocked_by is Blocked.DISK_FULL


def test_what_does_not_fit_waits_and_goes_on_by_itself(
    make_daemon: Callable[..., Daemon], swarm: Swarm, disk: Disk
) -> None:
    room = disk("small", 4)
    daemon = make_daemon(torrent={"download_path": str(room)}, storage={"min_free": "100KiB"})
    large, small = swarm.seed({"video.mkv": 6_000_000}), swarm.seed({"video.mkv": 1_000_000})
    first = daemon.client.add(large.magnet)
    until(lambda: is_full(daemon, first.id))
    job = daemon.client.job(first.id)
    assert not job.has_ended
    assert "disk is full" in job.detail
    second = daemon.client.add(small.magnet)
    until(lambda: complete(daemon, second.id, small), what="a job that fits is not held up")
    assert "disk_full" in daemon.htdl("show", "--json", first.id).stdout
    disk("small", 16)
    until(lambda: complete(daemon, first.id, large), 60)


def test_a_disk_that_fills_up_in_the_middle(
    make_daemon: Callable[..., Daemon], swarm: Swarm, disk: Disk
) -> None:
    room = disk("small", 8)
    daemon = make_daemon(torrent={"download_path": str(room)}, storage={"min_free": "0"})
    torrent = swarm.seed({"video.mkv": 6_000_000}, rate=300_000)
    job = daemon.client.add(torrent.magnet)
    until(lambda: daemon.client.job(job.id).done_bytes > 500_000)
    other = room / "other"
    fill(other)
    until(lambda: is_full(daemon, job.id))
    assert daemon.client.job(job.id).status in {State.PENDING, State.DOWNLOADING}
    assert daemon.client.stats().disk_free_bytes < 1 << 20
    other.unlink()
    swarm.limit(0)
    until(lambda: complete(daemon, job.id, torrent), 60)


def test_a_disk_that_is_full_for_the_database(
    make_daemon: Callable[..., Daemon], swarm: Swarm, disk: Disk, tmp_path: Path
) -> None:
    state = disk("daemon/state", 2)
    daemon = make_daemon()
    torrent = swarm.seed({"video.mkv": 3_000_000}, rate=100_000)
    job = daemon.client.add(torrent.magnet)
    until(lambda: daemon.client.job(job.id).done_bytes > 0)
    other = state / "other"
    fill(other)
    refused = daemon.htdl("add", "magnet:?xt=urn:btih:" + "ab" * 20)
    assert refused.returncode == 6, refused
    assert "no room" in refused.stderr
    assert daemon.client.health().checks["engine"] == "ok"
    until(lambda: "no room" in daemon.log())
    other.unlink()
    swarm.limit(0)
    until(lambda: complete(daemon, job.id, torrent), 60)
    daemon.restart()
    assert complete(daemon, job.id, torrent)


def fill(path: Path) -> None:
    """Write until there is no room for a byte more."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
