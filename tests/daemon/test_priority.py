"""`htdl priority`: what goes first, and where in the queue it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from htdl.errors import BadRequest, NoSuchJob, Refused
from htdl.jobs import State
from htdl.wire import JobInfo
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.waiting import until


@pytest.fixture(scope="module")
def one_slot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Its slot is taken by a magnet that nobody has; what comes later waits."""
    sections = {"torrent": {"max_active_downloads": 1, "metadata_timeout_seconds": 3600}}
    daemon = Daemon(tmp_path_factory.mktemp("one-slot"), sections)
    daemon.start()
    runs = daemon.client.add("f" * 40, priority=100)
    in_state(daemon, runs.id, State.DOWNLOADING)
    yield daemon
    daemon.end()


@pytest.fixture
def daemon(one_slot: Daemon) -> Iterator[Daemon]:
    yield one_slot
    for job in one_slot.client.jobs(status=["PENDING", "PAUSED"]):
        one_slot.client.cancel(job.id)
        one_slot.client.remove(job.id)


@pytest.fixture
def waiting(daemon: Daemon) -> list[JobInfo]:
    """Four in the queue."""
    return [daemon.client.add(letter * 40) for letter in "abcd"]


def queue(daemon: Daemon) -> str:
    """The letters of those that wait, by the places they say they have."""
    listed = daemon.client.jobs(status=["PENDING"])
    places = {job.queue_position: job.info_hash[0] for job in listed if job.queue_position}
    return "".join(places.get(place, "?") for place in range(1, len(listed) + 1))


def priority(daemon: Daemon, *arguments: str) -> str:
    done = daemon.htdl("priority", *arguments)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_each_that_waits_has_a_place(daemon: Daemon, waiting: list[JobInfo]) -> None:
    assert queue(daemon) == "abcd"
    assert [daemon.client.job(x.id).queue_position for x in waiting] == [1, 2, 3, 4]
    (runs,) = daemon.client.jobs(status=["DOWNLOADING"])
    assert runs.queue_position is None
    until(lambda: "place 2 in the queue" in daemon.htdl("status").stdout)
    assert re.search(r"^queue +place 2$", daemon.htdl("show", waiting[1].id).stdout, re.MULTILINE)
    daemon.client.pause(waiting[1].id)
    assert queue(daemon) == "acd"


def test_a_priority_in_words_or_numbers(daemon: Daemon, waiting: list[JobInfo]) -> None:
    a, b, c, d = [x.id for x in waiting]
    assert priority(daemon, c, d, "high") == (
        f"{c[:8]}  {'c' * 40}: priority high (10), place 1 in the queue\n"
        f"{d[:8]}  {'d' * 40}: priority high (10), place 2 in the queue\n"
    )
    assert priority(daemon, a, "low").endswith("priority low (-10), place 4 in the queue\n")
    assert priority(daemon, b, "-11").endswith("priority -11, place 4 in the queue\n")
    assert queue(daemon) == "cdab"
    assert re.search(r"^priority +low \(-10\)$", daemon.htdl("show", a).stdout, re.MULTILINE)
    assert json.loads(priority(daemon, a, "normal", "--json"))["priority"] == 0


def test_to_the_front_to_the_end_before_another_and_to_a_place(
    daemon: Daemon, waiting: list[JobInfo]
) -> None:
    a, b, c, d = [x.id for x in waiting]
    priority(daemon, c, d, "--first")
    assert queue(daemon) == "cdab"
    priority(daemon, c, "--last")
    assert queue(daemon) == "dabc"
    assert "place 2 in the queue" in priority(daemon, c, "--position", "2")
    assert queue(daemon) == "dcab"
    priority(daemon, d, "--before", b[:8])
    assert queue(daemon) == "cadb"
    assert daemon.client.update(a, position=99).queue_position == 4
    daemon.restart()
    until(lambda: queue(daemon) == "cdba")


def test_a_place_among_higher_ones_takes_their_priority(daemon: Daemon, waiting: list[JobInfo]) -> None:
    a, _, _, d = [x.id for x in waiting]
    priority(daemon, a, "high")
    assert "priority high (10), place 1" in priority(daemon, d, "--first")
    assert queue(daemon) == "dabc"


def test_what_runs_gives_way_to_a_higher_one_and_not_to_a_place(
    daemon: Daemon, waiting: list[JobInfo]
) -> None:
    (runs,) = daemon.client.jobs(status=["DOWNLOADING"])
    priority(daemon, waiting[3].id, "--first")
    priority(daemon, waiting[2].id, "101")
    in_state(daemon, waiting[2].id, State.DOWNLOADING)
    once(daemon, runs.id, lambda job: job.queue_position == 1)
    daemon.client.cancel(waiting[2].id)
    in_state(daemon, runs.id, State.DOWNLOADING)
    assert queue(daemon) == "dab"


def test_what_cannot_be_is_refused(daemon: Daemon, waiting: list[JobInfo]) -> None:
    client, first = daemon.client, waiting[0].id
    with pytest.raises(BadRequest, match="no place 0"):
        client.update(first, position=0)
    with pytest.raises(BadRequest, match="before itself"):
        client.update(first, before=first)
    with pytest.raises(NoSuchJob):
        client.update(first, before="nobody")
    client.cancel(waiting[1].id)
    with pytest.raises(Refused, match="CANCELLED"):
        client.update(first, before=waiting[1].id)
    with pytest.raises(BadRequest, match="either"):
        client.update(first, before=waiting[2].id, position=1)
    client.remove(waiting[1].id)
    for wrong in (["--first", "--last"], [], ["urgent"], ["1001"], [waiting[2].id, "--position", "1"]):
        assert daemon.htdl("priority", first, *wrong).returncode == 2
    assert queue(daemon) == "acd"
