from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from htdl.core.requests import TORRENT_NAMESPACE
from htdl.errors import BadRequest
from htdl.jobs import State
from tests.daemon.downloads import SLOW, completed, flowing, in_state, once
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.tracker import Tracker

SERIES: dict[str, int | bytes] = {
    "one.mkv": 200_000,
    "two.mkv": 150_000,
    "sample.mkv": 20_000,
    "one.srt": 3_000,
    "info.nfo": 500,
}


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


def seeder_of(magnet: str) -> tuple[str, int]:
    host, port = magnet.rsplit("x.pe=", 1)[1].split(":")
    return host, int(port)


def test_a_magnet_arrives_in_its_own_folder(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 1_000_000})
    job = daemon.client.add(torrent.magnet)
    assert job.info_hash == torrent.info_hash
    done = completed(daemon, torrent, job.id)
    assert done.file_path == str(daemon.downloads / job.id / "video.mkv")
    assert (done.name, done.total_bytes, done.done_bytes) == ("video.mkv", 1_000_000, 1_000_000)
    assert (done.progress, done.progress_exact) == (100, 100.0)
    assert done.readiness is not None
    assert done.readiness.ready


def test_a_torrent_file_arrives_by_its_tracker(daemon: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    with Tracker() as tracker:
        torrent = swarm.seed({"video.mkv": 500_000}, trackers=(tracker.url,))
        tracker.peers = (seeder_of(torrent.magnet),)
        file = tmp_path / "film.torrent"
        file.write_bytes(torrent.metainfo)
        told = daemon.htdl("add", str(file), "--json")
        assert told.returncode == 0, told.stderr
        job = json.loads(told.stdout)
        assert [x["path"] for x in job["files"]] == ["video.mkv"], "known before a peer is"
        completed(daemon, torrent, job["id"])


def test_a_torrent_file_comes_through_a_pipe(daemon: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    file = tmp_path / "film.torrent"
    file.write_bytes(torrent.metainfo)
    with file.open("rb") as pipe:
        told = daemon.htdl("add", "-", "--quiet", stdin=pipe)
    assert daemon.client.job(told.stdout.strip()).info_hash == torrent.info_hash


def test_an_info_hash_that_nobody_has_is_taken_and_says_what_it_waits_for(kept: Daemon) -> None:
    job = kept.client.add("d" * 40)
    waiting = once(kept, job.id, lambda job: job.detail == "fetching metadata, 0 peers")
    assert (waiting.status, waiting.name, waiting.total_bytes) == (State.DOWNLOADING, "d" * 40, 0)


def test_the_same_torrent_twice_is_one_job(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 2_000_000}, rate=200_000)
    first = daemon.htdl("add", torrent.magnet)
    second = daemon.htdl("add", torrent.info_hash.upper())
    third = daemon.client.add(torrent=torrent.metainfo)
    assert first.stdout.startswith("added ")
    assert second.stdout.startswith("already here: ")
    assert [job.id for job in daemon.client.jobs()] == [third.id]


def test_a_complete_download_added_again_is_the_same_job(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 500_000})
    old = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert daemon.htdl("add", torrent.magnet).stdout.startswith("already here: ")
    assert [job.id for job in daemon.client.jobs()] == [old.id]
    daemon.client.cancel(old.id, delete=True)
    assert not Path(str(old.file_path)).exists()


def test_a_download_for_another_video_is_verified_and_not_fetched(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 2_000_000})
    old = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    sent = swarm.sent()
    new = completed(daemon, torrent, daemon.client.add(torrent.magnet, video_id="another").id)
    assert new.id != old.id
    assert new.file_path == old.file_path
    assert swarm.sent() == sent
    assert not daemon.client.job(old.id).seeding


