"""`convert`: files outside any job, and jobs once more, by the real daemon and ffmpeg."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from htdl.errors import BadRequest, BadSource, ConversionFailed, Refused
from htdl.jobs import ConversionState, FileRequest, State, Wanted
from tests.clips import clip
from tests.daemon.converting import files, slow
from tests.daemon.downloads import completed, flowing, in_state, once
from tests.daemons import Daemon
from tests.probing import probed
from tests.swarm import Swarm
from tests.waiting import until

WEBM = Wanted(format="webm")


@pytest.fixture
def daemon(emptied: Daemon) -> Daemon:
    return emptied


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def own(tmp_path: Path, clips: Path) -> Callable[..., Path]:
    """A video of a user's own, in a folder of its own."""

    def make(kind: str = "mkv", name: str = "", **options: int) -> Path:
        made = clip(clips, kind, **options)
        path = tmp_path / "own" / (name or f"film{made.suffix}")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made.read_bytes())
        return path

    return make


@pytest.fixture
def unhurried(make_daemon: Callable[..., Daemon], tmp_path: Path) -> Daemon:
    """Its conversions take five times as long as the film plays, but for those that copy files."""
    return make_daemon(conversion={"enabled": False, "ffmpeg_path": str(slow(tmp_path, 0.2))})


def codecs(path: str | None) -> list[str]:
    assert path
    return [x.codec for x in probed(Path(path)).streams]


def results(daemon: Daemon) -> list[str]:
    return sorted(x.name for x in files(daemon.home / "videos"))


def test_a_file_becomes_a_job_of_its_own_and_stays_as_it_is(daemon: Daemon, own: Callable[..., Path]) -> None:
    downloaded = daemon.client.stats().downloaded_bytes
    film = own(name="film.bin")  # what it is, its content says
    link = film.with_name("link")
    link.symlink_to(film)
    before = film.read_bytes(), film.stat().st_mtime_ns
    job = daemon.client.convert_file(link, priority=3)
    assert (job.info_hash, job.source, job.name, job.priority) == ("", str(film), "film.bin", 3)
    done = daemon.client.wait(job.id, timeout=60)
    assert done.file_path == str(daemon.home / "videos" / job.video_id / "film.mp4") == done.files[0].output
    assert codecs(done.file_path) == ["h264", "aac"]
    assert (done.seeding, done.progress, done.error_code) == (False, 100, None)
    assert (film.read_bytes(), film.stat().st_mtime_ns) == before
    assert sorted(x.name for x in film.parent.iterdir()) == ["film.bin", "link"]
    assert daemon.client.stats().downloaded_bytes == downloaded


def test_a_result_beside_its_source_takes_another_name(daemon: Daemon, own: Callable[..., Path]) -> None:
    film = own("mp4-ac3")
    before = film.read_bytes()
    job = daemon.client.convert_file(film, Wanted(output=str(film.parent)))
    done = daemon.client.wait(job.id, timeout=60)
    assert done.file_path == str(film.parent / "film (2).mp4")
    assert codecs(done.file_path) == ["h264", "aac"]
    assert film.read_bytes() == before
    assert daemon.client.remove(job.id, delete=True).id == job.id
    assert [x.name for x in film.parent.iterdir()] == ["film.mp4"]


def test_a_complete_job_is_converted_again_and_all_of_it_removed(
    daemon: Daemon, own: Callable[..., Path]
) -> None:
    film = own(seconds=2)
    job = daemon.client.convert_file(film)
    first = daemon.client.wait(job.id, timeout=60)
    assert daemon.client.convert(job.id, WEBM).status is State.CONVERTING
    second = daemon.client.wait(job.id, timeout=60)
    assert (codecs(first.file_path), codecs(second.file_path)) == (["h264", "aac"], ["vp9", "opus"])
    assert results(daemon) == ["film.mp4", "film.webm"]
    assert daemon.client.cancel(job.id, delete=True).file_path is None
    assert (results(daemon), film.exists()) == ([], True)
    assert daemon.client.retry(job.id).status is not State.COMPLETED
    daemon.client.wait(job.id, timeout=60)
    assert results(daemon) == ["film.webm"]


