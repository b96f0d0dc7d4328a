"""`htdl play` and `htdl url`, by the real command line; players are real programs."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.cli import clip
from htdl.jobs import State
from htdl.wire import JobInfo
from tests.daemon.downloads import completed, once
from tests.daemons import Daemon
from tests.swarm import Swarm, Torrent
from tests.waiting import until

DEAD = "a" * 40  # nobody has it
RATE = 300_000  # bytes a second of a seeder: the film's 8.6 MB take half a minute
NAME = "a film é & 'co'.avi"

PLAYER = """\
#!{python}
import json, pathlib, sys, urllib.request
pathlib.Path(sys.argv[0] + ".told").write_text(json.dumps(sys.argv[1:]))
request = urllib.request.Request(sys.argv[-1], headers={{"Range": "bytes={part}"}})
with urllib.request.urlopen(request, timeout=60) as answer:
    pathlib.Path(sys.argv[0] + ".got").write_bytes(answer.read())
"""


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


class Player:
    """A program on a PATH of its own that fetches these bytes of what it is told to play."""

    def __init__(self, folder: Path, name: str = "mpv", part: str = "0-99999") -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / name
        self.path.write_text(PLAYER.format(python=sys.executable, part=part))
        self.path.chmod(0o755)
        self.env = {"PATH": str(folder)}

    @property
    def told(self) -> list[str]:
        told: list[str] = json.loads(self.path.with_name(f"{self.path.name}.told").read_text())
        return told

    @property
    def got(self) -> bytes:
        return self.path.with_name(f"{self.path.name}.got").read_bytes()


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path / "bin")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of video; its index is at its end."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    clip.write(path, 2.0)
    return path.read_bytes()


def arriving(daemon: Daemon, job_id: str) -> JobInfo:
    job = daemon.client.job(job_id)
    assert job.status is State.DOWNLOADING, "the test's download was too quick"
    return job


def seeded(swarm: Swarm, film: bytes, rate: int = 0) -> Torrent:
    return swarm.seed({NAME: film}, name=NAME, rate=rate)


# playing


def test_a_source_is_added_and_played_while_it_arrives(
    daemon: Daemon, swarm: Swarm, film: bytes, player: Player
) -> None:
    torrent = seeded(swarm, film, rate=RATE)
    played = daemon.htdl("play", torrent.magnet, env=player.env)
    (job,) = daemon.client.jobs()
    arriving(daemon, job.id)
    assert played.returncode == 0, played.stderr
    assert played.stdout == f"added {job.id[:8]}  {torrent.info_hash}\n"
    assert player.got == film[:100_000]
    title, url = player.told
    assert title == f"--force-media-title={NAME}"
    assert url == daemon.client.stream(job.id).url
    assert "not yet: " in played.stderr
    assert f"playing in mpv: {NAME} (" in played.stderr


def test_a_job_that_is_whole_is_played_at_once(
    daemon: Daemon, swarm: Swarm, film: bytes, tmp_path: Path
) -> None:
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    other = Player(tmp_path / "bin", "other player", part="0-")
    command = f"'{other.path}' --loud"
    played = daemon.htdl("play", job.id[:6], "--player", command, "--from", "1")
    assert played.returncode == 0, played.stderr
    assert other.got == film
    assert other.told == ["--loud", daemon.client.stream(job.id).url]
    assert "does not know how to tell" in played.stderr
    assert "not yet" not in played.stderr
    assert f"playing in other player: {NAME} (the whole file is here)\n" in played.stderr


def test_from_a_later_moment_on_what_plays_there_comes_first(
    daemon: Daemon, swarm: Swarm, tmp_path: Path
) -> None:
    path = tmp_path / "long.avi"
    size = clip.write(path, 16.0)
    torrent = swarm.seed({"long.avi": path.read_bytes()}, name="long.avi", rate=5_000_000)
    begin = size * 10 // 16 + 1_000_000  # players go back some five seconds to the last whole picture
    player = Player(tmp_path / "bin", part=f"{begin}-{begin + 99_999}")
    played = daemon.htdl("play", torrent.magnet, "--from", "0:15", env=player.env)
    assert played.returncode == 0, played.stderr
    arriving(daemon, daemon.client.jobs()[0].id)
    assert player.told[1] == "--start=15"
    assert player.got == torrent.content("long.avi")[begin:][:100_000]


def test_the_daemon_is_started_where_none_answers(
    make_daemon: Callable[..., Daemon], swarm: Swarm, film: bytes, player: Player
) -> None:
    offline = make_daemon(start=False)
    try:
        refused = offline.htdl("play", "--no-start", DEAD, env=player.env)
        assert refused.returncode == 3
        played = offline.htdl("play", seeded(swarm, film).magnet, env=player.env)
        assert played.returncode == 0, played.stderr
        assert player.got == film[:100_000]
        (job,) = offline.client.jobs()
        offline.htdl("daemon", "stop")
        assert offline.htdl("play", "--no-start", job.id, env=player.env).returncode == 3
        again = offline.htdl("play", job.id[:8], env=player.env)
        assert again.returncode == 0, again.stderr
        assert "started the daemon" in again.stderr
    finally:
        offline.htdl("daemon", "stop")


def test_a_job_is_named_by_its_video_as_well(
    daemon: Daemon, swarm: Swarm, film: bytes, player: Player
) -> None:
    torrent = seeded(swarm, film)
    completed(daemon, torrent, daemon.client.add(torrent.magnet, video_id="2026-0000-11").id)
    played = daemon.htdl("play", "2026-0000-11", env=player.env)
    assert played.returncode == 0, played.stderr
    assert player.got == film[:100_000]


def test_one_file_of_several_is_played(daemon: Daemon, swarm: Swarm, film: bytes, player: Player) -> None:
    torrent = swarm.seed({"one.avi": film, "two.avi": film[::-1], "three.avi": film}, name="show")
    job = daemon.client.add(torrent.magnet, files=["one.avi", "two.avi"])
    job = once(daemon, job.id, lambda job: job.files)
    two = next(x.index for x in job.files if x.path.endswith("two.avi"))
    played = daemon.htdl("play", job.id, "--file", "TWO*", "--no-wait", env=player.env)
    assert played.returncode == 0, played.stderr
    assert player.got == film[::-1][:100_000]
    assert player.told[-1] == daemon.client.stream(job.id, two).url
    assert daemon.htdl("play", job.id, "--file", "three.avi", env=player.env).returncode == 9
    assert daemon.htdl("play", job.id, "--file", "99", env=player.env).returncode == 4
    assert daemon.htdl("play", job.id, "--file", "*.avi", env=player.env).returncode == 2


def test_the_player_is_handed_the_subtitles_of_the_video(
    daemon: Daemon, swarm: Swarm, film: bytes, player: Player
) -> None:
    subtitle = b"1\n00:00:00,000 --> 00:00:02,000\nHello\n"
    torrent = swarm.seed({"one.avi": film, "one.en.srt": subtitle, "one.de.srt": subtitle}, name="show")
    played = daemon.htdl("play", torrent.magnet, env=player.env)
    assert played.returncode == 0, played.stderr
    handed = [x.removeprefix("--sub-file=") for x in player.told if x.startswith("--sub-file=")]
    assert sorted(x.rpartition("/")[2] for x in handed) == ["de.vtt", "en.vtt"]
    with urllib.request.urlopen(handed[0], timeout=60) as answer:
        assert b"00:00:00.000 --> 00:00:02.000\nHello\n" in answer.read()


def test_a_moment_past_the_end_is_refused_at_once(
    daemon: Daemon, swarm: Swarm, film: bytes, player: Player
) -> None:
    torrent = seeded(swarm, film, rate=RATE)
    arriving_too = daemon.htdl("play", torrent.magnet, "--from", "1:00:00", env=player.env)
    (job,) = daemon.client.jobs()
    arriving(daemon, job.id)
    swarm.limit(0)
    completed(daemon, torrent, job.id)
    for told in (arriving_too, daemon.htdl("play", job.id, "--from", "3", "--no-wait", env=player.env)):
        assert told.returncode == 9, told.stderr
        assert " ends at 0:00:02\n" in told.stderr
        assert "playing" not in told.stderr
    assert daemon.htdl("play", job.id, "--from", "3:99", env=player.env).returncode == 2


def test_of_a_new_source_only_the_named_file_is_downloaded(
    daemon: Daemon, swarm: Swarm, film: bytes, player: Player
) -> None:
    torrent = swarm.seed({"one.avi": film, "two.avi": film[::-1]}, name="show")
    played = daemon.htdl("play", torrent.magnet, "--file", "two.avi", env=player.env)
    assert played.returncode == 0, played.stderr
    assert player.got == film[::-1][:100_000]
    assert [x.path for x in daemon.client.jobs()[0].files if x.wanted] == ["show/two.avi"]


def test_what_waits_in_the_queue_is_begun_for_who_wants_to_see_it(
    make_daemon: Callable[..., Daemon], swarm: Swarm, film: bytes, player: Player
) -> None:
    daemon = make_daemon(torrent={"max_active_downloads": 1})
    daemon.client.add(DEAD)
    job = daemon.client.add(seeded(swarm, film).magnet)
    once(daemon, job.id, lambda job: job.blocked_by == "queue")
    played = daemon.htdl("play", job.id, env=player.env)
    assert played.returncode == 0, played.stderr
    assert player.got == film[:100_000]


def test_ctrl_c_stops_waiting_and_not_the_download(daemon: Daemon, player: Player) -> None:
    command = [sys.executable, "-m", "htdl", "play", DEAD]
    with subprocess.Popen(
        command, env=daemon.env | player.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as playing:
        assert playing.stderr
        assert playing.stderr.readline().startswith("not yet: ")
        playing.send_signal(signal.SIGINT)
        _, told = playing.communicate(timeout=60)
    (job,) = daemon.client.jobs()
    assert playing.returncode == 130
    assert f"the download goes on.  Watch it with: htdl play {job.id[:8]}" in told
    assert job.wish == "RUN"


def test_it_waits_for_a_daemon_that_is_restarted(daemon: Daemon, player: Player) -> None:
    command = [sys.executable, "-m", "htdl", "play", DEAD]
    with subprocess.Popen(command, env=daemon.env | player.env, stderr=subprocess.PIPE, text=True) as playing:
        try:
            assert playing.stderr
            assert playing.stderr.readline().startswith("not yet: ")
            daemon.kill()
            while "the daemon is gone" not in playing.stderr.readline():
                assert playing.poll() is None
            daemon.start()
            assert playing.stderr.readline().startswith("not yet: ")
            (job,) = daemon.client.jobs()
            daemon.client.cancel(job.id)
            assert playing.wait(60) == 1
        finally:
            playing.kill()


def test_ctrl_c_without_a_daemon_promises_no_download(daemon: Daemon, player: Player) -> None:
    command = [sys.executable, "-m", "htdl", "play", DEAD]
    with subprocess.Popen(command, env=daemon.env | player.env, stderr=subprocess.PIPE, text=True) as playing:
        try:
            assert playing.stderr
            assert playing.stderr.readline().startswith("not yet: ")
            daemon.kill()
            while "the daemon is gone" not in playing.stderr.readline():
                assert playing.poll() is None
            playing.send_signal(signal.SIGINT)
            told = playing.stderr.read()
            assert playing.wait(60) == 130
        finally:
            playing.kill()
    assert "goes on" not in told
    assert "the daemon does not answer" in told


def test_on_a_terminal_it_draws_what_it_waits_for(daemon: Daemon, player: Player) -> None:
    ours, theirs = pty.openpty()
    environ = daemon.env | player.env | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    seen = ""
    with subprocess.Popen(
        [sys.executable, "-m", "htdl", "play", DEAD], env=environ, stdout=theirs
    ) as playing:
        os.close(theirs)
        try:
            while "downloading · 0 peers" not in seen or "fetching metadata" not in seen:
                seen += os.read(ours, 4096).decode(errors="replace")
        finally:
            playing.kill()
            os.close(ours)
    assert "────" not in seen


# what cannot be played


def test_without_a_player_nothing_is_begun(daemon: Daemon) -> None:
    told = daemon.htdl("play", DEAD, "--player", "nosuchplayer --fs")
    assert told.returncode == 1
    assert "'nosuchplayer' is not installed" in told.stderr
    assert "--page" in told.stderr
    assert daemon.client.jobs() == []


def test_a_player_that_fails_is_told(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    told = daemon.htdl("play", job.id, "--player", "sh -c 'exit 7'")
    assert told.returncode == 1
    assert "the player 'sh' ended with code 7" in told.stderr
    assert "says why; the download is whole" in told.stderr


def test_a_player_that_fails_with_the_daemon_hears_nothing_of_a_download_that_goes_on(
    daemon: Daemon, swarm: Swarm, film: bytes
) -> None:
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert daemon.process
    told = daemon.htdl("play", job.id, "--player", f"sh -c 'kill -9 {daemon.process.pid}; exit 7'")
    assert told.returncode == 1
    assert "goes on" not in told.stderr
    assert "the daemon does not answer" in told.stderr


def test_a_film_that_ends_early_is_not_passed_over(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    """Players take the end of what came for the end of the film, and end well."""
    torrent = swarm.seed({NAME: film}, rate=RATE // 3)
    job = daemon.client.add(torrent.magnet)
    pause = f"{sys.executable} -m htdl pause {job.id}"
    told = daemon.htdl("play", job.id, "--no-wait", "--player", f'sh -c "{pause}"')
    assert told.returncode == 0
    assert "the download is paused: what had not come by then was not played" in told.stderr


def test_what_cannot_be_played_is_said_at_once(daemon: Daemon, player: Player) -> None:
    job = daemon.client.add(DEAD, paused=True)
    paused = daemon.htdl("play", job.id, env=player.env)
    assert paused.returncode == 9
    assert f"htdl resume {job.id[:8]}" in paused.stderr
    daemon.client.cancel(job.id)
    once(daemon, job.id, lambda job: job.status is State.CANCELLED)
    cancelled = daemon.htdl("play", job.id, env=player.env)
    assert (cancelled.returncode, f"htdl retry {job.id[:8]}" in cancelled.stderr) == (1, True)
    assert daemon.htdl("play", "ffff", env=player.env).returncode == 4
    nothing = daemon.htdl("play", "nosuch.torrent", env=player.env)
    assert (nothing.returncode, "or the id of a download" in nothing.stderr) == (5, True)


# the browser, and the address alone


def test_without_a_player_the_page_is_opened(
    daemon: Daemon, swarm: Swarm, film: bytes, tmp_path: Path
) -> None:
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    url = f"{daemon.client.stream(job.id).page_url}#t=1.5"
    for args in (["--page"], []):
        environ = {"BROWSER": f"{browser} %s"} | ({} if args else {"PATH": "/nonexistent"})
        told = daemon.htdl("play", job.id, "--from", "0:01.5", *args, env=environ)
        assert (told.returncode, told.stdout) == (0, f"{url}\n"), told.stderr
        assert told.stderr == f"playing in the browser: {NAME} (the whole file is here)\n"
        until(opened.exists)
        assert opened.read_text() == url
        opened.unlink()


def test_the_configured_player_is_taken(
    make_daemon: Callable[..., Daemon], swarm: Swarm, film: bytes, tmp_path: Path
) -> None:
    ours = Player(tmp_path / "bin", "ours")
    daemon = make_daemon(stream={"player": f"{ours.path} --quiet"})
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert daemon.htdl("play", job.id).returncode == 0
    assert ours.told[0] == "--quiet"


def test_url_prints_the_url_alone(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    torrent = seeded(swarm, film)
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    printed = daemon.htdl("url", job.id[:6]).stdout
    assert printed == f"{daemon.client.stream(job.id).url}\n"
    assert printed == f"{daemon.client.job(job.id).stream_url}\n"
    assert printed.isascii()
    with urllib.request.urlopen(printed.strip(), timeout=60) as answer:
        assert answer.read() == film
    assert daemon.htdl("url", job.id, "--file", "0").stdout == printed
    playlist = daemon.htdl("url", job.id, "--m3u").stdout.strip()
    with urllib.request.urlopen(playlist, timeout=60) as answer:
        assert printed.strip() in answer.read().decode()
    assert "/watch/" in daemon.htdl("url", job.id, "--page").stdout
    told = json.loads(daemon.htdl("url", job.id, "--json").stdout)
    assert (told["url"], told["file"], told["readiness"]["ready"]) == (printed.strip(), 0, True)


def test_what_has_no_file_yet_has_no_url(daemon: Daemon) -> None:
    job = daemon.client.add(DEAD)
    told = daemon.htdl("url", job.id)
    assert (told.returncode, told.stdout) == (9, "")
    assert "cannot be watched" in told.stderr
    assert f"htdl wait {job.id[:8]} --for ready" in told.stderr
    assert daemon.htdl("url", job.id, "--file", "3").returncode == 9


# the verdict


def test_what_is_missing_is_said_by_show_status_and_wait(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    job = daemon.client.add(seeded(swarm, film, rate=50_000).magnet)
    once(daemon, job.id, lambda job: job.download_speed and job.readiness and not job.readiness.ready)
    swarm.limit(1)
    shown = daemon.htdl("show", job.id).stdout
    assert "\nready " in shown
    assert "\nbuffered " in shown
    assert "\nindex " in shown
    assert "cannot be watched yet: " in daemon.htdl("status").stdout
    late = daemon.htdl("wait", job.id, "--for", "ready", "--timeout", "0.1")
    assert late.returncode == 7
    found = daemon.client.job(job.id).readiness
    assert found
    assert not found.ready


# a real player


def test_mpv_plays_what_is_still_arriving(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    """CI need not have it: `play` is tested above with a program that is one in all that matters to htdl."""
    mpv = shutil.which("mpv")
    if mpv is None:
        pytest.skip("mpv is not installed")
    job = daemon.client.add(seeded(swarm, film, rate=RATE * 3 // 2).magnet)
    command = (
        f"{mpv} --no-config --vo=null --ao=null --frames=10 --term-playing-msg='${{media-title}}, ${{start}}'"
    )
    played = daemon.htdl("play", job.id, "--player", command)
    arriving(daemon, job.id)
    assert played.returncode == 0, played.stderr
    assert "320x180" in played.stdout
    swarm.limit(0)
    daemon.client.wait(job.id, timeout=60)
    later = daemon.htdl("play", job.id, "--from", "1.5", "--player", command)
    assert later.returncode == 0, later.stderr
    assert f"{NAME}, 1.5" in later.stdout
