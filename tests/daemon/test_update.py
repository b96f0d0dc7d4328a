from __future__ import annotations

import pytest

from htdl.errors import BadRequest, Refused
from htdl.jobs import State
from htdl.wire import JobInfo
from tests.daemon.downloads import SLOW, completed, flowing, in_state, measured_rate
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

LIMIT = 500_000  # bytes a second


def wanted(job: JobInfo) -> set[str]:
    return {x.path for x in job.files if x.wanted}


def test_a_download_limit_limits_and_can_be_lifted(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 12_000_000})
    job = daemon.client.add(torrent.magnet, max_download_speed=LIMIT)
    assert 0.5 * LIMIT < measured_rate(daemon, job.id, 2 * LIMIT) < 1.5 * LIMIT
    daemon.client.update(job.id, max_download_speed=-1)
    assert completed(daemon, torrent, job.id, timeout=5).max_download_speed == -1


def test_a_limit_given_later_limits_from_then_on(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 24_000_000}, rate=2_000_000)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    daemon.client.update(job.id, max_download_speed=LIMIT)  # what it has asked for by then still comes
    until(lambda: measured_rate(daemon, job.id, LIMIT) < 1.5 * LIMIT)


def test_a_limit_outlasts_a_restart(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 12_000_000})
    job = daemon.client.add(torrent.magnet, max_download_speed=LIMIT)
    flowing(daemon, job.id)
    assert daemon.stop() == 0
    daemon.start()
    assert measured_rate(daemon, job.id, 3 * LIMIT) < 1.5 * LIMIT


def test_files_are_deselected_while_it_downloads(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 1_000_000, "b.mkv": 3_000_000}, name="two", rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    changed = daemon.client.update(job.id, files=["a.mkv"])
    assert (changed.total_bytes, changed.file_path) == (1_000_000, f"{changed.save_path}/two/a.mkv")
    done = completed(daemon, torrent, job.id)
    assert wanted(done) == {"two/a.mkv"}


def test_files_are_selected_while_it_downloads(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 1_500_000, "b.mkv": 400_000}, name="two", rate=SLOW)
    job = daemon.client.add(torrent.magnet, files=["a.mkv"])
    flowing(daemon, job.id)
    assert daemon.client.update(job.id, files=["*"]).total_bytes == 1_900_000
    done = completed(daemon, torrent, job.id)
    assert [x.progress for x in done.files] == [100.0, 100.0]


def test_a_selection_before_the_metadata_counts_when_they_come(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 100_000, "b.mkv": 100_000}, name="two")
    job = daemon.client.add(torrent.magnet, paused=True)
    daemon.client.update(job.id, files=["b.mkv"])
    daemon.client.resume(job.id)
    assert wanted(completed(daemon, torrent, job.id)) == {"two/b.mkv"}


def test_what_cannot_be_is_refused(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 3_000_000, "b.mkv": 100_000}, name="two", rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    before = flowing(daemon, job.id)
    with pytest.raises(BadRequest, match="no file"):
        daemon.client.update(job.id, files=["*.avi"], priority=7)
    with pytest.raises(BadRequest, match="priority"):
        daemon.client.update(job.id, priority=1001)
    with pytest.raises(BadRequest, match="speed limit"):
        daemon.client.update(job.id, max_download_speed=0)
    after = daemon.client.job(job.id)
    assert (after.priority, after.selection, after.max_download_speed) == (
        before.priority,
        before.selection,
        before.max_download_speed,
    )


def test_what_has_ended_is_not_changed(daemon: Daemon) -> None:
    job = daemon.client.add("a" * 40)
    daemon.client.cancel(job.id)
    in_state(daemon, job.id, State.CANCELLED)
    with pytest.raises(Refused, match="CANCELLED"):
        daemon.client.update(job.id, priority=1)
