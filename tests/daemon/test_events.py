from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.daemon.downloads import SLOW, completed
from tests.daemons import Daemon
from tests.swarm import Swarm


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def up_to(kind: str, stream: Any) -> list[dict[str, Any]]:
    """The events until the first of this kind, that one included."""
    events: list[dict[str, Any]] = []
    for event in stream:
        events.append(event)
        if event["event"] == kind:
            return events
    raise AssertionError(f"it ended before {kind}: {events}")


def test_the_state_comes_first_then_all_that_happens(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 8_000_000}, rate=SLOW)
    stream = daemon.client.events()
    state = next(iter(stream))
    assert (state["event"], state["jobs"]) == ("state", [])
    job = daemon.client.add(torrent.magnet)
    events = up_to("progress", stream)
    swarm.limit(0)
    events += up_to("completed", stream)
    assert events[0]["event"] == "added"
    assert {x["job"]["id"] for x in events} == {job.id}
    kinds = [x["event"] for x in events]
    assert kinds.count("ready") == 1
    assert kinds.index("ready") < kinds.index("completed")
    first = state["seq"] + 1
    assert [x["seq"] for x in events] == list(range(first, first + len(events))), "none is missing"
    shares = [x["job"]["progress_exact"] for x in events]
    assert shares == sorted(shares)


def test_a_fast_download_is_ready_before_it_is_completed(daemon: Daemon, swarm: Swarm) -> None:
    stream = daemon.client.events()
    next(iter(stream))
    daemon.client.add(swarm.seed({"video.mkv": 100_000}).magnet)
    ready, done = [x for x in up_to("completed", stream) if x["event"] in {"ready", "completed"}]
    assert ready["job"]["readiness"]["ready"]
    assert done["job"]["status"] == "COMPLETED"


def test_only_the_jobs_asked_for_are_told_of(daemon: Daemon) -> None:
    mine, other = daemon.client.add("a" * 40), daemon.client.add("b" * 40)
    stream = daemon.client.events([mine.id[:12]])
    state = next(iter(stream))
    assert [x["id"] for x in state["jobs"]] == [mine.id]
    daemon.client.cancel(other.id)
    daemon.client.cancel(mine.id)
    daemon.client.remove(mine.id)
    assert {x["job"]["id"] for x in up_to("removed", stream)} == {mine.id}


def test_the_stream_ends_with_the_daemon(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon()
    stream = daemon.client.events()
    assert next(iter(stream))["seq"] == 0
    assert daemon.stop() == 0
    assert list(stream) == []


def test_a_new_listener_sees_what_is_now(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    done = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    living = daemon.client.add("a" * 40)
    assert [x["id"] for x in next(iter(daemon.client.events()))["jobs"]] == [living.id]
    (job,) = next(iter(daemon.client.events([done.id])))["jobs"]
    assert (job["status"], job["progress"]) == ("COMPLETED", 100)


def test_the_command_prints_a_json_line_an_event(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": 600_000}, rate=1).magnet)
    command = [*daemon.command, "watch", job.id, "--json"]
    with subprocess.Popen(command, env=daemon.env, stdout=subprocess.PIPE) as watching:
        assert watching.stdout
        first = json.loads(watching.stdout.readline())
        swarm.limit(0)  # nothing has come before it watches
        lines = [json.loads(line) for line in watching.stdout]
    assert first["event"] == "state"
    assert [x["event"] for x in lines].index("completed") == len(lines) - 1
    assert watching.returncode == 0


def test_the_command_goes_on_where_it_was(daemon: Daemon) -> None:
    state = next(iter(daemon.client.events()))
    first, second = daemon.client.add("a" * 40), daemon.client.add("b" * 40)
    place = f"{state['instance']}:{state['seq']}"
    heard: list[dict[str, Any]] = []
    command = [*daemon.command, "events", "--since", place]
    with subprocess.Popen(command, env=daemon.env, stdout=subprocess.PIPE) as following:
        assert following.stdout
        while second.id not in [x["job"]["id"] for x in heard]:
            heard.append(json.loads(following.stdout.readline()))
        following.terminate()
    assert (heard[0]["event"], heard[0]["seq"], heard[0]["job"]["id"]) == (
        "added",
        state["seq"] + 1,
        first.id,
    )
    numbers = [x["seq"] for x in heard]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_place_that_is_none_is_told(daemon: Daemon) -> None:
    for text in ("7", ":7", "x:", "x:-1", "x:" + "9" * 5000):
        told = daemon.htdl("events", "--since", text)
        assert told.returncode == 2
        assert "is not an instance, a colon and a number" in told.stderr
