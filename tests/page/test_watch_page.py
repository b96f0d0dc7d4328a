"""The page in a real browser, before a real daemon that downloads slowly from a real swarm."""

from __future__ import annotations

from urllib.parse import urlsplit

from htdl.jobs import State
from tests.daemon.downloads import in_state
from tests.page.browser import Browser
from tests.page.conftest import Clips, Watch

HAS_PICTURE_AND_SOUND = "video.videoWidth > 0 && video.webkitAudioDecodedByteCount > 0"


def test_it_plays_by_itself_while_the_file_arrives(watch: Watch, clips: Clips) -> None:
    name = "<script>alert(1)<img src=x onerror=alert(2)>.mp4"
    watching = watch({name: clips()})
    page = watching.page
    watching.until_playing(1.5)
    page.until(HAS_PICTURE_AND_SOUND)
    assert watching.job.status is State.DOWNLOADING

    assert page.text("#title") == name  # a stranger's text, and nothing else
    assert page.evaluate("document.title") == name
    assert page.text("#problem") == ""
    assert page.until("document.querySelector('#speed').innerText.endsWith('iB/s')")
    assert page.shown("#peers") == "1"
    assert page.shown("#reason")
    assert page.errors == []
    origin = urlsplit(watching.url)
    assert {urlsplit(url)[:2] for url in page.requests if not url.startswith("data:")} == {origin[:2]}


def test_a_jump_beyond_what_is_here_goes_on_there(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()})
    watching.until_playing()
    watching.page.click("#bar", across=0.8)
    watching.page.until("!video.seeking && video.currentTime > 49")
    assert 47 < watching.began() < 49
    watching.page.until(HAS_PICTURE_AND_SOUND)
    assert watching.job.progress < 100


def test_a_file_with_its_index_at_the_end_plays_while_it_arrives(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-end")})
    watching.until_playing(1)
    watching.page.until(HAS_PICTURE_AND_SOUND)
    assert watching.job.progress < 100


def test_it_begins_at_the_time_of_the_address(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, "#t=40")
    watching.page.until("video.currentTime > 40.5")
    assert 39 < watching.began() < 41
    assert watching.job.progress < 100


def test_an_address_that_names_no_file_plays_the_main_one(watch: Watch, clips: Clips) -> None:
    watch({"film.mp4": clips()}, "#file=x").until_playing()


def test_it_says_that_the_sound_has_no_decoder(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3", 20)}, rate=0)
    problem = watching.page.shown("#problem")
    assert "Silent: the browser has no decoder for this sound." in problem
    assert watching.page.evaluate("document.querySelector('#problem a').pathname.endsWith('/job.m3u')")
    watching.page.until("video.videoWidth > 0 && !video.paused")


def test_it_says_that_the_picture_has_no_decoder(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-hevc", 20)}, rate=0)
    problem = watching.page.shown("#problem")
    assert "plays only the sound: it has no decoder for this picture." in problem


def test_it_says_that_the_browser_cannot_open_it(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.avi": clips("avi", 20)})
    problem = watching.page.shown("#problem")
    assert "cannot open this kind of file (AVI)." in problem
    assert "mpv or VLC" in problem
    watching.page.gone("#notice")


def test_a_whole_file_plays_and_says_nothing(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=0)
    in_state(watching.daemon, watching.job_id, State.COMPLETED)
    watching.until_playing(2.5)
    watching.page.gone("#notice", "#problem")
    assert watching.page.shown("#progress", "all")
    assert watching.page.shown("#reason", "The whole") == "The whole file is here."


def test_it_fits_on_a_phone(watch: Watch, clips: Clips) -> None:
    long = "A.series.with.a.name.that.does.not.end." * 4
    files = {f"{long}S01E{number:02}.1080p.mp4": clips("mp4", 20) for number in (1, 2)}
    page = watch(files, rate=0, size=(390, 844)).page
    page.until("!video.paused && video.currentTime > 0.5")
    page.shown("#files", "Files")
    names = "[...document.querySelectorAll('#files .name')].map(one => one.innerText)"
    assert page.evaluate(names) == ["S01E01", "S01E02"]
    assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    shown = "document.querySelectorAll('h1, video, #bar, #reason, dd, dt, #files button, footer a')"
    outside = (
        f"[...{shown}].filter(one => one.getBoundingClientRect().right > 390.5).map(one => one.outerHTML)"
    )
    assert page.evaluate(outside) == []
    assert page.evaluate("video.getBoundingClientRect().width") == 390, "from edge to edge"
    tall = "Math.min(...[...document.querySelectorAll('#files button')].map(one => one.offsetHeight))"
    assert page.evaluate(tall) >= 44, "a finger finds it"
    page.click("#files li:last-child button")
    page.until("document.querySelector('#files [aria-current] .name').innerText === 'S01E02'")
    assert page.text(".keys") == "", "there is no keyboard"
    assert page.errors == []


def test_where_the_browser_lets_no_page_begin_a_person_presses_play(
    watch: Watch, clips: Clips, careful: Browser
) -> None:
    watching = watch({"film.mp4": clips()}, rate=0, browser=careful)
    watching.page.shown("#notice", "Press play")
    watching.page.press(" ")
    watching.until_playing()
    watching.page.gone("#notice")
