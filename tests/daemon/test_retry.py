from __future__ import annotations

from pathlib import Path

import pytest

from htdl.errors import Refused
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, in_state
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

SIZE = 8_000_000  # more than comes before it is released


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def test_a_cancelled_download_goes_on_where_it_was(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id, 400_000)
    daemon.client.cancel(job.id)
    in_state(daemon, job.id, State.CANCELLED)
    swarm.limit(0)
    assert daemon.htdl("retry", job.id).returncode == 0
    done = completed(daemon, torrent, job.id)
    assert done.attempts == 2
    assert swarm.sent() < SIZE + 300_000


def test_one_whose_data_were_deleted_begins_anew(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    gone = daemon.client.cancel(job.id, delete=True)
    assert (gone.status, gone.done_bytes, [x.progress for x in gone.files]) == (State.CANCELLED, 0, [0.0])
    swarm.limit(0)
    daemon.client.retry(job.id)
    completed(daemon, torrent, job.id)


def test_a_complete_one_whose_file_is_gone_is_fetched_again(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    daemon.client.cancel(job.id, delete=True)
    readiness = daemon.client.job(job.id).readiness
    assert readiness
    assert (readiness.ready, readiness.reason) == (False, "its files were removed")
    assert not daemon.client.is_ready_for_streaming(job.id)
    daemon.client.retry(job.id)
    completed(daemon, torrent, job.id)


def test_a_complete_one_whose_file_someone_deleted_is_fetched_again(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert job.file_path
    Path(job.file_path).unlink()
    daemon.client.retry(job.id)
    completed(daemon, torrent, job.id)


def test_a_complete_one_that_was_damaged_is_mended(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    sent = swarm.sent()
    with Path(str(job.file_path)).open("r+b") as file:
        file.seek(500_000)
        file.write(bytes(1000))
    daemon.client.retry(job.id)
    completed(daemon, torrent, job.id)
    assert swarm.sent() - sent < 300_000, "what is whole is not fetched again"


def test_a_file_that_is_deleted_under_its_download_is_noticed_at_the_end(
    daemon: Daemon, swarm: Swarm
) -> None:
    torrent = swarm.seed({"video.mkv": SIZE}, rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    Path(str(flowing(daemon, job.id, 400_000).file_path)).unlink()
    swarm.limit(0)
    completed(daemon, torrent, job.id)


def test_a_failed_download_is_tried_again_and_fails_again_for_the_same_reason(
    daemon: Daemon, swarm: Swarm
) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    job = daemon.client.add(torrent.magnet, files=["*.avi"])
    in_state(daemon, job.id, State.FAILED)
    retried = daemon.client.retry(job.id)
    assert (retried.error_code, retried.attempts) == (None, 2)
    assert in_state(daemon, job.id, State.FAILED).error_code == "no_such_file"


def test_retrying_what_lives_asks_for_peers_and_changes_nothing(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    assert daemon.client.retry(job.id).attempts == 1


def test_what_is_complete_is_verified_and_not_fetched_again(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    sent = swarm.sent()
    daemon.client.retry(job.id)
    completed(daemon, torrent, job.id)
    assert swarm.sent() == sent


def test_a_torrent_that_another_job_has_by_now_is_not_begun_twice(daemon: Daemon) -> None:
    first = daemon.client.add("a" * 40)
    daemon.client.cancel(first.id)
    in_state(daemon, first.id, State.CANCELLED)
    second = daemon.client.add("a" * 40)
    assert second.id != first.id
    with pytest.raises(Refused) as caught:
        daemon.client.retry(first.id)
    assert second.id[:8] in (caught.value.hint or "")


def test_peers_are_not_blamed_for_ever_for_what_the_disk_lost(daemon: Daemon, swarm: Swarm) -> None:
    """To libtorrent, a peer whose pieces come damaged is to blame, be it the disk that did it."""
    torrent = swarm.seed({"video.mkv": 500_000})
    [honest], liar = swarm.ports(), swarm.corrupt(torrent)
    job = daemon.client.add(torrent.magnet.replace(f"127.0.0.1:{honest}", liar))
    until(lambda: swarm.sent() and not swarm.peers())  # it was banned
    swarm.liars[liar].write_bytes(torrent.content("video.mkv"))
    completed(daemon, torrent, job.id, timeout=60)
    assert daemon.log().count(f"verifying job={job.id[:8]}") == 1
