"""Every video ends as a file that every browser plays: the real daemon, swarm and ffmpeg."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

from htdl.jobs import ConversionState, State
from tests.clips import clip
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.probing import probed
from tests.swarm import Swarm
from tests.waiting import until


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def converter(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "home", {"conversion": {"enabled": True}})
    daemon.start()
    yield daemon
    daemon.end()


def test_a_video_is_copied_into_an_mp4_while_it_arrives(converter: Daemon, swarm: Swarm, clips: Path) -> None:
    film = clip(clips, "mkv", seconds=20, noise=10)
    torrent = swarm.seed({"film.mkv": film.read_bytes()}, rate=100_000)
    job_id = converter.client.add(torrent.magnet, video_id="film-7").id
    early = once(converter, job_id, lambda x: x.conversion and x.conversion.status is ConversionState.RUNNING)
    assert early.status is State.DOWNLOADING
    assert early.conversion
    assert early.conversion.effort == "remux"
    swarm.limit(0)
    job = in_state(converter, job_id, State.COMPLETED, 60)
    result = converter.home / "videos" / "film-7" / "film.mp4"
    assert job.file_path == str(result) == job.files[0].output
    found = probed(result)
    assert [x.codec for x in found.streams] == ["h264", "aac"]
    assert found.duration == pytest.approx(20, abs=0.5)
    assert (Path(job.save_path) / job.files[0].path).read_bytes() == film.read_bytes()
    assert list(result.parent.iterdir()) == [result]
    assert not list((converter.home / "temp").glob(".*"))


def test_what_was_made_is_served_also_when_the_source_is_gone(
    converter: Daemon, swarm: Swarm, clips: Path
) -> None:
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv").read_bytes()})
    job = in_state(converter, converter.client.add(torrent.magnet).id, State.COMPLETED, 60)
    source, result = Path(job.save_path, job.files[0].path), Path(job.file_path or "")
    stream = converter.client.stream(job.id)
    assert stream.url
    assert stream.url == job.stream_url
    assert urlopen(stream.url).read() == result.read_bytes()
    of_source = stream.url.replace("/video/", "/stream/")
    with urlopen(of_source) as answer:
        assert answer.read() == source.read_bytes()
        etag = answer.headers["ETag"]
    source.unlink()
    with urlopen(of_source) as answer:
        assert answer.read() == result.read_bytes()
        assert answer.headers["ETag"] != etag


def test_the_data_of_a_job_are_its_result_too(converter: Daemon, swarm: Swarm, clips: Path) -> None:
    torrent = swarm.seed({"film.mkv": clip(clips, "mkv").read_bytes()})
    job = in_state(converter, converter.client.add(torrent.magnet).id, State.COMPLETED, 60)
    converter.client.cancel(job.id, delete=True)
    after = converter.client.job(job.id)
    assert (after.file_path, after.files[0].output, after.conversions) == (None, None, ())
    assert not Path(job.file_path or "").parent.exists()
    again = in_state(converter, converter.client.retry(job.id).id, State.COMPLETED, 60)
    assert Path(again.file_path or "").is_file()


def test_who_watches_meanwhile_gets_a_playlist_that_grows(
    converter: Daemon, swarm: Swarm, clips: Path
) -> None:
    film = clip(clips, "avi", seconds=30, noise=5).read_bytes()
    torrent = swarm.seed({"film.avi": film}, rate=len(film) // 30)
    job_id = converter.client.add(torrent.magnet).id
    early = once(converter, job_id, lambda x: x.conversion and x.conversion.status is ConversionState.RUNNING)
    assert early.conversion
    assert early.conversion.effort == "transcode"
    page = converter.client.stream(job_id).page_url
    assert page
    status = json.load(urlopen(page + "status"))
    assert status["play"] == "hls"
    url = page.partition("/watch/")[0] + status["hls"]["url"]
    playlist = urlopen(url, timeout=60).read().decode()
    assert converter.client.job(job_id).status is State.DOWNLOADING
    assert "#EXT-X-ENDLIST" not in playlist
    parts = [x for x in playlist.splitlines() if x and not x.startswith("#")]
    init, first = (urlopen(urljoin(url, x)).read() for x in ("init.mp4", parts[0]))
    assert (init[4:8], first[4:8]) == (b"ftyp", b"styp")
    swarm.limit(0)
    job = in_state(converter, job_id, State.COMPLETED, timeout=60)
    assert [x.codec for x in probed(Path(job.file_path or "")).streams] == ["h264", "aac"]
    assert "#EXT-X-ENDLIST" in urlopen(url).read().decode()  # who watches goes on to its end
    assert json.load(urlopen(page + "status"))["play"] == "source"


def test_what_is_only_copied_is_shown_to_who_asks(converter: Daemon, swarm: Swarm, clips: Path) -> None:
    film = clip(clips, "ts", seconds=30, noise=20).read_bytes()
    torrent = swarm.seed({"film.ts": film}, rate=len(film) // 30)
    job_id = converter.client.add(torrent.magnet).id
    once(converter, job_id, lambda x: x.conversion and x.conversion.status is ConversionState.RUNNING)
    folder = converter.home / "temp"
    assert not list(folder.glob("hls-*"))
    page = converter.client.stream(job_id).page_url or ""
    status = json.load(urlopen(page + "status"))
    assert (status["play"], status["conversion"]["effort"]) == ("hls", "remux")
    url = page.partition("/watch/")[0] + status["hls"]["url"]
    playlist = urlopen(url, timeout=60).read().decode()
    assert "index0.m4s" in playlist
    with pytest.raises(HTTPError, match="404"):
        urlopen(urljoin(url, "index0.m4s.tmp"))

    def here() -> tuple[float, float]:
        """Shares of the film: without a gap from its beginning, and in all."""
        runs = json.load(urlopen(page + "status"))["runs"]
        return runs[0][1], sum(stop - start for start, stop in runs)

    head, every = here()
    swarm.limit(len(film) // 8)
    until(lambda: here()[1] > every + 0.3)
    assert here()[0] > head + 0.2  # in playing order, for who watches
    swarm.limit(0)
    in_state(converter, job_id, State.COMPLETED, timeout=60)

    def length() -> float:
        told = urlopen(url).read().decode()
        return sum(map(float, re.findall(r"#EXTINF:([0-9.]+)", told))) if "#EXT-X-ENDLIST" in told else 0.0

    assert until(length) == pytest.approx(30, abs=0.5)  # all of it, with its sound


def test_what_is_surely_no_video_is_refused_by_its_first_bytes(converter: Daemon, swarm: Swarm) -> None:
    torrent = swarm.seed({"film.mkv": b"MZ" + bytes(4_000_000)}, rate=50_000)
    job = in_state(converter, converter.client.add(torrent.magnet).id, State.FAILED)
    assert job.error_code == "bad_media"
    assert job.error_message == "film.mkv is not a video that can be used: it is a Windows program"
    assert job.done_bytes < job.total_bytes
    assert job.readiness
    assert not job.readiness.ready
