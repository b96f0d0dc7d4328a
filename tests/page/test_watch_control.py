"""The page in a real browser: its keys, files and subtitles, and what becomes of it when things go wrong."""

from __future__ import annotations

from pathlib import Path

from htdl.jobs import State
from tests.clips import subtitled_clip
from tests.daemon.downloads import in_state
from tests.daemons import Daemon
from tests.page.browser import Browser
from tests.page.conftest import Clips, Watch

SRT = "1\r\n0:00:00,000 --> 00:00:50,500\r\nDéjà vu {\\an8}<i>twice</i>\r\n".encode("cp1252")


def test_the_keys(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=0)
    page = watching.page
    watching.until_playing()
    page.press(" ")
    page.until("video.paused")
    start = watching.time()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):  # faster than Chromium can take seeks
        page.press(key)
    page.until(f"!video.seeking && Math.abs(video.currentTime - {start} - 10) < 0.3")
    page.press("m")
    page.until("video.muted")
    page.press("f")
    page.until("document.fullscreenElement === video")
    page.press("f")
    page.until("!document.fullscreenElement")
    page.evaluate("video.focus()")  # whose own keys do not do it a second time
    page.press(" ")
    watching.until_playing()
    bar = "document.querySelector('#bar')"
    page.until(f"{bar}.getAttribute('aria-valuetext').endsWith(' of 1:00')")
    page.until(f"Math.abs({bar}.getAttribute('aria-valuenow') - video.currentTime) < 1.5")


def test_another_file_is_chosen_by_the_keyboard(watch: Watch, clips: Clips) -> None:
    files = {
        "Season/one.mp4": clips(),
        "Season/two.mp4": clips("mp4-end"),
        "Season/two.txt": b"nothing to see",
    }
    watching = watch(files, rate=1_000_000)
    page = watching.page
    watching.until_playing()
    names = "[...document.querySelectorAll('#files .name')].map(one => one.innerText)"
    assert page.evaluate(names) == ["one", "two"]
    current = "document.querySelector('#files [aria-current] .name').innerText"
    first = page.evaluate(current)
    page.evaluate("document.querySelector('#files button:not([aria-current])').focus()")
    page.press("Enter")
    page.until(f"{current} !== '{first}'")
    page.until("!video.paused && video.currentTime > 0.5")
    assert page.evaluate("location.hash.startsWith('#file=')")
    assert page.evaluate("video.src").endswith(f"/{page.evaluate(current)}.mp4")


def test_subtitles_beside_the_video(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips(), "film.fr.srt": SRT, "film.txt": b"no"})
    page = watching.page
    watching.until_playing()
    page.until("video.textTracks.length")  # its file arrives when it likes
    tracks = "[...video.textTracks].map(one => [one.kind, one.label, one.language])"
    assert page.evaluate(tracks) == [["subtitles", "French", "fr"]]
    page.evaluate("video.textTracks[0].mode = 'showing', null")
    assert page.until("video.textTracks[0].cues?.[0]?.text") == "Déjà vu <i>twice</i>"
    page.until("video.textTracks[0].activeCues.length === 1")
    assert watching.job.progress < 100
    assert page.errors == []


def test_the_tracks_of_the_video_grow_while_it_is_shown(watch: Watch, tmp_path: Path) -> None:
    film = subtitled_clip(tmp_path, ".mp4").read_bytes()
    watching = watch({"film.mp4": film}, rate=len(film) // 2)
    page = watching.page
    page.until("video.textTracks.length === 2")
    labels = "[...video.textTracks].map(one => one.label)"
    assert page.evaluate(labels) == ["English (eng)", "English (eng.2)"]
    page.evaluate("video.textTracks[0].mode = 'showing', null")
    before = page.until("video.textTracks[0].cues?.length")
    assert 0 < before < 30
    watching.fill()
    page.until("video.textTracks[0].cues?.length === 30")
    assert page.evaluate("[...video.textTracks].map(one => one.mode)") == ["showing", "disabled"]
    assert page.errors == []


def test_a_paused_download_is_told_and_goes_on_where_it_was(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=200_000)
    watching.until_playing()
    watching.daemon.client.pause(watching.job_id)
    watching.page.shown("#reason", "The download is paused.")
    watching.page.shown("#unknown", "Which parts are here is shown when the download goes on.")
    watching.page.click("#bar", across=0.7)
    watching.page.shown("#notice", "The download is paused.")
    watching.daemon.client.resume(watching.job_id)
    watching.page.until("video.error === null && !video.seeking && video.currentTime > 43")
    assert 41 < watching.began() < 43
    assert watching.job.progress < 100
    watching.page.gone("#unknown")


def test_it_outlives_the_daemon(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=200_000)
    page = watching.page
    watching.until_playing()
    watching.daemon.kill()
    page.shown("#reason", "The daemon does not answer")
    page.click("#bar", across=0.7)
    page.shown("#notice", "The daemon does not answer")
    watching.daemon.start()
    page.until("video.error === null && !video.seeking && video.currentTime > 43")
    page.gone("#problem")
    page.until("!document.querySelector('#reason').innerText.startsWith('The daemon')")
    assert watching.job.progress < 100


def test_a_download_that_is_forgotten_is_told(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=100_000)
    watching.daemon.client.cancel(watching.job_id)
    in_state(watching.daemon, watching.job_id, State.CANCELLED)
    watching.page.shown("#reason", "The download was cancelled.")
    watching.daemon.client.remove(watching.job_id)
    watching.page.until(
        "document.querySelector('#reason').innerText.startsWith('This download is not there')"
    )


def test_one_goes_on_another_day_where_one_stopped(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips()}, rate=0)
    watching.until_playing()
    watching.page.press(" ")
    watching.page.press("ArrowRight")
    watching.page.press("ArrowRight")
    watching.page.until("!video.seeking && video.currentTime > 20")
    watching.page.goto("about:blank")
    watching.page.goto(watching.url)
    watching.page.until("video.currentTime > 20.5")
    assert watching.began() > 19


def test_before_its_files_are_known_it_says_so(daemon: Daemon, browser: Browser) -> None:
    job = daemon.client.add(f"magnet:?xt=urn:btih:{'ab' * 20}&dn=Some%20film")
    page = browser.page()
    page.goto(daemon.client.stream(job.id).page_url or "")
    assert page.shown("#notice", "Not ready yet")
    assert page.shown("#title", "Some") == "Some film"
    assert page.shown("#reason")
    assert page.text("#files") == page.text("#problem") == ""
    assert page.errors == []
