"""The watch page over HTTP: what each address answers, and to whom."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from htdl.api.playlist import Entry, m3u
from htdl.api.watched import listed
from htdl.jobs import State, Subtitle
from htdl.store import subtitles
from tests.api.playing import EXTRA, FILM, NAME, PIECE, SIZE, Playing
from tests.core.examples import job_file
from tests.core.watching import SECONDS, film_bytes

VTT = b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello\n"


def page(playing: Playing, rest: str = "", token: str | None = None) -> str:
    return f"/watch/{playing.job_id}/{token or playing.world.service.links.token(playing.job_id)}/{rest}"


def test_the_page_lets_nothing_in_from_outside(playing: Playing) -> None:
    answer = playing.get(page(playing))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert b"https:" not in answer.body


@pytest.mark.parametrize("rest", ["", "status", "job.m3u", "subtitle/1/en.vtt"])
def test_a_wrong_token_and_a_job_that_is_not_there_are_answered_alike(playing: Playing, rest: str) -> None:
    token = playing.world.service.links.token("nobody")
    wrong = playing.get(page(playing, rest, token="x" * 22))
    absent = playing.get(f"/watch/nobody/{token}/{rest}")
    assert (wrong.status, wrong.body) == (absent.status, absent.body)
    assert wrong.status == 404


@pytest.mark.parametrize(
    "rest", ["subtitle/1/en.vtt", "subtitle/99/en.vtt", "subtitle/x/en.vtt", "subtitle/-1/en.vtt", "x"]
)
def test_what_is_no_subtitle_is_not_there(playing: Playing, rest: str) -> None:
    assert playing.get(page(playing, rest)).status == 404


def test_static_files_are_sent_once(playing: Playing) -> None:
    for name, kind in (("watch.js", "text/javascript"), ("watch.css", "text/css")):
        first = playing.get(f"/static/{name}")
        assert first.headers["Content-Type"] == f"{kind}; charset=utf-8"
        again = playing.get(f"/static/{name}", If_None_Match=first.headers["ETag"])
        assert (first.status, again.status, again.body) == (200, 304, b"")
        assert playing.get(f"/static/{name}", If_None_Match='"other"').status == 200


@pytest.mark.parametrize("name", ["", "watch.html", "../api/pages.py", "%2e%2e/jobs.py", "nothing.js"])
def test_nothing_else_is_static(playing: Playing, name: str) -> None:
    assert playing.get(f"/static/{name}").status == 404


def test_the_status_tells_what_is_here(playing: Playing) -> None:
    playing.arrive(0, 3)
    status = json.loads(playing.get(page(playing, "status")).body)
    assert status["file"] == FILM
    assert status["runs"] == [
        [0, (PIECE - 1000) / SIZE],
        [(3 * PIECE - 1000) / SIZE, (4 * PIECE - 1000) / SIZE],
    ]
    assert status["is_whole"] is False
    assert status["readiness"]["ready"] is False
    assert [file["index"] for file in status["files"]] == [EXTRA, FILM]
    film = status["files"][1]
    assert film["type"] == "video/x-matroska"
    playing.arrive()
    assert playing.get(film["url"], Range="bytes=0-9").status == 206


def test_what_is_here_of_a_paused_job_is_not_known(playing: Playing) -> None:
    def runs() -> object:
        return json.loads(playing.get(page(playing, "status")).body)["runs"]

    playing.run(playing.world.service.pause(playing.job_id))
    playing.run(playing.world.until_status(playing.job_id, State.PAUSED))
    assert runs() == [], "nothing has come"
    files = playing.world.book.files[playing.job_id]
    playing.world.book.files[playing.job_id] = tuple(replace(file, progress=7.0) for file in files)
    assert runs() is None


def test_the_status_of_another_file(playing: Playing) -> None:
    playing.arrive(0)
    status = json.loads(playing.get(page(playing, f"status?file={EXTRA}")).body)
    assert (status["file"], status["runs"]) == (EXTRA, [[0, 1]])
    for silly in ("99", "x", "-1", "%D9%A3", "9" * 5000):
        status = json.loads(playing.get(page(playing, f"status?file={silly}")).body)
        assert status["file"] in {None, FILM}


def test_who_has_the_page_open_is_known(playing: Playing) -> None:
    streams = playing.world.service.streams
    assert not streams.is_watched(playing.job_id)
    playing.get(page(playing, "status", token="x" * 22))
    assert not streams.is_watched(playing.job_id)
    playing.get(page(playing, "status"))
    assert streams.is_watched(playing.job_id)


def test_the_status_of_a_whole_job(whole: Playing) -> None:
    status = json.loads(whole.get(page(whole, "status")).body)
    assert (status["is_whole"], status["runs"], status["progress"]) == (True, [[0, 1]], 100.0)


def test_where_there_is_no_video_everything_is_listed() -> None:
    film, old, song, text = files = [job_file(i, x) for i, x in enumerate(("a.mkv", "b.rmvb", "c.mp3", "d"))]
    assert listed(files) == [film, old]
    assert listed([song, text]) == [song, text]


def test_a_series_is_listed_as_people_number_it() -> None:
    files = [job_file(i, f"s/{x}.mkv") for i, x in enumerate(("S1E10", "S1E2", "s1e1", "S1E02b", "extra"))]
    assert [file.index for file in listed(files)] == [4, 2, 1, 3, 0]


def test_the_playlist_names_each_video(playing: Playing) -> None:
    answer = playing.get(page(playing, "job.m3u"))
    assert answer.headers["Content-Type"] == "audio/x-mpegurl"
    head, *lines = answer.body.decode().splitlines()
    assert head == "#EXTM3U"
    assert lines[0::2] == ["#EXTINF:-1,extra.mp4", f"#EXTINF:-1,{NAME}"]
    assert all(
        url.startswith(f"http://127.0.0.1:{playing.port}/stream/{playing.job_id}/") for url in lines[1::2]
    )


def test_the_playlist_tells_how_long_each_video_is_and_its_subtitles(whole: Playing, tmp_path: Path) -> None:
    def entries() -> list[str]:
        return whole.get(page(whole, "job.m3u")).body.decode().splitlines()[1:]

    whole.path().write_bytes(film_bytes(tmp_path, SIZE))
    assert entries()[0::2] == ["#EXTINF:-1,extra.mp4", f"#EXTINF:{SECONDS},{NAME}"]
    whole.path().rename(tmp_path / "moved.mkv")
    assert entries()[2] == f"#EXTINF:{SECONDS},{NAME}", "it is read once"
    keep_subtitle(whole, EXTRA, "en.vtt")
    token = whole.world.service.links.token(whole.job_id)
    url = f"http://127.0.0.1:{whole.port}/watch/{whole.job_id}/{token}/subtitle/{EXTRA}/en.vtt"
    assert entries()[1] == f"#EXTVLCOPT:input-slave={url}"
    assert whole.get(page(whole, f"subtitle/{EXTRA}/en.vtt")).body == VTT


def keep_subtitle(whole: Playing, index: int, name: str) -> Path:
    """A file, and the row that names it."""
    path = whole.world.config.storage.subtitle_path / "video" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(VTT)
    row = Subtitle(file_index=index, path=str(path), language="en", origin="track 2 (subrip)")
    whole.run(whole.world.db.run(subtitles.replace_all, whole.job_id, index, [row]))
    return path


def test_a_subtitle_is_shown_as_its_row_says(whole: Playing) -> None:
    path = keep_subtitle(whole, FILM, "en.vtt")
    (told,) = json.loads(whole.get(page(whole, "status")).body)["subtitles"]
    assert (told["language"], told["label"], told["note"]) == ("en", "en", "")
    answer = whole.get(told["url"])
    assert (answer.status, answer.body) == (200, VTT)
    assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
    path.with_name("other.vtt").write_bytes(VTT)
    for rest in (
        f"{EXTRA}/en.vtt",
        f"{FILM}/other.vtt",
        f"{FILM}/..%2fvideo%2fen.vtt",
        f"{FILM}/",
        f"{FILM}",
    ):
        assert whole.get(page(whole, f"subtitle/{rest}")).status == 404, rest
    path.unlink()
    assert whole.get(told["url"]).status == 404


@pytest.mark.parametrize("is_folder", [False, True])
def test_no_link_is_followed_to_a_subtitle(whole: Playing, tmp_path: Path, is_folder: bool) -> None:
    path = keep_subtitle(whole, FILM, "en.vtt")
    moved = path.parent if is_folder else path
    moved.rename(tmp_path / "elsewhere")
    moved.symlink_to(tmp_path / "elsewhere")
    assert path.read_bytes() == VTT
    assert whole.get(page(whole, f"subtitle/{FILM}/en.vtt")).status == 404


def test_no_name_writes_a_line_of_the_playlist() -> None:
    title = "a\r\n#EXTVLCOPT:x\u2028http://evil/\x85b"
    text = m3u([Entry(title, "http://h/v", 61.6, ("http://h/a.srt", "http://h/b.srt"))])
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXTINF:62,a  #EXTVLCOPT:x http://evil/ b",
        "#EXTVLCOPT:input-slave=http://h/a.srt#http://h/b.srt",
        "http://h/v",
    ]
