"""What is found to be wrong, of numbers and of folders that a test has made so."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from htdl import config
from htdl.answers import Finding, Level, SpeedLimit
from htdl.config import Config, Torrent
from htdl.core import checks, codecs, diagnosis, machine, places, ports, reach, symptoms
from htdl.jobs import Blocked, Job, State
from htdl.store import soundness
from htdl.torrent.api import Network
from tests.core.world import running_world
from tests.tools import require

SEEN = Network(
    port=6881,
    addresses=("0.0.0.0",),
    incoming=3,
    peers=9,
    dht_nodes=200,
    trackers_good=2,
    trackers_bad=0,
    tracker_error=None,
)
JOB = Job(id="3f2a1b2c-x", video_id="v", torrent_id="t", status=State.DOWNLOADING)


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return config.load("", {"XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})


def levels(found: list[Finding]) -> dict[str, Level]:
    return {one.name: one.level for one in found}


def worst(found: list[Finding]) -> Finding:
    (one,) = [x for x in found if x.level is not Level.OK]
    assert one.hint
    return one


# --- the network


def network(settings: Config, seen: Network, trouble: str | None = None, **holders: str) -> list[Finding]:
    return reach.findings(settings.torrent, seen, trouble, {int(x[1:]): who for x, who in holders.items()})


def test_a_network_that_works_is_well(settings: Config) -> None:
    assert set(levels(network(settings, SEEN)).values()) == {Level.OK}


def test_a_taken_port_is_told_with_who_has_it(settings: Config) -> None:
    one = worst(network(settings, replace(SEEN, port=40_000), p6881="aria2c, pid 7"))
    assert (one.name, one.level) == ("port", Level.WARN)
    assert "6881 is taken by aria2c, pid 7" in one.words
    within = network(settings, replace(SEEN, port=6882), p6881="aria2c, pid 7")
    assert levels(within)["port"] is Level.OK


def test_to_listen_nowhere_is_wrong(settings: Config) -> None:
    assert worst(network(settings, replace(SEEN, port=None))).level is Level.FAIL
    assert worst(network(settings, SEEN, "cannot listen on tun0")).words == "cannot listen on tun0"


def test_that_nobody_comes_is_told_once_enough_were_found(settings: Config) -> None:
    assert "forward" in worst(network(settings, replace(SEEN, incoming=0))).hint
    assert levels(network(settings, replace(SEEN, incoming=0, peers=1)))["inbound"] is Level.OK


def test_who_comes_from_our_own_network_proves_no_more(settings: Config) -> None:
    def said(torrent: Torrent, peers: int) -> str:
        found = network(msgspec.structs.replace(settings, torrent=torrent), replace(SEEN, incoming=peers))
        return next(x.words for x in found if x.name == "inbound")

    assert said(settings.torrent, 1) == "1 peer has come in of its own accord: we can be reached"
    local = msgspec.structs.replace(settings.torrent, allow_lan=True)
    assert said(local, 2).endswith("of their own accord: we can be reached, at least from our own network")


def test_a_dht_without_nodes_is_told_where_it_is_wanted(settings: Config) -> None:
    assert worst(network(settings, replace(SEEN, dht_nodes=0))).name == "dht"
    off = msgspec.structs.replace(
        settings, torrent=msgspec.structs.replace(settings.torrent, dht_enabled=False)
    )
    assert levels(network(off, replace(SEEN, dht_nodes=0)))["dht"] is Level.OK


def test_trackers_are_wrong_when_none_answers(settings: Config) -> None:
    dead = replace(SEEN, trackers_good=0, trackers_bad=2, tracker_error="x" * 10_000)
    assert worst(network(settings, dead)).name == "trackers"
    assert len(worst(network(settings, dead)).words) < 300
    assert levels(network(settings, replace(dead, trackers_good=1)))["trackers"] is Level.OK


# --- the jobs


@pytest.mark.parametrize("blocked", [x for x in Blocked if x is not Blocked.QUEUE])
def test_what_stands_still_is_told_with_its_cause_and_what_to_do(blocked: Blocked) -> None:
    one = worst(list(symptoms.of_living([replace(JOB, blocked_by=blocked), JOB])))
    assert one.name == blocked.value
    assert "1 job (3f2a1b2c)" in one.words


def test_a_queue_is_told_where_nothing_moves() -> None:
    queued = replace(JOB, status=State.PENDING, blocked_by=Blocked.QUEUE)
    assert worst(list(symptoms.of_living([queued]))).name == "queue"
    assert {x.level for x in symptoms.of_living([queued, JOB])} == {Level.OK}


@pytest.mark.parametrize(
    ("code", "words"), [("invalid_torrent", "no valid torrent"), ("io_error", "disk"), (None, "failed")]
)
def test_what_failed_is_told_by_its_cause(code: str | None, words: str) -> None:
    failed = [replace(JOB, status=State.FAILED, error_code=code, id=f"{n:08}") for n in range(5)]
    one = worst(list(symptoms.of_failed(failed)))
    assert words in one.words
    assert "5 jobs (00000000, 00000001, 00000002, …)" in one.words
    assert "5 jobs or more" in worst(list(symptoms.of_failed(failed, are_all=False))).words


def test_a_little_upload_is_told(settings: Config) -> None:
    held = symptoms.configured(settings)
    assert symptoms.of_limits(held).level is Level.OK
    slow = replace(held, upload=SpeedLimit(speed=5 << 10, by="schedule"))
    assert symptoms.of_limits(slow).level is Level.WARN
    assert "5 KiB/s by the schedule" in symptoms.of_limits(slow).words


# --- the machine


@pytest.mark.parametrize(
    ("now", "written", "level"),
    [(1000.0, 900.0, Level.OK), (1000.0, 9000.0, Level.FAIL), (5000.0, 0.0, Level.WARN)],
    ids=["right", "behind", "set"],
)
def test_a_clock_is_held_against_files_and_the_boot(now: float, written: float, level: Level) -> None:
    times = iter([1000.0, now, now])
    clock = machine.Clock(now=lambda: next(times), steady=lambda: 50.0)
    assert clock.look(written).level is level


def test_who_listens_on_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert ports.holder(port) is None  # it is we ourselves
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()]) as child:
            assert (ports.holder(port) or "").endswith(f", pid {child.pid}")
    assert ports.holder(port) is None


def test_open_files_are_counted_against_connections() -> None:
    assert machine.open_files(200).level is Level.OK
    assert machine.open_files(10**9).level is Level.WARN


def test_a_hook_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    there = config.Hooks(on_added=(sys.executable,), on_failed=(str(tmp_path / "gone"), "x"))
    (one,) = machine.programs(there)
    assert "on_failed" in one.words


# --- folders and the disk


def test_a_folder_that_can_be_made_is_well(settings: Config, tmp_path: Path) -> None:
    assert set(levels(places.look(places.folders(settings, tmp_path / "state"))).values()) == {Level.OK}
    assert list(tmp_path.iterdir()) == []


def test_each_folder_that_is_none_is_told_with_its_key(settings: Config, tmp_path: Path) -> None:
    (tmp_path / "htdl").mkdir()
    (tmp_path / "htdl" / "videos").write_text("in the way")
    one = worst(places.look(places.folders(settings, tmp_path / "state")))
    assert str(tmp_path / "htdl" / "videos") in one.words
    assert "storage.base_path" in one.hint


def test_a_watch_folder_must_be_there(settings: Config, tmp_path: Path) -> None:
    watching = msgspec.structs.replace(settings.watch, paths=(tmp_path / "drop",))
    named = places.folders(msgspec.structs.replace(settings, watch=watching), tmp_path)
    assert "is not there" in worst(places.look(named)).words
    (tmp_path / "drop").mkdir()
    assert set(levels(places.look(named)).values()) == {Level.OK}
    (tmp_path / "drop" / "added").touch()
    assert "needs a folder added" in worst(places.look(named)).words


def test_a_disk_without_room_is_wrong(settings: Config, tmp_path: Path) -> None:
    named = {"jobs": (tmp_path, "HTDL_STATE_DIR")}
    storage = msgspec.structs.replace(settings.storage, min_free=config.Size(1 << 60))
    full = msgspec.structs.replace(settings, storage=storage)
    assert worst(list(places.disks(full, named))).level is Level.FAIL
    assert next(places.disks(settings, named)).level is not Level.FAIL


# --- ffmpeg and the database


async def test_an_ffmpeg_that_is_named_and_does_not_serve_is_told(settings: Config) -> None:
    require("ffmpeg")
    named = msgspec.structs.replace(settings.conversion, ffmpeg_path="/bin/false")
    one = (await codecs.look(named))[0]
    assert (one.level, "/bin/false does not serve" in one.words) == (Level.WARN, True)


def test_what_ffmpeg_lacks_is_told(settings: Config) -> None:
    reads = frozenset({"h264", "ac3"})
    good = frozenset({"libx264", "aac", "zscale", "tonemap"})
    (one,) = codecs.lacks(settings.conversion, good, reads)
    assert "HEVC" in one.words
    assert "H.264" not in one.words
    webm = msgspec.structs.replace(settings.conversion, target_format="webm")
    assert next(codecs.lacks(webm, good, frozenset())).level is Level.FAIL


def test_a_damaged_database_is_told_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "htdl.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE schema_migrations (number INTEGER)")
        db.execute("CREATE TABLE many (words TEXT)")
        db.executemany("INSERT INTO many VALUES (?)", [("word" * 300,)] * 300)
        db.execute("INSERT INTO schema_migrations VALUES (1)")
        db.commit()
    assert soundness.look(path, lambda: True) is None
    before = bytearray(path.read_bytes())
    before[9000:40_000] = b"\xff" * 31_000
    path.write_bytes(before)
    assert "damaged" in (soundness.look(path, lambda: True) or "")
    assert path.read_bytes() == bytes(before)


def test_a_look_that_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "htdl.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE many (words TEXT)")
        db.executemany("INSERT INTO many VALUES (?)", [("word" * 300,)] * 30_000)
        db.commit()
    with pytest.raises(TimeoutError):
        soundness.look(path, lambda: False)


@pytest.mark.parametrize(
    ("number", "words"), [(999, "newer htdl"), (None, "another program")], ids=["newer", "foreign"]
)
def test_a_database_that_is_not_ours_is_told(tmp_path: Path, number: int | None, words: str) -> None:
    path = tmp_path / "htdl.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE {'schema_migrations' if number else 'recipes'} (number INTEGER)")
        db.execute(f"INSERT INTO {'schema_migrations' if number else 'recipes'} VALUES (?)", [number])
        db.commit()
    assert words in (soundness.look(path, lambda: True) or "")


async def test_an_engine_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ENGINE_SECONDS", 0.05)
    async with running_world(tmp_path) as world:
        world.engine.may_go_on.clear()
        (one,) = [x for x in await world.service.doctor() if x.name == "engine"]
        world.engine.may_go_on.set()
    assert (one.level, "has not answered" in one.words) == (Level.FAIL, True)


async def test_a_database_on_a_disk_that_hangs_is_a_finding(
    settings: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "DATABASE_SECONDS", 0.05)
    monkeypatch.setattr(diagnosis, "DISK_SECONDS", 0.05)
    os.mkfifo(path := tmp_path / "htdl.db")  # to open it waits until somebody writes
    found = await diagnosis.of_machine(settings, path)
    os.close(os.open(path, os.O_WRONLY))  # lets its thread go
    (one,) = [x for x in found if x.name == "database"]
    assert (one.level, "has not answered" in one.words) == (Level.FAIL, True)


async def test_a_disk_that_hangs_is_a_finding() -> None:
    answered = threading.Event()

    def look() -> list[Finding]:
        answered.wait(10)
        return []

    (one,) = await diagnosis.patiently("folders", look, seconds=0.05)
    answered.set()
    assert (one.name, one.level) == ("folders", Level.FAIL)
