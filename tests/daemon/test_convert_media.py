"""What is made of which video: as configured, of many at once, of names and files that are no videos."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from htdl.errors import ConversionFailed
from htdl.jobs import ConversionState, State
from htdl.wire import JobInfo
from tests.clips import clip
from tests.daemon.converting import encoders, files, is_made, leftovers, program, results, slow
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.probing import probed
from tests.swarm import Swarm
from tests.test_disk_full import Disk, disk, fill
from tests.torrents import make_info, make_torrent, overlaid
from tests.waiting import until

Make = Callable[..., Daemon]
__all__ = ["disk"]  # a fixture


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def codecs(path: Path) -> list[str]:
    return [x.codec for x in probed(path).streams]


def made(daemon: Daemon, content: bytes, swarm: Swarm, name: str = "film.mkv") -> JobInfo:
    torrent = swarm.seed({name: content}, name=name)
    return in_state(daemon, daemon.client.add(torrent.magnet).id, State.COMPLETED, 60)


# --- as configured


def test_after_the_download_nothing_is_begun_before(make_daemon: Make, swarm: Swarm, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True, "mode": "after-download"})
    film = clip(clips, "mkv", seconds=20, noise=10).read_bytes()
    job_id = daemon.client.add(swarm.seed({"film.mkv": film}, rate=len(film) // 10).magnet).id
    begun: list[str] = []

    def note(job: JobInfo) -> JobInfo:
        if job.status is State.DOWNLOADING:
            begun.extend(x.effort for x in job.conversions if x.effort)
        return job

    once(daemon, job_id, lambda job: note(job).progress > 30)
    swarm.limit(0)
    job = once(daemon, job_id, lambda job: note(job).status is State.COMPLETED, 60)
    assert begun == []
    assert codecs(Path(job.file_path or "")) == ["h264", "aac"]


@pytest.mark.parametrize("settings", [{"enabled": False}, {"enabled": True, "target_format": "original"}])
def test_what_is_to_stay_as_it_is_stays(
    make_daemon: Make, swarm: Swarm, clips: Path, settings: dict[str, object]
) -> None:
    daemon = make_daemon(conversion=settings)
    job = made(daemon, clip(clips, "mkv").read_bytes(), swarm)
    assert (job.file_path, job.conversions) == (str(Path(job.save_path, "film.mkv")), ())
    assert results(daemon) == []


def test_webm(make_daemon: Make, swarm: Swarm, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True, "target_format": "webm", "target_codec": "vp9"})
    job = made(daemon, clip(clips, "mkv", seconds=2).read_bytes(), swarm)
    assert (job.file_path or "").endswith("/film.webm")
    assert codecs(Path(job.file_path or "")) == ["vp9", "opus"]


def test_a_name_follows_a_target_that_was_changed_meanwhile(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True, "ffmpeg_path": str(slow(tmp_path, 0.2))})
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv").read_bytes()})
    job = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    daemon.kill()
    daemon.configure({"conversion": {"enabled": True, "target_format": "webm", "target_codec": "vp9"}})
    daemon.start()
    job = in_state(daemon, job.id, State.COMPLETED, 60)
    assert (job.file_path or "").endswith("/film.webm")
    assert leftovers(daemon) == []


# --- what plays as it is


def test_what_plays_as_it_is_is_the_same_file_in_two_places(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    looks, ffprobe = tmp_path / "looks", tmp_path / "counted-ffprobe"
    looks.mkdir()
    # a folder for each look: the probe may write no file
    ffprobe.write_text(f'#!/bin/sh\ncase "$*" in *show_format*) mkdir {looks}/$$;; esac\nexec ffprobe "$@"\n')
    ffprobe.chmod(0o755)
    daemon = make_daemon(conversion={"enabled": True, "ffprobe_path": str(ffprobe)})
    film = clip(clips, "mp4", seconds=20, noise=10).read_bytes()
    torrent = swarm.seed({"film.mp4": film}, name="film.mp4", rate=150_000)
    job_id = daemon.client.add(torrent.magnet, video_id="v").id
    once(daemon, job_id, lambda x: x.progress > 30)
    assert len(list(looks.iterdir())) <= 2, "once for it, once for its subtitles"
    swarm.limit(0)
    job = in_state(daemon, job_id, State.COMPLETED, 60)
    source, result = Path(job.save_path, "film.mp4"), daemon.home / "videos" / "v" / "film.mp4"
    assert job.file_path == str(result)
    assert result.samefile(source)
    assert len(list(looks.iterdir())) <= 4
    assert leftovers(daemon) == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system at hand")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def test_what_plays_as_it_is_is_copied_to_another_file_system(
    make_daemon: Make, swarm: Swarm, clips: Path, elsewhere: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True}, storage={"base_path": str(elsewhere)})
    job = made(daemon, clip(clips, "mp4").read_bytes(), swarm, "film.mp4")
    source, result = Path(job.save_path, "film.mp4"), Path(job.file_path or "")
    assert result.is_relative_to(elsewhere)
    assert result.read_bytes() == source.read_bytes()
    assert not result.samefile(source)
    assert [x for x in elsewhere.rglob("*") if x.is_file()] == [result]
    assert leftovers(daemon) == []


def test_what_is_made_goes_to_another_file_system_whole(
    make_daemon: Make, swarm: Swarm, clips: Path, elsewhere: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True}, storage={"base_path": str(elsewhere)})
    job = made(daemon, clip(clips, "mkv").read_bytes(), swarm)
    assert [x for x in elsewhere.rglob("*") if x.is_file()] == [Path(job.file_path or "")]
    assert codecs(Path(job.file_path or "")) == ["h264", "aac"]
    assert leftovers(daemon) == []


# --- many at once


def test_a_series_is_converted_one_by_one_and_no_name_is_used_twice(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    busy, begun, two = tmp_path / "busy", tmp_path / "begun", tmp_path / "two at once"
    encode = (
        f'echo >> {begun}; mkdir {busy} || echo > "{two}"; "$real" "$@"; code=$?; rmdir {busy}; exit $code'
    )
    counted = program(tmp_path, "counted", f'case "$*" in *libx264*) {encode};; esac')
    daemon = make_daemon(conversion={"enabled": True, "ffmpeg_path": str(counted)})
    episodes = {"e01.mkv": ("mkv", 3), "e01.avi": ("avi", 4), "e02.avi": ("avi", 5), "e03.mp4": ("mp4", 6)}
    files: dict[str, int | bytes] = {
        name: clip(clips, kind, seconds=seconds).read_bytes() for name, (kind, seconds) in episodes.items()
    }
    torrent = swarm.seed(files, name="series")
    job_id = daemon.client.add(torrent.magnet, video_id="s").id
    job = in_state(daemon, job_id, State.COMPLETED, 100)
    assert (len(begun.read_text()), two.exists()) == (2, False)
    assert [x.name for x in results(daemon)] == ["e01 (2).mp4", "e01.mp4", "e02.mp4", "e03.mp4"]
    for file in job.files:
        seconds = episodes[Path(file.path).name][1]
        assert probed(Path(file.output or "")).duration == pytest.approx(seconds, abs=0.5)
    assert leftovers(daemon) == []


def test_two_jobs_of_one_video_do_not_write_over_each_other(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True, "ffmpeg_path": str(slow(tmp_path, 2))})
    magnets = [swarm.seed({"film.mkv": clip(clips, "mkv", seconds=x).read_bytes()}).magnet for x in (3, 5)]
    jobs = [daemon.client.add(magnet, video_id="v").id for magnet in magnets]
    paths = [Path(in_state(daemon, job, State.COMPLETED, 60).file_path or "") for job in jobs]
    assert sorted(x.name for x in paths) == ["film (2).mp4", "film.mp4"]
    assert [round(probed(path).duration or 0) for path in paths] == [3, 5]


def test_a_file_that_is_not_ours_is_never_written_over(make_daemon: Make, swarm: Swarm, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True})
    folder = daemon.home / "videos" / "v"
    folder.mkdir(parents=True)
    (folder / "film.mp4").write_bytes(b"somebody's own")
    (folder / "film (2).mp4").symlink_to("nowhere")
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv").read_bytes()})
    job = in_state(daemon, daemon.client.add(torrent.magnet, video_id="v").id, State.COMPLETED, 60)
    assert job.file_path == str(folder / "film (3).mp4")
    assert (folder / "film.mp4").read_bytes() == b"somebody's own"
    assert (folder / "film (2).mp4").is_symlink()


# --- what is no video


def test_what_only_is_called_a_video_is_refused_and_opens_nothing(
    make_daemon: Make, swarm: Swarm, clips: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True}, torrent={"max_active_downloads": 10})
    fakes = {
        "program": (b"MZ" + bytes(5000), "Windows program"),
        "archive": (b"PK\x03\x04" + bytes(5000), "ZIP archive"),
        "noise": (random.Random(1).randbytes(200_000), ""),
        "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfilm.ts\n#EXT-X-ENDLIST\n", "playlist"),
        "script": (b"ffconcat version 1.0\nfile film.mkv\n", "playlist"),
        "text": (b"buy the codec at example.com\n" * 20, "text"),
    }
    film, ts = clip(clips, "mkv").read_bytes(), clip(clips, "ts").read_bytes()
    jobs = {}
    for name, (content, _) in fakes.items():
        torrent = swarm.seed({"x.mkv": content, "film.mkv": film, "film.ts": ts}, name=name)
        jobs[name] = daemon.client.add(torrent.magnet, video_id=name).id
    for name, (_, words) in fakes.items():
        job = in_state(daemon, jobs[name], State.FAILED, 60)
        assert job.error_code == "bad_media"
        assert "x.mkv is not a video" in (job.error_message or "")
        assert words in (job.error_message or "")
        kinds = {Path(x.path).name: x.output for x in job.files}
        assert kinds["x.mkv"] is None
        folder = daemon.home / "videos" / name
        assert sorted(x.name for x in folder.iterdir()) == ["film (2).mp4", "film.mp4"]
        assert daemon.htdl("wait", job.id).returncode == 8
    assert leftovers(daemon) == []


def test_an_empty_video_is_nothing_to_convert(make_daemon: Make, swarm: Swarm, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True})
    torrent = swarm.seed({"empty.mkv": b"", "film.mkv": clip(clips, "mkv").read_bytes()}, name="both")
    in_state(daemon, daemon.client.add(torrent.magnet).id, State.COMPLETED, 60)
    assert [x.name for x in results(daemon)] == ["film.mp4"]


def test_half_a_film_is_not_taken_for_the_whole(make_daemon: Make, swarm: Swarm, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True})
    film = clip(clips, "mkv", seconds=20).read_bytes()
    torrent = swarm.seed({"film.mkv": film[: len(film) * 6 // 10]})
    job = in_state(daemon, daemon.client.add(torrent.magnet).id, State.FAILED, 60)
    assert job.error_code == "conversion_failed"
    assert "of 0:20 came out" in (job.error_message or "")
    assert [x.attempts for x in job.conversions] == [2]
    assert job.file_path == str(Path(job.save_path, job.files[0].path)), "what there is can be watched"
    with pytest.raises(ConversionFailed, match="of 0:20 came out") as failed:
        daemon.client.wait(job.id, timeout=60)
    assert (failed.value.exit_code, failed.value.code) == (8, "conversion_failed")
    assert daemon.client.wait(job.id, "downloaded", timeout=60).id == job.id
    assert daemon.htdl("wait", job.id).returncode == 8
    assert daemon.htdl("wait", "--for", "downloaded", job.id).returncode == 0
    assert results(daemon) == leftovers(daemon) == []


# --- names

NAMES: list[str | bytes] = [
    """it's "quoted" `so` $HOME.mkv""",
    "100%03d%s.mkv",
    "-y.mkv",
    "concat:a|b.mkv",
    "\u00fc" * 123 + ".mkv",  # 250 bytes
    b"caf\xe9 \xff\xfe.mkv",
    ".mkv.mkv",
    "#1 50%25 ?x=y&z.mkv",
]


