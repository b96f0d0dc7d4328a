"""The client against the real daemon; and, where only the wire matters, against odd servers."""

from __future__ import annotations

import contextlib
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import htdl
from htdl import paths
from htdl.client import Client, body_of
from htdl.errors import BadRequest, BadSource, HtdlError, JobFailed, NoDaemon, NoSuchJob, Refused, TimedOut
from htdl.jobs import AddRequest, JobPatch, Readiness, State, Wish
from htdl.reached import is_reached
from htdl.wire import JobInfo
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

DEAD = "magnet:?xt=urn:btih:" + "ab" * 20  # nobody has it
SIZE = 3 << 20


def dead(number: int) -> str:
    return f"magnet:?xt=urn:btih:{number:040x}"


# --- the verbs ---


def test_each_verb_once(daemon: Daemon) -> None:
    client = daemon.client
    job = client.add(DEAD, video_id="film", priority=2, files=["*.mkv"], paused=True)
    assert (job.wish, job.video_id, job.priority, job.selection) == (Wish.PAUSE, "film", 2, ("*.mkv",))
    until(lambda: client.job(job.id).status is State.PAUSED)
    assert client.add_or_get(AddRequest(source=DEAD)) == (client.job(job.id), False)
    assert [x.id for x in client.jobs()] == [job.id]
    assert client.jobs(status=[State.COMPLETED, State.FAILED], limit=3) == []
    assert client.resume(job.id[:8]).wish is Wish.RUN
    assert client.pause(job.id).wish is Wish.PAUSE
    assert client.update(job.id, priority=-1, max_download_speed=1000, files=[]).selection == ()
    with pytest.raises(Refused):
        client.remove(job.id)
    assert client.cancel(job.id, delete=True).wish is Wish.CANCEL
    until(lambda: client.job(job.id).status is State.CANCELLED and not client.job(job.id).delete_data)
    assert client.retry(job.id).attempts == 2
    client.cancel(job.id)
    until(lambda: client.job(job.id).status is State.CANCELLED)
    assert client.remove(job.id, delete=True).id == job.id
    with pytest.raises(NoSuchJob):
        client.job(job.id)


def test_the_daemon_tells_of_itself(daemon: Daemon) -> None:
    client = daemon.client
    client.add(DEAD)
    assert client.stats().version == htdl.__version__
    assert sum(client.stats().by_status.values()) == 1
    until(lambda: client.health().ok)
    assert client.config()["torrent.max_connections"] == 200
    assert set(client.reload()) == {"changed", "needs_restart"}
    client.shutdown()
    assert daemon.process is not None
    assert daemon.process.wait(30) == 0
    assert not daemon.socket.exists()
    with pytest.raises(NoDaemon):
        client.health()


def test_what_the_daemon_refuses_is_the_same_error_here(kept: Daemon) -> None:
    with pytest.raises(BadSource):
        kept.client.add("not a magnet")
    with pytest.raises(BadRequest):
        kept.client.add(None)
    with pytest.raises(BadRequest):
        kept.client.jobs(status=["RUNNING"])
    with pytest.raises(NoSuchJob, match=r"nosuch/\.\./job"):
        kept.client.job("nosuch/../job")
    with pytest.raises(NoSuchJob):
        kept.client.job("\udcff")  # a byte of a command line that is not UTF-8
    with pytest.raises(NoSuchJob):
        next(kept.client.events(["\udcff"]))
    for number in range(1, 18):  # of 17 ids two begin alike
        kept.client.add(dead(number), paused=True)
    firsts = [job.id[0] for job in kept.client.jobs()]
    with pytest.raises(NoSuchJob) as caught:
        kept.client.job(next(x for x in firsts if firsts.count(x) > 1))
    assert caught.value.code == "ambiguous_id"


def test_a_request_passes_json_and_headers_through(daemon: Daemon) -> None:
    daemon.client.add(DEAD)
    jobs, headers = daemon.client.request("GET", "/api/v1/jobs?limit=0")
    assert (jobs, headers["Htdl-Total"], headers["Htdl-Version"]) == ([], "1", htdl.__version__)
    with pytest.raises(NoSuchJob):
        daemon.client.request("GET", "/api/v1/jobs/ä b\n")


