"""Each verb once, by the real command line against the real daemon and a real swarm."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

DEAD = "a" * 40  # nobody has it


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def begin(daemon: Daemon, *args: str) -> subprocess.Popen[str]:
    """A command that goes on for a while."""
    return subprocess.Popen(
        [sys.executable, "-m", "htdl", *args],
        env=daemon.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def add(daemon: Daemon, source: str, *options: str) -> str:
    result = daemon.htdl("add", "--quiet", source, *options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_torrent_file_in_and_a_video_out(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"film.mkv": 300_000}, name="film.mkv")
    added = json.loads(daemon.htdl("add", "--json", torrent.magnet).stdout)
    assert (added["info_hash"], added["progress"]) == (torrent.info_hash, 0)
    job_id = added["id"]

    waited = daemon.htdl("wait", job_id[:6], "--timeout", "50", "--json")
    assert waited.returncode == 0, waited.stderr
    done = json.loads(waited.stdout)
    assert (done["status"], done["progress_exact"]) == ("COMPLETED", 100.0)

    shown = daemon.htdl("show", job_id[:6]).stdout
    assert done["file_path"] in shown
    assert "film.mkv" in shown
    table = daemon.htdl("status").stdout.splitlines()
    assert table[0].split() == ["ID", "STATE", "DONE", "DOWN", "UP", "ETA", "SIZE", "PEERS", "NAME"]
    assert table[1].startswith(job_id[:8])
    assert "100%" in table[1]
    assert json.loads(daemon.htdl("status", "--json").stdout)[0]["id"] == job_id
    assert json.loads(daemon.htdl("stats", "--json").stdout)["by_status"]["COMPLETED"] == 1
    assert "success" in daemon.htdl("stats").stdout


def test_the_same_torrent_is_not_added_twice(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    again = daemon.htdl("add", DEAD)
    assert (again.returncode, again.stdout) == (0, f"already here: {job_id[:8]}  {DEAD}\n")


def test_options_that_come_too_late_are_told(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD, "--video-id", "film-1")
    late = ["--priority", "3", "--file", "*.mkv", "--max-down", "1M", "--paused", "--video-id", "film-1"]
    again = daemon.htdl("add", DEAD, *late)
    assert again.stdout.startswith(f"already here: {job_id[:8]}")
    assert again.stderr == (
        f"htdl: job {job_id[:8]} ({DEAD}) keeps its own options;"
        " not applied: --file, --priority, --paused, --max-down\n"
    )
    in_json = json.loads(daemon.htdl("add", DEAD, "--all-files", "--json").stderr)
    assert "--all-files" in in_json["warning"]["message"]
    assert daemon.htdl("add", DEAD, "--video-id", "film-1").stderr == ""


def test_each_source_is_tried_and_each_fault_told(daemon: Daemon) -> None:
    result = daemon.htdl("add", "--json", "/missing.torrent", DEAD, "magnet:?xt=nonsense")
    assert result.returncode == 5
    assert [x["info_hash"] for x in json.loads(result.stdout)] == [DEAD]
    assert [json.loads(x)["error"]["code"] for x in result.stderr.splitlines()] == [
        "bad_source",
        "bad_source",
    ]


def test_a_torrent_comes_through_a_pipe(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"piped.mkv": 100_000}, name="piped.mkv")
    result = subprocess.run(
        [sys.executable, "-m", "htdl", "add", "-"],
        env=daemon.env,
        input=torrent.metainfo,
        capture_output=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert b"piped.mkv" in result.stdout


def test_options_of_add_reach_the_job(daemon: Daemon) -> None:
    which = ["--video-id", "film-1", "--file", "*.mkv", "--file", "3"]
    limits = ["--max-down", "500K", "--max-up", "10"]
    job = json.loads(
        daemon.htdl("add", "--json", DEAD, "--paused", "--priority", "7", *which, *limits).stdout
    )
    assert (job["priority"], job["wish"], job["video_id"]) == (7, "PAUSE", "film-1")
    assert (job["max_download_speed"], job["max_upload_speed"]) == (500 << 10, 10 << 10)
    assert job["selection"] == ["*.mkv", "3"]


def test_pause_and_resume(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    assert daemon.htdl("pause", job_id[:8]).stdout.startswith(f"paused {job_id[:8]}")
    until(lambda: daemon.client.job(job_id).status == "PAUSED")
    assert json.loads(daemon.htdl("resume", "--all", "--json").stdout)[0]["id"] == job_id
    until(lambda: daemon.client.job(job_id).status != "PAUSED")
    assert daemon.htdl("resume", "--all").stdout == "there is nothing to do\n"


def test_cancel_retry_and_remove(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    assert daemon.htdl("remove", job_id).returncode == 9
    told = daemon.htdl("cancel", job_id, "--delete").stdout
    assert daemon.client.job(job_id).save_path in told
    until(lambda: daemon.client.job(job_id).status == "CANCELLED")
    assert daemon.htdl("retry", job_id).returncode == 0
    until(lambda: daemon.client.job(job_id).status == "DOWNLOADING")
    assert daemon.htdl("cancel", "--all", "--yes").returncode == 0
    until(lambda: daemon.client.job(job_id).status == "CANCELLED")
    assert daemon.htdl("remove", job_id[:8]).stdout.startswith("removed")
    unknown = daemon.htdl("show", job_id)
    assert (unknown.returncode, unknown.stderr) == (
        4,
        daemon.htdl("show", "zz").stderr.replace("zz", job_id),
    )


def test_cancel_all_asks_first(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"n\n")
        asked = daemon.htdl("cancel", "--all", stdin=theirs)
        os.write(ours, b"\x04")
        left = daemon.htdl("cancel", "--all", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert asked.returncode == 1
    assert "Cancel 1 download?" in asked.stderr
    assert asked.stderr.endswith("nothing was cancelled\n")
    assert (left.returncode, left.stderr[-2:]) == (130, " \n")
    assert daemon.client.job(job_id).wish == "RUN"


def test_status_limits_and_filters(daemon: Daemon) -> None:
    for letter in "abc":
        add(daemon, letter * 40, "--paused")
    assert "\n2 of 3 shown; all of them: htdl status --all\n" in daemon.htdl("status", "-n", "2").stdout
    assert len(json.loads(daemon.htdl("status", "--json", "--limit", "2").stdout)) == 2
    assert daemon.htdl("status", "-s", "completed").stdout == "no such downloads\n"
    some = daemon.htdl("status", "-n", "1", "-s", "Paused").stdout
    assert "1 of 3 shown; all of them: htdl status --all -s paused\n" in some
    assert "1 of 3 shown" in daemon.htdl("status", "-n", "1", *(x.id for x in daemon.client.jobs())).stdout


def test_status_finds_and_sorts(daemon: Daemon, swarm: Swarm) -> None:
    film = daemon.client.add(swarm.seed({"a film.mkv": 300_000}, name="a film.mkv").magnet)
    daemon.client.wait(film.id, timeout=60)
    other = daemon.client.add(swarm.seed({"B.mkv": 100_000}, name="B.mkv").magnet)
    daemon.client.wait(other.id, timeout=60)
    until(lambda: all(x.seeding for x in daemon.client.jobs()))
    dead = add(daemon, DEAD, "--paused")

    def listed(*options: str) -> list[str]:
        return [job["id"] for job in json.loads(daemon.htdl("status", "--json", *options).stdout)]

    assert listed("--name", "FILM") == [film.id]
    assert listed("--name", "*.mkv", "--sort", "name") == [film.id, other.id]
    assert listed("--sort", "size", "-r") == [dead, other.id, film.id]
    assert sorted(listed("--ready")) == sorted([film.id, other.id])
    assert listed("--ready", "--sort", "added", "-n", "1") == [other.id]
    assert listed("--active", "--sort", "name") == [film.id, other.id], "they seed"
    assert listed(dead[:8], film.id, "--sort", "size") == [film.id, dead]
    assert listed(dead, "--ready") == []
    assert [x.id for x in daemon.client.jobs(name="fi", ready=True, sort="size", reverse=True)] == [film.id]

    told = daemon.htdl("status", "--name", "*.mkv", "--ready", "--sort", "size", "-n", "1").stdout
    assert told.endswith("1 of 2 shown; all of them: htdl status --all --ready --name '*.mkv' --sort size\n")
    assert daemon.htdl("status", "--name", "nobody").stdout == "no such downloads\n"
    assert daemon.htdl("status", "--name", "\x1b[31m; rm").stdout == "no such downloads\n"
    assert daemon.htdl("status", "-r").returncode == 2
    assert daemon.htdl("status", "--sort", "colour").returncode == 2
    assert daemon.htdl("status", "--name", "x" * 201).returncode == 2


def test_status_takes_the_words_it_shows(daemon: Daemon, swarm: Swarm) -> None:
    done = daemon.client.add(swarm.seed({"film.mkv": 100_000}, name="film.mkv").magnet)
    daemon.client.wait(done.id, timeout=60)
    until(lambda: daemon.client.job(done.id).seeding)
    paused = add(daemon, DEAD, "--paused")

    def listed(*words: str) -> list[str]:
        options = [x for word in words for x in ("-s", word)]
        return [job["id"] for job in json.loads(daemon.htdl("status", "--json", *options).stdout)]

    assert listed("seeding") == listed("SEEDING") == listed("completed") == [done.id]
    assert listed("seeding", "paused") == [paused, done.id]
    assert listed("queued") == listed("cancelling") == []
    daemon.client.cancel(done.id)  # ends the seeding
    assert listed("seeding") == []
    assert listed("completed") == [done.id]


def test_the_way_from_a_download_to_a_player(daemon: Daemon, swarm: Swarm) -> None:
    job_id = add(daemon, swarm.seed({"film one.mkv": 100_000}, name="film one.mkv").magnet)
    waited = daemon.htdl("wait", job_id, "--for", "ready", "--timeout", "50")
    path = daemon.downloads / job_id / "film one.mkv"
    assert waited.stdout == f"{job_id[:8]}  film one.mkv can be watched: {path}\n"
    daemon.client.wait(job_id, timeout=60)
    assert daemon.htdl("show", job_id, "--path").stdout == f"{path}\n"

    removed = daemon.htdl("cancel", job_id, "--delete")
    assert removed.returncode == 0, removed.stderr
    assert "its files are gone" in daemon.htdl("status").stdout
    assert daemon.htdl("wait", job_id, "--for", "ready").returncode == 1
    shown = daemon.htdl("show", job_id, "--path")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "gone" in shown.stderr
    assert "ready" not in daemon.htdl("show", job_id).stdout


def test_a_file_that_is_not_there_has_no_path(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    shown = daemon.htdl("show", job_id, "--path")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "has no file yet" in shown.stderr
    assert f"htdl wait {job_id[:8]} --for ready" in shown.stderr
    daemon.client.cancel(job_id)
    until(lambda: daemon.client.job(job_id).status == "CANCELLED")
    for verb in (["show", job_id, "--path"], ["url", job_id]):
        assert f"htdl retry {job_id[:8]}" in daemon.htdl(*verb).stderr


def test_remove_says_where_the_data_stay(daemon: Daemon, swarm: Swarm) -> None:
    job_id = add(daemon, swarm.seed({"film.mkv": 100_000}, name="film.mkv").magnet)
    daemon.client.wait(job_id, timeout=60)
    told = daemon.htdl("remove", job_id).stdout
    assert f"its data stays in {daemon.downloads / job_id}\n" in told
    assert (daemon.downloads / job_id / "film.mkv").exists()


def test_wait_tells_how_it_ended(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    until(lambda: daemon.client.job(job_id).status == "DOWNLOADING")
    before = daemon.client.job(job_id).detail
    late = daemon.htdl("wait", job_id, "--timeout", "0.2s")
    after = daemon.client.job(job_id).detail
    assert late.returncode == 7
    assert f"job {job_id[:8]} ({DEAD}) is not completed yet: downloading, " in late.stderr
    assert before in late.stderr or after in late.stderr
    assert daemon.htdl("wait", "0000").returncode == 4
    daemon.client.cancel(job_id)
    assert daemon.htdl("wait", job_id, "--timeout", "50").returncode == 1


def test_watch_ends_with_the_download(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"film.mkv": 300_000}, name="film.mkv")
    result = daemon.htdl("add", "--watch", torrent.magnet)
    assert result.returncode == 0, result.stderr
    assert "100%" in result.stdout.splitlines()[-1]
    assert "\x1b" not in result.stdout


def test_watch_tells_of_a_cancelled_download(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    watching = begin(daemon, "watch", job_id[:8], "--json")
    assert watching.stdout
    assert json.loads(watching.stdout.readline())["event"] == "state"
    daemon.client.cancel(job_id)
    output, _ = watching.communicate(timeout=60)
    assert json.loads(output.splitlines()[-1])["job"]["status"] == "CANCELLED"
    assert watching.returncode == 1


def test_watch_survives_a_restart(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    watching = begin(daemon, "watch", "--json")
    assert watching.stdout
    assert json.loads(watching.stdout.readline())["event"] == "state"
    daemon.restart()
    states = (json.loads(line) for line in watching.stdout)
    assert next(x for x in states if x["event"] == "state")["jobs"][0]["id"] == job_id
    daemon.client.cancel(job_id)
    watching.communicate(timeout=60)
    assert watching.returncode == 1


def test_an_interrupt_stops_following_only(daemon: Daemon) -> None:
    watching = begin(daemon, "add", DEAD, "--watch")
    assert watching.stdout
    job_id = watching.stdout.readline().split()[1]
    watching.stdout.readline()  # it follows now
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert f"htdl watch {job_id}" in told
    assert daemon.client.job(job_id).wish == "RUN"


def test_events_are_lines_of_json(daemon: Daemon) -> None:
    following = begin(daemon, "events")
    assert following.stdout
    assert json.loads(following.stdout.readline())["event"] == "state"
    job_id = add(daemon, DEAD)
    added = json.loads(following.stdout.readline())
    assert (added["event"], added["job"]["id"]) == ("added", job_id)
    daemon.restart()
    again = next(x for x in map(json.loads, following.stdout) if x["event"] == "state")
    assert [x["id"] for x in again["jobs"]] == [job_id]
    following.send_signal(signal.SIGINT)
    _, told = following.communicate(timeout=60)
    assert following.returncode == 130
    assert "the daemon is gone, waiting for it" in told


def test_the_daemon_says_how_it_is(daemon: Daemon) -> None:
    assert daemon.process
    told = json.loads(daemon.htdl("daemon", "status", "--json").stdout)
    assert (told["ok"], told["pid"]) == (True, daemon.process.pid)
    assert f"pid {daemon.process.pid}" in daemon.htdl("daemon", "status").stdout
    assert daemon.htdl("daemon", "start").stdout == "the daemon runs already\n"
    assert daemon.htdl("daemon", "reload").stdout == "nothing has changed since it was last read\n"
    assert "torrent.max_connections = 200" in daemon.htdl("config", "show").stdout


def test_add_starts_a_daemon_and_stop_ends_it(offline: Daemon) -> None:
    try:
        added = offline.htdl("add", "--quiet", DEAD)
        assert added.returncode == 0, added.stderr
        assert offline.client.job(added.stdout.strip()).info_hash == DEAD
        assert offline.state.joinpath("daemon.log").stat().st_mode & 0o077 == 0
        assert offline.htdl("daemon", "stop").returncode == 0
        assert offline.htdl("daemon", "status").returncode == 3
        assert (
            offline.htdl("daemon", "start").returncode == 0
        )  # at once, while the old one may still be ending
        assert offline.client.job(added.stdout.strip()).info_hash == DEAD
    finally:
        offline.htdl("daemon", "stop")


def test_a_daemon_that_cannot_start_says_why(offline: Daemon) -> None:
    offline.config.write_text("[torrent]\nmax_connections = 'many'\n")
    for command in (("daemon", "start"), ("add", DEAD)):
        result = offline.htdl(*command)
        assert result.returncode == 2
        assert "torrent.max_connections" in result.stderr


def test_a_daemon_on_another_socket_is_named_at_once(daemon: Daemon) -> None:
    assert daemon.process
    elsewhere = {"HTDL_SOCKET": str(daemon.socket.with_name("other"))}
    for command in (("daemon", "start"), ("add", DEAD)):
        result = daemon.htdl(*command, env=elsewhere)
        assert result.returncode == 9
        assert f"(pid {daemon.process.pid}), on another socket" in result.stderr
        assert f"htdl --socket {daemon.socket}" in result.stderr
    stopped = daemon.htdl("daemon", "stop", env=elsewhere)
    assert stopped.returncode == 3
    assert f"htdl --socket {daemon.socket}" in stopped.stderr
    log = daemon.state.joinpath("daemon.log").read_text()
    assert log.count("already running") == 2, "one try a command"


def test_a_socket_that_cannot_be_had_is_told_at_once(offline: Daemon) -> None:
    offline.socket.parent.mkdir(parents=True)
    offline.socket.write_text("not a socket")
    result = offline.htdl("daemon", "start")
    assert result.returncode == 9
    assert str(offline.socket) in result.stderr


def test_a_log_that_cannot_be_written_is_told_with_what_to_do(offline: Daemon) -> None:
    result = offline.htdl("daemon", "start", env={"HTDL_STATE_DIR": "/proc/nothing"})
    assert result.returncode == 1
    assert "its log at /proc/nothing/daemon.log: No such file or directory\n" in result.stderr
    assert "HTDL_STATE_DIR" in result.stderr


def test_nothing_is_coloured_in_a_pipe(daemon: Daemon) -> None:
    job_id = add(daemon, DEAD)
    daemon.client.cancel(job_id)
    until(lambda: daemon.client.job(job_id).status == "CANCELLED")
    for command in (("status",), ("show", job_id), ("stats",), ("watch",), ("add", DEAD)):
        result = daemon.htdl(*command, env={"TERM": "xterm", "FORCE_COLOR": "1"})
        assert result.stdout
        assert result.stdout.isascii()
        assert "\x1b" not in result.stdout + result.stderr