def test_any_name_will_do(make_daemon: Make, clips: Path) -> None:
    daemon = make_daemon(conversion={"enabled": True})
    film = clip(clips, "mkv", seconds=1).read_bytes()
    listed = [{"length": len(film), "path": [name]} for name in NAMES]
    info = make_info("names", files=[("x", len(film))] * len(NAMES), content=film * len(NAMES))
    torrent = make_torrent(overlaid(info, {"files": listed}))
    job = daemon.client.add(torrent=torrent, video_id="n", paused=True)
    assert len(job.files) == len(NAMES)
    for file in job.files:
        path = Path(job.save_path, file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film)
    daemon.client.resume(job.id)
    job = in_state(daemon, job.id, State.COMPLETED, 60)
    assert len(results(daemon)) == len(NAMES)
    assert sorted(x.output or "" for x in job.files) == sorted(map(str, results(daemon)))
    assert {Path(x.output or "").suffix for x in job.files} == {".mp4"}
    assert leftovers(daemon) == []


# --- an ffmpeg that does not work


def test_an_ffmpeg_that_crashes_is_tried_twice(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    crash = f'echo >> {tries}; echo "the codec is on fire" >&2; kill -SEGV $$'
    daemon = make_daemon(conversion={"enabled": True, "ffmpeg_path": str(program(tmp_path, "crash", crash))})
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv").read_bytes()})
    job = in_state(daemon, daemon.client.add(torrent.magnet).id, State.FAILED, 60)
    assert job.error_code == "conversion_failed"
    assert job.error_message == "film.mkv could not be converted: the codec is on fire"
    assert len(tries.read_text()) == 2
    assert daemon.htdl("wait", job.id).returncode == 8
    assert results(daemon) == leftovers(daemon) == []
    daemon.configure({"conversion": {"enabled": True}})
    daemon.restart()
    daemon.client.retry(job.id)
    in_state(daemon, job.id, State.COMPLETED, 60)


def test_what_fails_early_is_tried_again_once_it_is_whole(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    crash = f'echo >> {tries}; case "$*" in *http://*) exit 1;; esac'
    early = program(tmp_path, "crashes-early", crash)
    daemon = make_daemon(conversion={"enabled": True, "ffmpeg_path": str(early)})
    film = clip(clips, "mkv", seconds=20, noise=10).read_bytes()
    torrent = swarm.seed({"film.mkv": film}, rate=100_000)
    job_id = daemon.client.add(torrent.magnet).id
    once(daemon, job_id, lambda x: x.conversion and x.conversion.attempts == 1)
    swarm.limit(0)
    job = in_state(daemon, job_id, State.COMPLETED, 60)
    assert job.conversion
    assert (job.conversion.attempts, job.conversion.error_message) == (1, None)
    assert len(tries.read_text()) == 2


def test_without_an_ffmpeg_the_download_is_complete(
    make_daemon: Make, swarm: Swarm, clips: Path, tmp_path: Path
) -> None:
    film = clip(clips, "mkv").read_bytes()
    daemon = make_daemon(start=False, conversion={"enabled": True, "ffmpeg_path": "/nonexistent/ffmpeg"})
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "imageio_ffmpeg.py").write_text("raise ImportError('it is not installed')\n")
    daemon.env["PYTHONPATH"] = f"{tmp_path / 'hidden'}{os.pathsep}{daemon.env['PYTHONPATH']}"
    daemon.env["PATH"] = str(tmp_path / "hidden")
    daemon.start()
    job = made(daemon, film, swarm)
    assert job.file_path == str(Path(job.save_path, "film.mkv"))
    assert job.conversion
    assert (job.conversion.status, job.conversion.error_code) == (ConversionState.FAILED, "no_ffmpeg")
    assert "no ffmpeg" in (job.conversion.error_message or "")
    assert results(daemon) == []


# --- a full disk


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk of this test")


def without_room(daemon: Daemon, job_id: str) -> JobInfo:
    """The job once it says that there is no room."""
    return once(daemon, job_id, lambda x: x.conversion and x.conversion.error_code == "disk_full")


def ends_well(daemon: Daemon, job_id: str) -> None:
    job = in_state(daemon, job_id, State.COMPLETED, 60)
    assert probed(Path(job.file_path or "")).duration == pytest.approx(20, abs=0.5)
    assert job.conversion
    assert (job.conversion.error_code, job.conversion.attempts) == (None, 0)


@only_root
@pytest.mark.parametrize("kind", ["mkv", "mp4"], ids=["made", "copied"])
def test_a_result_without_room_waits_for_it(
    make_daemon: Make, swarm: Swarm, clips: Path, disk: Disk, kind: str
) -> None:
    small = disk("small", 1)
    folders = {"base_path": str(small / "videos"), "temp_path": str(small / "temp"), "min_free": "0"}
    daemon = make_daemon(conversion={"enabled": True}, storage=folders)
    film = clip(clips, kind, seconds=20, noise=10).read_bytes()
    assert len(film) > 1 << 20
    torrent = swarm.seed({f"film.{kind}": film}, name=f"film.{kind}")
    job = without_room(daemon, daemon.client.add(torrent.magnet).id)
    assert job.conversion
    assert job.conversion.status is ConversionState.WAITING
    assert str(small) in (job.conversion.error_message or "")
    until(lambda: not files(small))
    disk("small", 16)
    ends_well(daemon, job.id)


@only_root
@pytest.mark.parametrize("name", ["small", "daemon/state"], ids=["the result", "the database as well"])
def test_a_disk_that_fills_up_in_the_middle_is_waited_for(
    make_daemon: Make, swarm: Swarm, clips: Path, disk: Disk, tmp_path: Path, name: str
) -> None:
    small = disk(name, 16)
    folders = {"base_path": str(small / "videos"), "temp_path": str(small / "temp"), "min_free": "0"}
    settings = {"enabled": True, "ffmpeg_path": str(slow(tmp_path, 2))}
    daemon = make_daemon(conversion=settings, storage=folders)
    film = clip(clips, "mkv", seconds=20, noise=10).read_bytes()
    job = once(daemon, daemon.client.add(swarm.seed({"film.mkv": film}).magnet).id, is_made)
    other = small / "other"
    fill(other)
    until(lambda: not encoders(daemon) and "disk full job" in daemon.log())
    in_state(daemon, job.id, State.CONVERTING)
    until(lambda: not leftovers(daemon))
    assert results(daemon) == []
    other.unlink()
    daemon.configure({"conversion": {"enabled": True}, "storage": folders})  # now as fast as it can
    daemon.client.reload()
    ends_well(daemon, job.id)
