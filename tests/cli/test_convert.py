"""`htdl convert`, by the real command line, daemon and ffmpeg."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clips import clip
from tests.daemon.downloads import flowing
from tests.daemons import Daemon
from tests.swarm import Swarm


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


@pytest.fixture
def own(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video of a user's own, film.mkv, and one that is to be encoded, film.avi."""
    clips = tmp_path_factory.getbasetemp() / "convert-clips"
    clips.mkdir(exist_ok=True)
    folder = tmp_path / "own"
    folder.mkdir()
    for kind in ("mkv", "avi"):
        (folder / f"film.{kind}").write_bytes(clip(clips, kind, seconds=2).read_bytes())
    return folder


def objects(text: str) -> Any:
    return json.loads(text)


def test_a_file_is_converted_and_its_result_goes_where_it_is_asked_for(daemon: Daemon, own: Path) -> None:
    told = daemon.htdl("convert", "film.mkv", "--output", "made", "--json", cwd=own)
    assert told.returncode == 0, told.stderr
    job = objects(told.stdout)
    assert (job["info_hash"], job["source"]) == ("", str(own / "film.mkv"))
    assert job["wanted"] == {
        "format": "", "codec": "", "audio": [], "output": str(own / "made"), "keep": False
    }  # fmt: skip
    waited = daemon.htdl("wait", job["id"], "--json")
    assert objects(waited.stdout)["file_path"] == str(own / "made" / "film.mp4")
    assert sorted(x.name for x in own.iterdir()) == ["film.avi", "film.mkv", "made"]


def test_several_are_followed_and_the_first_fault_is_the_exit_code(daemon: Daemon, own: Path) -> None:
    (own / "fake.mkv").write_bytes(b"MZ" + bytes(5000))
    told = daemon.htdl(
        "convert", "film.mkv", "fake.mkv", "gone.mkv", "film.avi", "--watch", cwd=own, timeout=110
    )
    assert told.returncode == 8
    assert "htdl: fake.mkv is not a video that can be used: it is a Windows program" in told.stderr
    assert "'gone.mkv' is no job, and no such file exists" in told.stderr
    begun = [line.split() for line in told.stdout.splitlines() if line.startswith("converting ")]
    assert [line[2] for line in begun] == ["film.mkv", "film.avi"]
    assert sum("completed" in line for line in told.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "code"), [("gone.mkv", 5), ("./gone", 5), (".", 5), ("./", 5), ("3f2a", 4), ("no way", 4)]
)
def test_what_is_neither_a_job_nor_a_file_says_so(daemon: Daemon, own: Path, name: str, code: int) -> None:
    for options in ([], ["--dry-run"]):
        told = daemon.htdl("convert", name, "--json", *options, cwd=own)
        assert (told.returncode, told.stdout) == (code, "")
        assert objects(told.stderr)["error"]["message"]


def test_a_job_is_converted_again_by_the_first_letters_of_its_id(daemon: Daemon, own: Path) -> None:
    job_id = daemon.htdl("convert", "film.mkv", "--quiet", cwd=own).stdout.strip()
    assert daemon.htdl("wait", job_id).returncode == 0
    told = daemon.htdl("convert", job_id[:8], "--to", "webm", "-w", cwd=own)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"converting {job_id[:8]}")
    assert daemon.client.job(job_id).file_path == str(daemon.home / "videos" / job_id / "film.webm")
    refused = daemon.htdl("convert", job_id[:8], "--audio", "deu", cwd=own)
    assert (refused.returncode, "no sound is in deu" in refused.stderr) == (8, True)


def test_what_is_wanted_of_a_download_is_noted(daemon: Daemon, swarm: Swarm, own: Path) -> None:
    torrent = swarm.seed({"film.mkv": 3_000_000}, rate=200_000)
    job = flowing(daemon, daemon.client.add(torrent.magnet).id)
    swarm.limit(1)
    told = daemon.htdl("convert", job.id[:8], "--audio", "deu", "--audio", "eng", "--codec", "av1", "--keep")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"noted, converts when it is downloaded: {job.id[:8]}")
    wanted = daemon.client.job(job.id).wanted
    assert wanted
    assert (wanted.audio, wanted.codec, wanted.keep) == (("deu", "eng"), "av1", True)


def test_a_dry_run_prints_the_plan_and_begins_nothing(daemon: Daemon, own: Path) -> None:
    told = daemon.htdl("convert", "film.avi", "--dry-run", "--to", "webm", cwd=own)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].split(None, 2) == ["to", "do", "encode the picture for WebM"]
    assert any(line.split()[:6] == ["0", "video", "-", "mpeg4", "→", "vp9"] for line in lines)
    both = objects(daemon.htdl("convert", "film.avi", "film.mkv", "-n", "--json", cwd=own).stdout)
    assert [plan["effort"] for plan in both] == ["transcode", "remux"]
    assert daemon.client.jobs() == []


def test_a_dry_run_of_a_job_shows_one_of_its_files(daemon: Daemon, swarm: Swarm, own: Path) -> None:
    files: dict[str, int | bytes] = {x: (own / x).read_bytes() for x in ("film.avi", "film.mkv")}
    job_id = daemon.client.add(swarm.seed(files).magnet).id
    daemon.client.wait(job_id, timeout=60)
    kinds = {Path(x.path).suffix: x.index for x in daemon.client.job(job_id).files}
    for suffix, effort in ((".avi", "transcode"), (".mkv", "remux")):
        told = daemon.htdl("convert", job_id[:8], "-n", "--file", str(kinds[suffix]), "--json")
        assert objects(told.stdout)["effort"] == effort
    assert daemon.htdl("convert", job_id[:8], "-n", "--file", "9").returncode == 4


def test_it_starts_a_daemon_when_none_answers(offline: Daemon, own: Path) -> None:
    assert offline.htdl("convert", "film.mkv", "--no-start", cwd=own).returncode == 3
    told = offline.htdl("convert", "film.mkv", "--watch", cwd=own)
    try:
        assert told.returncode == 0, told.stderr
        assert "started the daemon" in told.stderr
    finally:
        offline.htdl("daemon", "stop")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file's name is UTF-8")
def test_a_name_that_is_not_utf_8_is_a_bad_source(daemon: Daemon, own: Path) -> None:
    (own / "film.mkv").rename(own / os.fsdecode(b"film\xff.mkv"))
    told = daemon.htdl("convert", os.fsdecode(b"film\xff.mkv"), cwd=own)
    assert told.returncode == 5
    assert "is not UTF-8" in told.stderr


def test_what_is_no_video_at_all_is_told_apart(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "films.d"
    folder.mkdir()
    told = daemon.htdl("convert", "http://example.com/film.mkv")
    assert (told.returncode, "is an address" in told.stderr) == (5, True)
    told = daemon.htdl("convert", str(folder))
    assert (told.returncode, "is a folder" in told.stderr) == (5, True)