def test_a_complete_download_is_converted_and_goes_on_seeding(
    daemon: Daemon, swarm: Swarm, clips: Path
) -> None:
    film = clip(clips, "mkv", seconds=2)
    torrent = swarm.seed({"film.mkv": film.read_bytes()})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert job.file_path == str(Path(job.save_path) / job.files[0].path)
    assert daemon.client.convert(job.id).status is State.CONVERTING
    done = daemon.client.wait(job.id, timeout=60)
    assert codecs(done.file_path) == ["h264", "aac"]
    assert (done.seeding, done.done_bytes) == (True, done.total_bytes)
    assert (Path(job.save_path) / job.files[0].path).read_bytes() == film.read_bytes()


def test_what_is_wanted_of_a_download_outlives_the_daemon(daemon: Daemon, swarm: Swarm, clips: Path) -> None:
    film = clip(clips, "mkv", seconds=2, noise=20)
    torrent = swarm.seed({"film.mkv": film.read_bytes()}, rate=20_000)
    job = flowing(daemon, daemon.client.add(torrent.magnet).id)
    noted = daemon.client.convert(job.id, WEBM)
    assert (noted.status, noted.wanted) == (State.DOWNLOADING, WEBM)
    daemon.restart()
    assert daemon.client.job(job.id).wanted == WEBM
    swarm.limit(0)
    assert codecs(in_state(daemon, job.id, State.COMPLETED, 60).file_path) == ["vp9", "opus"]


def test_a_file_s_conversion_is_paused_resumed_and_cancelled(
    unhurried: Daemon, own: Callable[..., Path]
) -> None:
    first = unhurried.client.convert_file(own("avi", "first.avi", seconds=20), WEBM)
    film = own("avi", "second.avi", seconds=1)
    job = unhurried.client.convert_file(film)
    once(unhurried, first.id, lambda x: x.conversion and x.conversion.status is ConversionState.RUNNING)
    in_state(unhurried, job.id, State.CONVERTING)
    assert unhurried.client.pause(job.id).status is State.PAUSED
    assert unhurried.client.resume(job.id).status in {State.PENDING, State.CONVERTING}
    assert unhurried.client.update(job.id, priority=5).priority == 5
    assert unhurried.client.cancel(job.id, delete=True).status is State.CANCELLED
    with pytest.raises(Refused, match="was cancelled"):
        unhurried.client.convert(job.id)
    assert unhurried.client.cancel(first.id).status is State.CANCELLED
    until(lambda: not list((unhurried.home / "temp").iterdir()))
    assert (film.exists(), results(unhurried)) == (True, [])
    unhurried.client.retry(job.id)
    assert unhurried.client.wait(job.id, timeout=60).file_path


def test_a_file_s_conversion_begins_again_after_a_crash(unhurried: Daemon, own: Callable[..., Path]) -> None:
    job = unhurried.client.convert_file(own("avi", seconds=20))
    once(unhurried, job.id, lambda x: x.conversion and x.conversion.status is ConversionState.RUNNING)
    unhurried.configure({})
    unhurried.restart()
    done = unhurried.client.wait(job.id, timeout=60)
    assert codecs(done.file_path) == ["h264", "aac"]
    until(lambda: not list((unhurried.home / "temp").iterdir()))
    assert results(unhurried) == ["film.mp4"]


def test_a_job_whose_conversion_failed_is_converted_with_something_else(
    unhurried: Daemon, own: Callable[..., Path]
) -> None:
    film = own("avi", seconds=20)
    job = unhurried.client.convert_file(film)
    assert unhurried.client.pause(job.id).status is State.PAUSED
    away = film.rename(film.with_suffix(".away"))
    unhurried.client.resume(job.id)
    failed = in_state(unhurried, job.id, State.FAILED)
    assert (failed.error_code, failed.error_message) == (
        "conversion_failed",
        "film.avi could not be looked into: there is no such file",
    )
    with pytest.raises(BadSource, match="there is no file"):
        unhurried.client.convert(job.id)
    away.rename(film)
    again = unhurried.client.convert(job.id, Wanted(format="original"))
    assert (again.status, again.error_code) == (State.CONVERTING, None)
    done = unhurried.client.wait(job.id, timeout=60)
    assert done.file_path
    assert Path(done.file_path).read_bytes() == film.read_bytes()


