"""`htdl limit`: of all downloads together, and of some."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from htdl.answers import SpeedLimit
from htdl.errors import BadRequest, NoSuchJob
from tests.daemon.downloads import completed, flowing, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

KIB = 1024
LIMIT = 100_000  # bytes a second
CONFIGURED = {"max_download_speed": 2000, "max_upload_speed": 100}
NEVER_TODAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("limited"), {"torrent": CONFIGURED})
    daemon.start()
    yield daemon
    daemon.end()


@pytest.fixture
def daemon(limited: Daemon) -> Iterator[Daemon]:
    """With nothing set by hand, and the first configuration."""
    yield limited
    limited.configure({"torrent": CONFIGURED})
    limited.client.reload()
    limited.client.limit(reset=True)


def in_force(daemon: Daemon, words: str) -> bool:
    return f"limits in force {words}" in daemon.log()


def test_alone_it_says_what_holds_and_why(daemon: Daemon) -> None:
    done = daemon.htdl("limit")
    assert done.stdout == "down  1.9 MiB/s, by the configuration\nup    100 KiB/s, by the configuration\n"
    assert json.loads(daemon.htdl("limit", "--json").stdout) == {
        "download": {"speed": 2000 * KIB, "by": "configuration", "rule": "", "until": None},
        "upload": {"speed": 100 * KIB, "by": "configuration", "rule": "", "until": None},
        "jobs": [],
    }


def test_what_is_set_by_hand_outlasts_a_restart_until_it_is_taken_back(daemon: Daemon) -> None:
    told = daemon.htdl("limit", "--down", "1.5M")
    assert told.stdout.startswith("down  1.5 MiB/s, set by hand\nup    100 KiB/s, by the conf")
    until(lambda: in_force(daemon, f"max_download_speed={3 << 19} max_upload_speed={100 * KIB}"))
    daemon.restart()
    assert daemon.client.limits().download == SpeedLimit(speed=3 << 19, by="hand")
    assert daemon.client.limit(max_upload_speed=-1).upload.speed == -1
    assert daemon.client.limits().download.by == "hand"
    after = daemon.client.limit(reset=True)
    assert (after.download.by, after.upload.by) == ("configuration", "configuration")


def test_it_holds_until_the_configuration_says_otherwise(daemon: Daemon) -> None:
    daemon.client.limit(max_download_speed=500 * KIB, max_upload_speed=5 * KIB)
    daemon.configure({"torrent": CONFIGURED | {"max_download_speed": 3000}})
    daemon.client.reload()
    after = daemon.client.limits()
    assert after.download == SpeedLimit(speed=3000 * KIB, by="configuration")
    assert after.upload == SpeedLimit(speed=5 * KIB, by="hand")
    until(lambda: in_force(daemon, f"max_download_speed={3000 * KIB} max_upload_speed={5 * KIB}"))


def test_a_schedule_holds_in_its_hours_and_says_until_when(daemon: Daemon) -> None:
    today = datetime.now().astimezone().weekday()
    rule = f"{NEVER_TODAY[today]},{NEVER_TODAY[(today + 1) % 7]} down=500"  # also past a midnight
    daemon.configure({"torrent": CONFIGURED, "limit": {"schedule": [rule]}})
    daemon.client.reload()
    told = daemon.client.limits()
    assert (told.download.speed, told.download.by, told.download.rule) == (500 * KIB, "schedule", rule)
    assert told.download.until
    assert told.upload.by == "configuration"
    words = daemon.htdl("limit").stdout.splitlines()[0]
    assert words.startswith("down  500 KiB/s until ")
    assert words.endswith(f" 00:00, by the schedule ({rule})")
    until(lambda: in_force(daemon, f"max_download_speed={500 * KIB} "))


def test_it_limits_all_downloads_and_can_be_lifted(daemon: Daemon, swarm: Swarm) -> None:
    daemon.client.limit(max_download_speed=LIMIT)
    until(lambda: in_force(daemon, f"max_download_speed={LIMIT} "))
    torrent = swarm.seed({"video.mkv": 6_000_000})  # the limit would take a minute
    began = time.monotonic()
    job = daemon.client.add(torrent.magnet)
    some = once(daemon, job.id, lambda job: job.done_bytes >= 3 * LIMIT)
    assert some.done_bytes < 1.5 * LIMIT * (time.monotonic() - began)
    daemon.client.limit(max_download_speed=-1)
    completed(daemon, torrent, job.id)


def test_one_download_is_limited_and_shown_so(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 8_000_000}, rate=200_000)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id)
    swarm.limit(1)
    done = daemon.htdl("limit", job.id[:8], "--down", "500K", "--up", "20")
    assert done.stdout == f"{job.id[:8]}  video.mkv: 500 KiB/s down, 20.0 KiB/s up\n"
    assert "limits " in daemon.htdl("show", job.id).stdout
    assert f"{job.id[:8]}  500 KiB/s down, 20.0 KiB/s up  video.mkv" in daemon.htdl("limit").stdout
    (shown,) = daemon.client.limits().jobs
    assert (shown.id, shown.max_download_speed) == (job.id, 500 * KIB)
    assert daemon.htdl("limit", job.id, "--reset").stdout.endswith("no limit\n")
    assert daemon.client.limits().jobs == ()
    daemon.client.cancel(job.id, delete=True)


def test_one_that_seeds_is_limited_and_one_that_has_ended_is_not(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"small.mkv": 50_000})
    job = daemon.client.add(torrent.magnet)
    assert completed(daemon, torrent, job.id).seeding
    assert daemon.htdl("limit", job.id, "--up", "20K").returncode == 0
    assert daemon.client.job(job.id).max_upload_speed == 20 * KIB
    daemon.client.cancel(job.id)
    done = daemon.htdl("limit", job.id, "--up", "30K")
    assert done.returncode == 9
    assert "cannot change" in done.stderr


def test_what_cannot_be_is_refused(daemon: Daemon) -> None:
    with pytest.raises(BadRequest, match="speed limit of 0"):
        daemon.client.limit(max_download_speed=0)
    with pytest.raises(NoSuchJob):
        daemon.client.update("nobody", max_download_speed=5)
    done = daemon.htdl("limit", "--down", "fast")
    assert (done.returncode, "not a speed" in done.stderr) == (2, True)
    assert "htdl limit --down 1.5M" in daemon.htdl("limit", "1.5M").stderr
    assert "--down" not in daemon.htdl("limit", "nobody", "--up", "5").stderr
    assert daemon.client.limits().download.by == "configuration"
