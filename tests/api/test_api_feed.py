"""The event stream: nothing lost, nobody waited for, nothing left behind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from htdl.api import answers, server
from htdl.cli import follow
from htdl.cli.app import App
from htdl.jobs import State
from tests.api.serving import Serving
from tests.waiting import until


class Follower:
    """The lines of /events, one at a time, as `curl -N` sees them."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def line(self) -> dict[str, Any] | None:
        """The next one; None at the end of the stream."""
        size = int(self.stream.readline() or b"0", 16)
        data = self.stream.read(size)
        assert self.stream.readline() in {b"\r\n", b""}
        return json.loads(data) if data else None


@contextlib.contextmanager
def following(served: Serving, query: str = "") -> Iterator[Follower]:
    with served.connect() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"GET /api/v1/events{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
        while (header := stream.readline()) != b"\r\n":
            if header.startswith(b"Content-Type"):
                assert header == b"Content-Type: application/x-ndjson\r\n"
        yield Follower(stream)


def test_the_state_comes_first_then_each_change(served: Serving) -> None:
    old = served.client.add("magnet:old")
    with following(served) as feed:
        state = feed.line()
        assert state is not None
        assert (state["event"], [x["id"] for x in state["jobs"]]) == ("state", [old.id])
        new = served.client.add("magnet:new")
        added = feed.line()
        assert added is not None
        assert (added["event"], added["seq"], added["job"]["id"]) == ("added", state["seq"] + 1, new.id)
        served.note(new.id, download_speed=5)
        progress = feed.line()
        assert progress is not None
        assert (progress["event"], progress["seq"], progress["job"]["download_speed"]) == (
            "progress",
            state["seq"] + 2,
            5,
        )
        served.client.pause(old.id)
        changed = feed.line()
        assert changed is not None
        assert (changed["event"], changed["job"]["wish"]) == ("changed", "PAUSE")


def test_only_living_jobs_are_in_the_state_of_all(served: Serving) -> None:
    job = served.client.add("magnet:ended")
    served.change(job.id, status=State.CANCELLED)
    with following(served) as feed:
        assert (feed.line() or {})["jobs"] == []


def test_following_one_job_tells_of_no_other_also_when_it_has_ended(served: Serving) -> None:
    ended, other = served.client.add("magnet:ended"), served.client.add("magnet:other")
    served.change(ended.id, status=State.CANCELLED)
    with following(served, f"?job={ended.id[:13]}") as feed:
        assert [x["id"] for x in (feed.line() or {})["jobs"]] == [ended.id]
        served.client.pause(other.id)
        served.client.remove(ended.id)
        assert (feed.line() or {})["event"] == "removed"


def test_following_a_job_that_is_not_there_is_an_error(served: Serving) -> None:
    answer = served.talk(b"GET /api/v1/events?job=nosuch HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 404")
    assert b"no_such_job" in answer


def test_an_unknown_parameter_is_an_error(served: Serving) -> None:
    assert served.talk(b"GET /api/v1/events?jobs=x HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 400")


def test_a_follower_that_hangs_up_is_forgotten_at_once(served: Serving) -> None:
    with following(served) as feed:
        feed.line()
        assert len(served.bus._listeners) == 1
    until(lambda: not served.bus._listeners)


def test_a_follower_that_does_not_read_is_dropped_and_the_others_are_not(hasty: Serving) -> None:
    job = hasty.client.add("magnet:one", files=["x" * 1000] * 100)
    with following(hasty) as slow, following(hasty) as quick:
        assert quick.line()
        for speed in range(1, 40):
            hasty.note(job.id, download_speed=speed)
            assert (quick.line() or {})["job"]["download_speed"] == speed
        until(lambda: len(hasty.bus._listeners) == 1)  # the other's pipe was full for too long
        hasty.note(job.id, download_speed=99)
        assert (quick.line() or {})["job"]["download_speed"] == 99
        with contextlib.suppress(ConnectionError):
            assert slow.stream.read().count(b'"event"') < 40