def test_the_keys_of_a_video_application_are_kept(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    job = daemon.client.add(torrent.magnet, video_id="film-7", torrent_id="release-9")
    assert (job.video_id, job.torrent_id) == ("film-7", "release-9")
    assert completed(daemon, torrent, job.id).file_path == str(daemon.downloads / "film-7" / "video.mkv")


def test_a_job_is_named_by_its_video_too(kept: Daemon) -> None:
    job = kept.client.add("a" * 40, video_id="Film-7.1", paused=True)
    for name in ("Film-7.1", job.id, job.id[:5].upper()):
        assert json.loads(kept.htdl("show", name, "--json").stdout)["id"] == job.id
    assert kept.htdl("show", "Film-7").returncode == 4


def test_without_keys_they_are_made_from_the_job_and_the_torrent(kept: Daemon) -> None:
    job = kept.client.add("e" * 40, paused=True)
    assert job.video_id == job.id == str(uuid.UUID(job.id))
    assert job.torrent_id == str(uuid.uuid5(TORRENT_NAMESPACE, "e" * 40))


@pytest.mark.parametrize("video_id", ["..", "a/b", "", ".hidden", "a" * 101, "a\0b"])
def test_a_key_that_cannot_name_a_folder_is_refused(kept: Daemon, video_id: str) -> None:
    with pytest.raises(BadRequest, match="video_id"):
        kept.client.add("f" * 40, video_id=video_id)


@pytest.mark.parametrize("source", ["nonsense", "magnet:?dn=x", "https://", "f" * 39])
def test_what_is_no_source_is_refused_with_a_hint(kept: Daemon, source: str) -> None:
    before = {job.id for job in kept.client.jobs()}
    told = kept.htdl("add", source)
    assert told.returncode == 5, told
    assert told.stderr
    assert {job.id for job in kept.client.jobs()} == before


# which files


def test_the_videos_and_their_subtitles_are_taken_and_samples_left(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    done = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert {x.path for x in done.files if x.wanted} == {"series/one.mkv", "series/two.mkv", "series/one.srt"}
    assert done.total_bytes == 353_000
    assert done.file_path == str(daemon.downloads / done.id / "series" / "one.mkv")
    assert not (daemon.downloads / done.id / "series" / "info.nfo").exists()


def test_only_the_files_named_are_taken(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    told = daemon.htdl("add", torrent.magnet, "--file", "TWO.*", "--file", "*.nfo", "--quiet")
    done = completed(daemon, torrent, told.stdout.strip())
    assert {x.path for x in done.files if x.wanted} == {"series/two.mkv", "series/info.nfo"}
    assert done.total_bytes == 150_500
    assert done.file_path == str(daemon.downloads / done.id / "series" / "two.mkv")


def test_all_files_are_taken_when_asked(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    told = daemon.htdl("add", torrent.magnet, "--all-files", "--quiet")
    done = completed(daemon, torrent, told.stdout.strip())
    assert all(x.wanted for x in done.files)
    assert done.total_bytes == 373_500


def test_files_that_a_torrent_does_not_have_are_refused_at_once(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    with pytest.raises(BadRequest, match=r"\*\.avi") as caught:
        daemon.client.add(torrent=torrent.metainfo, files=["*.avi"])
    assert caught.value.code == "no_such_file"


def test_files_that_a_magnet_turns_out_not_to_have_fail_the_job(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed(SERIES, name="series")
    failed = in_state(daemon, daemon.client.add(torrent.magnet, files=["*.avi"]).id, State.FAILED)
    assert failed.error_code == "no_such_file"


def test_progress_is_told_file_by_file(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"a.mkv": 4_000_000, "b.mkv": 4_000_000}, name="two", rate=SLOW)
    job = daemon.client.add(torrent.magnet)
    flowing(daemon, job.id, 400_000)
    swarm.limit(1)
    half = once(daemon, job.id, lambda job: any(0 < x.progress < 100 for x in job.files))
    share = sum(x.progress * x.size for x in half.files) / half.total_bytes
    assert 0 < share < 100
    swarm.limit(0)
    done = completed(daemon, torrent, job.id)
    assert [x.progress for x in done.files] == [100.0, 100.0]


def test_added_paused_it_waits_for_a_resume(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 100_000})
    job = daemon.client.add(torrent.magnet, paused=True)
    in_state(daemon, job.id, State.PAUSED)
    assert swarm.sent() == 0
    daemon.client.resume(job.id)
    completed(daemon, torrent, job.id)


def test_files_that_lie_there_already_are_verified_or_left_alone(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    for video_id, content in (("same", torrent.content("video.mkv")), ("other", b"not yours")):
        folder = daemon.downloads / video_id
        folder.mkdir(parents=True)
        (folder / "video.mkv").write_bytes(content)
    same = completed(daemon, torrent, daemon.client.add(torrent=torrent.metainfo, video_id="same").id)
    assert Path(same.save_path) == daemon.downloads / "same"
    assert swarm.sent() == 0
    daemon.client.remove(same.id)
    other = daemon.client.add(torrent.magnet, video_id="other")
    completed(daemon, torrent, other.id)
    assert (daemon.downloads / "other" / "video.mkv").read_bytes() == b"not yours"
