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
LONG = 40_000_000  # bytes: over a minute at LIMIT or SLOW


def wanted(job: JobInfo) -> set[str]:
    return {x.path for x in job.files if x.wanted}


def is_limited(daemon: Daemon, job_id: str) -> bool:
    """As far as one measurement tells: what was asked for before still comes, and a busy machine lets
    what came meanwhile be counted at once.
    """
    return measured_rate(daemon, job_id, LIMIT) < 1.5 * LIMIT


def test_a_download_limit_limits_and_can_be_lifted(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"limited.mkv": LONG})
    job = kept.client.add(torrent.magnet, max_download_speed=LIMIT)
    until(lambda: 0.5 * LIMIT < measured_rate(kept, job.id, 2 * LIMIT) < 1.5 * LIMIT)
    kept.client.update(job.id, max_download_speed=-1)
    assert completed(kept, torrent, job.id).max_download_speed == -1


def test_a_limit_given_later_limits_from_then_on(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"fast.mkv": LONG}, rate=2_000_000).magnet)
    flowing(kept, job.id)
    kept.client.update(job.id, max_download_speed=LIMIT)
    until(lambda: is_limited(kept, job.id))
    kept.client.cancel(job.id, delete=True)


def test_a_limit_outlasts_a_restart(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"kept.mkv": LONG}).magnet, max_download_speed=LIMIT)
    flowing(kept, job.id)
    assert kept.stop() == 0
    kept.start()
    until(lambda: is_limited(kept, job.id))
    kept.client.cancel(job.id, delete=True)


def test_files_are_deselected_while_it_downloads(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 1_000_000, "b.mkv": LONG}, name="two", rate=SLOW)
    job = kept.client.add(torrent.magnet)
    flowing(kept, job.id)
    changed = kept.client.update(job.id, files=["a.mkv"])
    assert (changed.total_bytes, changed.file_path) == (1_000_000, f"{changed.save_path}/two/a.mkv")
    done = completed(kept, torrent, job.id)
    assert wanted(done) == {"two/a.mkv"}


def test_files_are_selected_while_it_downloads(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": LONG, "b.mkv": 400_000}, name="two", rate=SLOW)
    job = kept.client.add(torrent.magnet, files=["a.mkv"])
    flowing(kept, job.id)
    assert kept.client.update(job.id, files=["*"]).total_bytes == LONG + 400_000
    swarm.limit(0)
    done = completed(kept, torrent, job.id)
    assert [x.progress for x in done.files] == [100.0, 100.0]


def test_a_selection_before_the_metadata_counts_when_they_come(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 100_000, "b.mkv": 100_000}, name="two")
    job = kept.client.add(torrent.magnet, paused=True)
    kept.client.update(job.id, files=["b.mkv"])
    kept.client.resume(job.id)
    assert wanted(completed(kept, torrent, job.id)) == {"two/b.mkv"}


def test_what_cannot_be_is_refused(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": LONG, "b.mkv": 100_000}, name="two", rate=SLOW)
    job = kept.client.add(torrent.magnet)
    before = flowing(kept, job.id)
    with pytest.raises(BadRequest, match="no file"):
        kept.client.update(job.id, files=["*.avi"], priority=7)
    with pytest.raises(BadRequest, match="priority"):
        kept.client.update(job.id, priority=1001)
    with pytest.raises(BadRequest, match="speed limit"):
        kept.client.update(job.id, max_download_speed=0)
    after = kept.client.job(job.id)
    kept.client.cancel(job.id, delete=True)
    assert (after.priority, after.selection, after.max_download_speed) == (
        before.priority,
        before.selection,
        before.max_download_speed,
    )


def test_what_has_ended_is_not_changed(kept: Daemon) -> None:
    job = kept.client.add("a" * 40)
    kept.client.cancel(job.id)
    in_state(kept, job.id, State.CANCELLED)
    with pytest.raises(Refused, match="CANCELLED"):
        kept.client.update(job.id, priority=1)