def test_the_stream_ends_when_the_bus_does(served: Serving) -> None:
    async def close() -> None:
        served.bus.close()

    with following(served) as feed:
        assert feed.line()
        served.run(close())
        assert feed.line() is None


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests under way have longer to end than a test waits for the server."""
    monkeypatch.setattr(server, "STOP_SECONDS", 600.0)


@pytest.mark.usefixtures("unhurried")
def test_the_server_stops_at_once_though_somebody_follows(served: Serving) -> None:
    with following(served) as feed:
        assert feed.line()
        served.run(served.server.stop())
        assert feed.line() is None
    assert not served.socket.exists()


def test_a_state_of_many_jobs_is_whole(served: Serving) -> None:
    ids = [served.client.add(f"magnet:{n}").id for n in range(answers._CHUNK + 1)]
    with following(served) as feed:
        assert [x["id"] for x in (feed.line() or {})["jobs"]] == ids


def test_who_comes_back_misses_nothing_and_hears_nothing_twice(served: Serving) -> None:
    old = served.client.add("magnet:old")
    with following(served) as feed:
        state = feed.line() or {}
        served.note(old.id, download_speed=5)
        heard = feed.line() or {}
    served.note(old.id, download_speed=6)
    new = served.client.add("magnet:new")
    with following(served, f"?since={heard['seq']}&instance={state['instance']}") as feed:
        assert feed.line() == {"event": "resumed", "seq": heard["seq"], "instance": state["instance"]}
        served.client.pause(old.id)
        told = [feed.line() or {} for _ in range(3)]
    assert [x["seq"] - heard["seq"] for x in told] == [1, 2, 3]
    assert [x["event"] for x in told] == ["progress", "added", "changed"]
    assert [x["job"]["id"] for x in told] == [old.id, new.id, old.id]
    assert told[0]["job"]["download_speed"] == 6, "the job as it was then"


def test_a_job_that_was_removed_meanwhile_is_told_of(served: Serving) -> None:
    gone, other = served.client.add("magnet:gone"), served.client.add("magnet:other")
    served.change(gone.id, status=State.CANCELLED)
    with following(served, f"?job={gone.id}") as feed:
        seq = (feed.line() or {})["seq"]
    served.client.pause(other.id)
    served.client.remove(gone.id)
    with following(served, f"?job={gone.id}&since={seq}") as feed:
        assert (feed.line() or {})["event"] == "resumed"
        assert (feed.line() or {})["event"] == "removed"


@pytest.mark.parametrize("query", ["?since=999999999", "?since=0&instance=another"])
def test_who_was_away_for_too_long_is_told_the_state(served: Serving, query: str) -> None:
    job = served.client.add("magnet:one")
    with following(served, query) as feed:
        state = feed.line() or {}
    assert (state["event"], [x["id"] for x in state["jobs"]]) == ("state", [job.id])


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "9" * 30, ""])
def test_what_is_no_number_of_an_event_is_an_error(served: Serving, since: str) -> None:
    answer = served.talk(f"GET /api/v1/events?since={since} HTTP/1.0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.0 400")


def test_the_client_goes_on_where_its_stream_was_cut(served: Serving) -> None:
    """All connections are cut, the daemon goes on: no state comes twice, and no event is missing."""
    job = served.client.add("magnet:one")
    stream = served.client.events(reconnect_seconds=10)
    seq = next(stream)["seq"]

    async def cut() -> None:
        for task in served.server._feed._tellers:
            task.cancel()

    for speed in range(1, 6):
        served.note(job.id, download_speed=speed)
        event = next(stream)
        assert (event["event"], event["seq"]) == ("progress", seq + speed)
        served.run(cut())


def test_the_command_line_goes_on_there_too(served: Serving) -> None:
    job = served.client.add("magnet:one")
    app = App({"HTDL_SOCKET": str(served.socket)}, config=None, socket=None)
    stream = follow.stream(app, [])
    state = next(stream) or {}
    assert state["event"] == "state"

    async def cut() -> None:
        for task in served.server._feed._tellers:
            task.cancel()

    served.run(cut())
    served.note(job.id, download_speed=7)
    assert next(stream) is None, "the stream is gone for a moment"
    event = next(stream) or {}
    assert (event["event"], event["seq"]) == ("progress", state["seq"] + 1)
