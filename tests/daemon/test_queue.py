"""Slots: who has one, who gets it next, and who gives it back."""

from __future__ import annotations

from collections.abc import Callable

from htdl.jobs import Blocked, State
from tests.daemon.downloads import SLOW, completed, flowing, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

Make = Callable[..., Daemon]


def test_one_at_a_time_in_the_order_they_came(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    torrents = [swarm.seed({f"{name}.mkv": 400_000}, name=f"{name}.mkv", rate=1) for name in "abc"]
    jobs = [daemon.client.add(torrent.magnet) for torrent in torrents]
    last = once(daemon, jobs[2].id, lambda job: job.blocked_by is Blocked.QUEUE)
    assert (last.status, last.detail) == (State.PENDING, "waits for a free slot")
    swarm.limit(0)
    done = [completed(daemon, *pair) for pair in zip(torrents, (job.id for job in jobs), strict=True)]
    times = [job.completed_at or "" for job in done]
    assert times == sorted(times)


def test_none_begins_while_all_are_stopped(make_daemon: Make) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    jobs = [daemon.client.add(name * 40) for name in "abcd"]
    once(daemon, jobs[0].id, lambda job: job.status is State.DOWNLOADING)
    assert daemon.htdl("pause", "--all").returncode == 0
    assert {daemon.client.job(job.id).status for job in jobs} == {State.PAUSED}
    assert daemon.log().count("download starts") == 1


def test_a_higher_priority_takes_the_slot_and_gives_it_back(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    slow = swarm.seed({"slow.mkv": 8_000_000}, name="slow.mkv", rate=SLOW)
    urgent = swarm.seed({"urgent.mkv": 300_000}, name="urgent.mkv", rate=SLOW)
    first = daemon.client.add(slow.magnet)
    flowing(daemon, first.id, 400_000)
    second = daemon.client.add(urgent.magnet, priority=5)
    waits = once(daemon, first.id, lambda job: job.status is State.PENDING)
    assert waits.blocked_by is Blocked.QUEUE
    swarm.limit(0)
    early = completed(daemon, urgent, second.id)
    late = completed(daemon, slow, first.id)
    assert (early.completed_at or "") < (late.completed_at or "")
    assert swarm.sent() < 8_300_000 + 300_000, "it went on where it was"


def test_a_priority_given_later_counts_at_once(make_daemon: Make) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    first, second = [daemon.client.add(x * 40) for x in "ab"]
    once(daemon, second.id, lambda job: job.blocked_by is Blocked.QUEUE)
    daemon.client.update(second.id, priority=3)
    once(daemon, second.id, lambda job: job.status is State.DOWNLOADING)
    once(daemon, first.id, lambda job: job.blocked_by is Blocked.QUEUE)


def test_dead_magnets_and_stalled_downloads_give_their_slots_back(make_daemon: Make, swarm: Swarm) -> None:
    daemon = make_daemon(
        torrent={"max_active_downloads": 1, "metadata_timeout_seconds": 1, "stall_timeout_seconds": 2}
    )
    dead = daemon.client.add("d" * 40)
    stalls = daemon.client.add(swarm.seed({"stalls.mkv": 5_000_000}, name="stalls.mkv", rate=SLOW).magnet)
    flowing(daemon, stalls.id)
    swarm.leave()

    alive = swarm.seed({"alive.mkv": 1_000_000}, name="alive.mkv")
    completed(daemon, alive, daemon.client.add(alive.magnet).id)
    assert daemon.client.job(dead.id).status is State.DOWNLOADING, "it goes on looking"
    once(daemon, dead.id, lambda job: job.blocked_by is Blocked.NO_METADATA)
    stalled = once(daemon, stalls.id, lambda job: job.blocked_by is Blocked.NO_PEERS)
    assert stalled.status is State.DOWNLOADING
    assert "no peers" in stalled.detail


def test_what_the_daemon_is_doing_is_counted(make_daemon: Make) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    jobs = [daemon.client.add(letter * 40) for letter in "abc"]
    daemon.client.cancel(jobs[2].id)
    stats = until(lambda: [x for x in [daemon.client.stats()] if x.active == 1])[0]
    assert (stats.waiting, stats.seeding, stats.success_rate) == (1, 0, 0.0)
    assert stats.by_status["CANCELLED"] == 1