def test_a_torrent_s_bytes_go_over_whole(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"bytes.mkv": SIZE})
    assert kept.client.add(torrent=torrent.metainfo, paused=True).info_hash == torrent.info_hash


# --- waiting and following ---


def test_wait_until_ready_downloaded_and_completed(kept: Daemon, swarm: Swarm) -> None:
    job = kept.client.add(swarm.seed({"waited.mkv": SIZE}).magnet)
    ready = kept.client.wait(job.id[:8], until="ready", timeout=60)
    assert ready.readiness is not None
    assert ready.readiness.ready
    for end in ("downloaded", "completed"):
        done = kept.client.wait(job.id, until=end, timeout=60)  # type: ignore[arg-type]
        assert (done.status, done.progress) == (State.COMPLETED, 100)
    assert kept.client.wait(job.id, timeout=0).status is State.COMPLETED, "it takes no time"


def test_wait_says_when_the_time_is_over(kept: Daemon) -> None:
    job = kept.client.add(dead(101))
    start = time.monotonic()
    with pytest.raises(TimedOut):
        kept.client.wait(job.id, timeout=0.5)
    assert time.monotonic() - start > 0.4


def in_background(work: Callable[[], object]) -> queue.Queue[object]:
    """What it returned, or raised."""
    result: queue.Queue[object] = queue.Queue()

    def run() -> None:
        try:
            result.put(work())
        except HtdlError as exc:
            result.put(exc)

    threading.Thread(target=run, daemon=True).start()
    return result


def test_wait_says_when_a_job_ends_otherwise_or_is_removed(kept: Daemon) -> None:
    job = kept.client.add(dead(102))
    result = in_background(lambda: kept.client.wait(job.id, timeout=60))
    kept.client.cancel(job.id)
    assert isinstance(result.get(timeout=30), JobFailed)
    kept.client.remove(job.id)
    with pytest.raises(NoSuchJob):
        kept.client.wait(job.id)


def is_asked(daemon: Daemon) -> bool:
    """Whether anyone is connected to its socket: proc_net_unix(5) has a line of each, and of the listener."""
    return Path("/proc/net/unix").read_text().count(str(daemon.socket)) > 1


def test_wait_outlives_the_daemon_it_asked(daemon: Daemon, swarm: Swarm) -> None:
    job = daemon.client.add(swarm.seed({"video.mkv": SIZE}).magnet, paused=True)
    until(lambda: not is_asked(daemon))
    result = in_background(lambda: daemon.client.wait(job.id, timeout=60))
    until(lambda: is_asked(daemon))
    daemon.restart()
    daemon.client.resume(job.id)
    done = result.get(timeout=60)
    assert isinstance(done, JobInfo), done
    assert done.status is State.COMPLETED


def test_events_begin_again_with_the_state_after_a_restart(daemon: Daemon) -> None:
    job = daemon.client.add(DEAD)
    events = daemon.client.events(reconnect_seconds=30)
    assert [x["id"] for x in next(events)["jobs"]] == [job.id]
    daemon.restart()
    again = next(x for x in events if x["event"] == "state")
    assert [x["id"] for x in again["jobs"]] == [job.id]
    daemon.kill()


def test_events_end_with_the_daemon_unless_told_to_reconnect(daemon: Daemon) -> None:
    events = daemon.client.events()
    assert next(events)["event"] == "state"
    daemon.client.shutdown()
    assert list(events) == []
    assert daemon.process
    assert daemon.process.wait(30) == 0
    with pytest.raises(NoDaemon):
        next(daemon.client.events(reconnect_seconds=30))  # it was never there: no use to wait


def test_events_give_up_on_a_daemon_that_stays_away(daemon: Daemon) -> None:
    events = daemon.client.events(reconnect_seconds=0.5)
    next(events)
    daemon.kill()
    start = time.monotonic()
    with pytest.raises(NoDaemon):
        list(events)
    assert time.monotonic() - start > 0.4


