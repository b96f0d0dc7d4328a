"""Subtitles become WebVTT beside the video, while it arrives: the real daemon, swarm and ffmpeg."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest

from htdl.core import beside, tracks
from htdl.jobs import State
from htdl.wire import JobInfo
from tests.clips import subtitled_clip
from tests.daemon.downloads import completed, database, in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

SRT = "1\r\n0:00:00,000 --> 00:00:50,500\r\nDéjà vu\r\n".encode("cp1252")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Thirty seconds with a cue in each; its tracks are eng, eng, fre, one of no language, and pictures."""
    return subtitled_clip(tmp_path_factory.mktemp("clips")).read_bytes()


def rows(daemon: Daemon) -> list[tuple[str, str]]:
    """All there are, the marks of what is still to come too."""
    return database(daemon).execute("SELECT path, origin FROM subtitles ORDER BY path").fetchall()


def made(daemon: Daemon) -> list[str]:
    """The files, hidden ones too."""
    root = daemon.home / "subtitles"
    return sorted(str(x.relative_to(root)) for x in root.rglob("*") if x.is_file())


def settled(daemon: Daemon, job_id: str) -> JobInfo:
    """The job once it is whole, and nothing more of its subtitles is to come."""
    in_state(daemon, job_id, State.COMPLETED, 60)
    until(lambda: rows(daemon) and all(origin for _, origin in rows(daemon)), 60, lambda: rows(daemon))
    return daemon.client.job(job_id)


def fetched(url: str | None) -> str:
    with urllib.request.urlopen(url or "", timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
        text: str = answer.read().decode()
    assert text.startswith("WEBVTT\n")
    return text


def test_they_are_made_as_far_as_the_video_is_here_and_again_at_the_end(
    daemon: Daemon, swarm: Swarm, film: bytes
) -> None:
    files = {"film.mkv": film, "film.fr.srt": SRT, "film.en.srt": b"no subtitles at all"}
    torrent = swarm.seed(files, name="Film", piece_length=16 << 10, rate=len(film) // 30)
    job_id = daemon.client.add(torrent.magnet, video_id="film-7").id
    early = once(daemon, job_id, lambda x: any(tracks.SO_FAR in one.note for one in x.subtitles))
    assert early.status is State.DOWNLOADING
    (first,) = [x for x in early.subtitles if x.label == "eng"]
    so_far = fetched(first.url)
    assert 0 < so_far.count(" --> ") < 30
    swarm.limit(0)
    completed(daemon, torrent, job_id)
    told = {x.label: x for x in settled(daemon, job_id).subtitles}
    assert sorted(told) == ["eng", "eng.2", "film.en.srt", "fr", "fre", "track 5 (hdmv_pgs_subtitle)", "und"]
    assert fetched(told["eng"].url).count(" --> ") == 30
    assert (told["eng"].language, told["eng"].origin, told["eng"].note) == ("eng", "track 1 (subrip)", "")
    assert "Déjà vu" in fetched(told["fr"].url)
    assert (told["fr"].language, told["fr"].origin) == ("fr", "film.fr.srt")
    assert told["fre"].note == "styles are lost"
    for lost in (told["film.en.srt"], told["track 5 (hdmv_pgs_subtitle)"]):
        assert lost.url is None
        assert lost.note
    assert made(daemon) == [f"film-7/{x}.vtt" for x in ("eng.2", "eng", "fr", "fre", "und")]
    stream = daemon.client.stream(job_id)
    assert [x.label for x in stream.subtitles] == [x.label for x in told.values() if x.url]
    with urllib.request.urlopen(stream.m3u_url or "", timeout=60) as answer:
        assert told["fr"].url in answer.read().decode()


def test_one_that_still_arrives_is_fetched_for_who_asks(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    files = {"film.mkv": film * 8, "film.fr.srt": SRT}
    torrent = swarm.seed(files, name="Film", piece_length=16 << 10, rate=100_000)
    job_id = daemon.client.add(torrent.magnet).id
    early = once(daemon, job_id, lambda x: x.subtitles)
    (french,) = [x for x in early.subtitles if x.label == "fr"]
    assert french.note == beside.ARRIVING
    assert "Déjà vu" in fetched(french.url)
    assert daemon.client.job(job_id).progress < 50


def test_each_episode_has_a_folder(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    torrent = swarm.seed(
        {"s1/e1.mkv": film, "s2/e1.mkv": os.urandom(100_000), "s2/e1.en.srt": SRT, "s1/e1.en.srt": SRT},
        name="Show",
    )
    job_id = daemon.client.add(torrent.magnet, video_id="show").id
    first, _ = [x.path for x in settled(daemon, job_id).files if x.path.endswith("mkv")]
    one = "e1" if first == "Show/s1/e1.mkv" else "e1 (2)"
    assert {x for x in made(daemon) if "/en" in x} == {
        f"show/{folder}/{name}.vtt" for folder in ("e1", "e1 (2)") for name in ("en", "en.2")
    } | {f"show/{one}/{name}.vtt" for name in ("eng", "eng.2")}


@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_they_go_with_the_data_of_their_job(daemon: Daemon, swarm: Swarm, film: bytes, verb: str) -> None:
    job_id = daemon.client.add(swarm.seed({"film.mkv": film}).magnet).id
    settled(daemon, job_id)
    assert made(daemon)
    getattr(daemon.client, verb)(job_id, delete=True)
    assert made(daemon) == []
    assert rows(daemon) == []
    assert not (daemon.home / "subtitles" / job_id).exists()


def test_what_was_not_made_before_a_crash_is_made_after_it(daemon: Daemon, swarm: Swarm, film: bytes) -> None:
    torrent = swarm.seed({"film.mkv": film, "film.fr.srt": SRT}, name="Film")
    job_id = daemon.client.add(torrent.magnet, video_id="v").id
    in_state(daemon, job_id, State.COMPLETED, 60)
    daemon.restart()
    told = settled(daemon, job_id)
    folder = daemon.home / "subtitles" / "v"
    times = {x.name: x.stat().st_mtime_ns for x in folder.iterdir()}
    assert sorted(times) == ["eng.2.vtt", "eng.vtt", "fr.vtt", "fre.vtt", "und.vtt"]
    daemon.kill()
    (folder / "fr.vtt").unlink()
    (folder / ".fr.vtt.part").write_bytes(b"WEB")
    daemon.start()
    until((folder / "fr.vtt").exists, what="it is made again")

    def what(job: JobInfo) -> list[tuple[str, str, str]]:
        return [(x.label, x.origin, x.note) for x in job.subtitles]

    once(daemon, job_id, lambda job: what(job) == what(told))
    assert {x.name: x.stat().st_mtime_ns for x in folder.iterdir() if x.name != "fr.vtt"} == {
        name: time for name, time in times.items() if name != "fr.vtt"
    }, "nothing else is made twice"


def test_a_subtitle_fails_no_job(daemon: Daemon, swarm: Swarm) -> None:
    files: dict[str, int | bytes] = {
        "film.mkv": os.urandom(200_000),
        "film.srt": os.urandom(50_000),
        "film.idx": b"# VobSub index file, v7\n",
    }
    root = daemon.home / "subtitles"
    root.write_bytes(b"a file where the folder is to be")
    torrent = swarm.seed(files, name="Film")
    job_id = daemon.client.add(torrent.magnet, files=("*",)).id
    completed(daemon, torrent, job_id)
    told = settled(daemon, job_id).subtitles
    assert {x.origin: x.url for x in told} == {"film.srt": None, "film.idx": None}
    assert all(x.note for x in told)
    assert Path(root).read_bytes() == b"a file where the folder is to be"