def test_a_file_that_is_being_converted_gets_no_second_job(
    unhurried: Daemon, own: Callable[..., Path]
) -> None:
    film = own("avi", seconds=20)
    request = FileRequest(path=str(film), format="webm")
    job, is_new = unhurried.client.convert_or_get(request)
    again, is_second = unhurried.client.convert_or_get(request)
    assert (again.id, is_new, is_second) == (job.id, True, False)
    other, is_other = unhurried.client.convert_or_get(FileRequest(path=str(film), codec="h264"))
    assert is_other
    assert other.id != job.id


def test_what_cannot_be_made_is_said_at_once_and_changes_nothing(
    daemon: Daemon, own: Callable[..., Path]
) -> None:
    film = own(seconds=2)
    job = daemon.client.wait(daemon.client.convert_file(film).id, timeout=60)
    with pytest.raises(ConversionFailed, match="no sound is in deu"):
        daemon.client.convert(job.id, Wanted(audio=("deu",)))
    with pytest.raises(BadRequest, match="'ogg' is not known"):
        daemon.client.convert(job.id, Wanted(format="ogg"))
    with pytest.raises(BadRequest, match="unknown key 'fromat'"):
        daemon.client.request("POST", f"/api/v1/jobs/{job.id}/convert", {"fromat": "webm"})
    with pytest.raises(Refused, match="is no folder"):
        daemon.client.convert(job.id, Wanted(output=str(film / "below")))
    now = daemon.client.job(job.id)
    assert (now.status, now.updated_at, now.wanted) == (job.status, job.updated_at, job.wanted)


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("gone.mkv", lambda path: None, "there is no file"),
        ("folder", Path.mkdir, "is a folder"),
        ("pipe.mkv", os.mkfifo, "is no regular file"),
        ("loop.mkv", lambda path: path.symlink_to(path), "cannot read"),
    ],
)
def test_what_is_no_file_is_no_source(
    daemon: Daemon, tmp_path: Path, name: str, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / name)
    for ask in (daemon.client.convert_file, daemon.client.plan_file):
        with pytest.raises(BadSource, match=words):
            ask(tmp_path / name)
    assert daemon.client.jobs() == []


def test_a_program_dressed_up_as_a_video_makes_no_job(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "film.mkv").write_bytes(b"MZ" + bytes(5000))
    with pytest.raises(ConversionFailed, match="a Windows program") as caught:
        daemon.client.convert_file(tmp_path / "film.mkv")
    assert caught.value.code == "bad_media"
    assert daemon.client.jobs() == []


def test_a_download_without_a_video_is_refused(daemon: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"readme.txt": 1000})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    with pytest.raises(Refused, match="has no video"):
        daemon.client.convert(job.id)


def test_a_download_whose_files_are_gone_is_to_be_fetched_first(
    daemon: Daemon, swarm: Swarm, clips: Path
) -> None:
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv", seconds=2).read_bytes()})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    (Path(job.save_path) / job.files[0].path).unlink()
    with pytest.raises(Refused) as caught:
        daemon.client.convert(job.id)
    assert caught.value.hint == f"fetch what is missing first: `htdl retry {job.id[:8]}`"
    assert daemon.client.job(job.id).status is State.COMPLETED


def test_a_plan_begins_nothing(daemon: Daemon, own: Callable[..., Path], swarm: Swarm, clips: Path) -> None:
    plan = daemon.client.plan_file(own("avi"), WEBM)
    assert (plan["effort"], plan["container"]) == ("transcode", "webm")
    assert [(x["codec"], x["becomes"]) for x in plan["streams"]] == [("mpeg4", "vp9"), ("mp2", "opus")]
    assert daemon.client.jobs() == []
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv", seconds=2).read_bytes()})
    job = completed(daemon, torrent, daemon.client.add(torrent.magnet).id)
    assert daemon.client.plan(job.id)["effort"] == "remux"
    assert daemon.client.plan(job.id, Wanted(format="webm", codec="vp9"), file=0)["effort"] == "transcode"
    with pytest.raises(ConversionFailed, match="no sound is in deu or fra"):
        daemon.client.plan(job.id, Wanted(audio=("deu", "fra")))
    now = daemon.client.job(job.id)
    assert (now.status, now.wanted, now.conversions) == (State.COMPLETED, None, ())