# --- watching ---


def test_a_job_tells_where_it_can_be_watched(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": SIZE, "b.mkv": SIZE // 2}, name="show")
    client = kept.client
    job = client.add(torrent.magnet)
    done = client.wait(job.id, timeout=60)
    main = client.stream(job.id[:8])
    assert (main.job, main.url, main.file_path) == (job.id, done.stream_url, done.file_path)
    assert main.readiness == done.readiness
    other = client.stream(job.id, 1 - (main.file or 0))
    assert other.file_path == str(Path(job.save_path) / "show" / "b.mkv")
    assert (other.page_url, other.m3u_url) == (f"{main.page_url}#file={other.file}", main.m3u_url)
    assert client.preload(job.id, 2.5, other.file).ready
    with pytest.raises(NoSuchJob) as caught:
        client.stream(job.id, 99)
    assert caught.value.code == "no_such_file"


def test_a_job_without_a_file_cannot_be_watched_yet(kept: Daemon) -> None:
    job = kept.client.add(dead(103), paused=True)
    early = kept.client.stream(job.id)
    assert (early.file, early.url, early.file_path, early.readiness.ready) == (None, None, None, False)
    assert early.readiness.reason
    assert job.stream_url is None
    with pytest.raises(Refused):
        kept.client.preload(job.id)


# --- for a video application ---


def test_a_video_application_downloads_and_is_told_of_progress(kept: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 8 * SIZE}, rate=SIZE // 2)
    told: queue.Queue[tuple[str, int, int, int]] = queue.Queue()
    client = kept.client
    job_id = client.start_download("film", "torrent-1", torrent.magnet, lambda *x: told.put(x))
    assert (client.job(job_id).video_id, client.job(job_id).torrent_id) == ("film", "torrent-1")
    heard = [told.get(timeout=60)]
    while not (0 < heard[-1][1] < 100 and heard[-1][2] > 0):
        heard.append(told.get(timeout=60))
    swarm.limit(0)
    while heard[-1][1] < 100:
        heard.append(told.get(timeout=60))
    assert {x[0] for x in heard} == {job_id}
    assert [x[1] for x in heard] == sorted(x[1] for x in heard)
    client.wait(job_id, timeout=60)
    assert client.is_ready_for_streaming(job_id)
    path = client.get_file_path(job_id)
    assert path == str(kept.downloads / "film" / "video.mkv")
    assert Path(path).read_bytes() == torrent.content("video.mkv")
    until(lambda: not any(x.name == f"htdl-{job_id[:8]}" for x in threading.enumerate()))


def test_a_video_application_may_ask_too_early_and_cancel_twice(kept: Daemon) -> None:
    client = kept.client
    job_id = client.start_download(None, None, dead(104))
    assert not client.is_ready_for_streaming(job_id)
    assert client.get_file_path(job_id) is None
    client.cancel_download(job_id)
    until(lambda: client.job(job_id).status is State.CANCELLED)
    client.cancel_download(job_id)
    assert not client.is_ready_for_streaming("nosuch")
    assert client.get_file_path("nosuch") is None


# --- no daemon, or none that is one ---


@contextlib.contextmanager
def answering(path: Path, data: bytes, *, hold: bool = False) -> Iterator[Client]:
    """A server that reads a request, sends `data`, and hangs up, or with `hold` says no more."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as sock:
            sock.recv(1 << 16)
            sock.sendall(data)
            if hold:
                over.wait(60)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield Client(path, timeout=0.5 if hold else 30)
        over.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "hold", "error"),
    [
        (b"", False, NoDaemon),
        (b"HTTP/1.1 200", False, HtdlError),
        (OK + b"{", False, NoDaemon),
        (b"SSH-2.0-OpenSSH\r\n", False, NoDaemon),
        (OK + b"<>", False, HtdlError),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}", False, HtdlError),
        (b"", True, TimedOut),
        (OK, True, TimedOut),
    ],
)
def test_a_bad_answer_is_an_error_in_words(
    tmp_path: Path, data: bytes, hold: bool, error: type[HtdlError]
) -> None:
    with answering(tmp_path / "s", data, hold=hold) as client, pytest.raises(HtdlError) as caught:
        client.stats()
    assert type(caught.value) is error


def test_a_stream_that_breaks_in_a_line_has_ended(tmp_path: Path) -> None:
    data = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\nff\r\n{"ev'
    with answering(tmp_path / "s", data) as client:
        assert list(client.events()) == [{}]


def test_no_socket_and_a_dead_one_are_no_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead_one:
        dead_one.bind(str(tmp_path / "dead"))
    for name in ("absent", "dead", "x" * 200):
        with pytest.raises(NoDaemon) as caught:
            Client(tmp_path / name).health()
        assert caught.value.hint == "start one with: htdl daemon start"


def test_where_no_daemon_answers_the_fallback_is_asked(tmp_path: Path) -> None:
    mine, machines = tmp_path / "mine", tmp_path / "s"
    with answering(machines, OK + b"{}"):
        client = Client(mine, fallback=machines)
        assert client.config() == {}
        assert client.socket == machines
    with pytest.raises(NoDaemon, match=str(machines)):
        client.config()


def test_a_daemon_that_answered_is_not_mistaken_for_the_fallback(tmp_path: Path) -> None:
    mine, machines = tmp_path / "s", tmp_path / "machines"
    client = Client(mine, fallback=machines)
    with answering(mine, OK + b"{}"):
        client.config()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(machines))
        other.listen()
        with pytest.raises(NoDaemon, match=str(mine)):
            client.config()


def test_where_neither_answers_it_is_the_first_that_is_missed(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match="mine"):
        Client(tmp_path / "mine", fallback=tmp_path / "machines").health()


def test_the_machines_socket_is_the_fallback_unless_one_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = tmp_path / "s"
    monkeypatch.setattr(paths, "SYSTEM_SOCKET", machines)
    with answering(machines, OK + b"{}"):
        monkeypatch.setenv("HTDL_SOCKET", str(tmp_path / "chosen"))
        with pytest.raises(NoDaemon, match="chosen"):
            Client().config()
        monkeypatch.delenv("HTDL_SOCKET")
        assert Client().config() == {}


def test_a_request_that_the_daemon_would_refuse_for_its_size_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="larger than"):
        Client(tmp_path / "absent").add(torrent=b"x" * (13 << 20))


# --- pure ---


@pytest.mark.parametrize(
    ("status", "ready", "reached"),
    [
        (State.DOWNLOADING, False, set()),
        (State.DOWNLOADING, True, {"ready"}),
        (State.PAUSED, True, {"ready"}),
        (State.CONVERTING, True, {"ready", "downloaded"}),
        (State.COMPLETED, True, {"ready", "downloaded", "completed"}),
        (State.COMPLETED, False, set()),
        (State.FAILED, True, set()),
        (State.CANCELLED, True, set()),
    ],
)
def test_what_is_reached(status: State, ready: bool, reached: set[Any]) -> None:
    verdict = Readiness(ready=ready, reason="", threshold=10.0)
    job = JobInfo(id="j", video_id="v", torrent_id="t", status=status, readiness=verdict)
    assert {until for until in ("ready", "downloaded", "completed") if is_reached(job, until)} == reached  # type: ignore[arg-type]


def test_a_body_says_only_what_was_asked_for() -> None:
    assert body_of(AddRequest(source="m", paused=True)) == {"source": "m", "paused": True}
    assert body_of(AddRequest(torrent=b"d4:info")) == {"torrent": "ZDQ6aW5mbw=="}
    assert body_of(JobPatch(files=(), priority=0)) == {"files": (), "priority": 0}


def test_importing_it_loads_no_library() -> None:
    heavy = (
        "{'asyncio', 'msgspec', 'aiohttp', 'rich', 'click', 'http.client', 'ssl', 'sqlite3', 'libtorrent'}"
    )
    code = f"import sys, htdl.client; print(*({heavy} & sys.modules.keys()))"
    root = Path(htdl.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
