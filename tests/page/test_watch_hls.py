"""What browsers do not play is played while it is converted: before a real daemon, swarm and ffmpeg."""

from __future__ import annotations

import pytest

from htdl.jobs import ConversionState, State
from tests.daemon.downloads import in_state
from tests.page.browser import Browser
from tests.page.conftest import Clips, Watch

HAS_PICTURE_AND_SOUND = "video.videoWidth > 0 && video.webkitAudioDecodedByteCount > 0"
IS_FED = "video.src.startsWith('blob:')"
CONVERTED = {"enabled": True}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("mp4-ac3", "AC-3 is silent"), ("mp4-hevc", "HEVC does not play"), ("avi", "MPEG-4 Visual does not")],
)
def test_what_has_no_decoder_is_seen_and_heard_while_it_arrives(
    watch: Watch, clips: Clips, kind: str, reason: str
) -> None:
    name = "film.avi" if kind == "avi" else "film.mp4"
    watching = watch({name: clips(kind)}, rate=200_000, conversion=CONVERTED)
    page = watching.page
    page.until(IS_FED)
    watching.until_playing(1)
    page.until(HAS_PICTURE_AND_SOUND)
    assert watching.job.progress < 100
    assert page.shown("#conversion", reason).count("It is converted as it arrives: ") == 1
    page.gone("#problem", "#notice", "#unknown")
    assert page.errors == []


def test_one_goes_back_and_on_to_the_end_whatever_is_made_meanwhile(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.avi": clips("avi", 20)}, rate=1_000_000, held=0.5, conversion=CONVERTED)
    page = watching.page
    page.until(f"{IS_FED} && video.currentTime > 4")
    page.evaluate("video.playbackRate = 0.1")  # so that it has not ended when the rest is made
    assert page.seek(0.5) < 2
    page.until("!video.seeking && video.currentTime > 0.6")
    watching.fill()
    in_state(watching.daemon, watching.job_id, State.COMPLETED, 60)
    assert page.until("document.querySelector('#conversion').hidden")
    assert page.evaluate(IS_FED), "the result did not interrupt"
    page.evaluate("video.playbackRate = 1")
    page.click("#bar", across=0.85)
    page.until("video.ended")
    assert abs(watching.time() - 20) < 0.5
    page.gone("#problem", "#notice")
    page.goto("about:blank")
    page.goto(watching.url)
    watching.until_playing()
    assert page.evaluate("new URL(video.src).pathname").endswith("/film.mp4"), "but is what plays next time"
    assert page.errors == []


def test_a_place_beyond_what_was_made_is_waited_for(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3")}, "#t=40", rate=1_500_000, held=0.4, conversion=CONVERTED)
    page = watching.page
    assert page.shown("#notice", "Made up to 0:").endswith("; it goes on as more is converted")
    watching.fill()
    page.until(f"{IS_FED} && !video.seeking && video.currentTime > 40.5")
    assert 39 < watching.began() < 41
    page.until(HAS_PICTURE_AND_SOUND)


def test_a_browser_with_little_room_plays_it_to_the_end(watch: Watch, clips: Clips, small: Browser) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3", 30)}, rate=600_000, conversion=CONVERTED, browser=small)
    page = watching.page
    page.until(IS_FED)
    page.evaluate("video.playbackRate = 3")
    page.until("video.currentTime > 12")
    runs = "[...Array(video.buffered.length).keys()]"
    held = page.evaluate(
        f"{runs}.reduce((sum, i) => sum + video.buffered.end(i) - video.buffered.start(i), 0)"
    )
    assert held < 15, "the room is small indeed"
    for place in (1, 12, 1, 22):
        page.seek(place)
        page.until(f"{IS_FED} && !video.seeking && video.currentTime > {place + 1}", 30)
    watching.fill()  # until then it is still made, and so it is what plays
    page.until("video.ended")
    page.until(HAS_PICTURE_AND_SOUND)
    assert page.errors == []


def test_what_waits_for_its_turn_says_so_and_then_plays(watch: Watch, clips: Clips) -> None:
    files = {f"Films/{name}.avi": clips("avi", 20) for name in ("one", "two")}
    watching = watch(files, rate=2_000_000, held=0.5, conversion=CONVERTED)
    page = watching.page
    page.until(IS_FED)
    page.click("#files button:not([aria-current])")
    page.shown("#notice", "It waits for its turn to be converted")
    watching.fill()
    page.until("!video.paused && video.currentTime > 1 && video.videoWidth > 0")
    assert page.errors == []


def test_it_outlives_the_daemon_and_its_conversion(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.avi": clips("avi")}, held=0.2, conversion=CONVERTED)
    page = watching.page
    page.until(f"{IS_FED} && video.currentTime > 1")
    watching.daemon.kill()
    page.shown("#reason", "The daemon does not answer")
    page.until("video.readyState < 3")
    page.shown("#notice", "The daemon does not answer")
    start = watching.time()
    watching.daemon.start()
    watching.fill()
    page.until(f"{IS_FED} && !video.seeking && video.currentTime > {start + 1}")
    assert watching.began() > start - 2
    page.until(HAS_PICTURE_AND_SOUND)
    page.gone("#problem")
    assert page.errors == []


def test_where_the_browser_does_not_take_it_the_file_itself_is_played(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3")}, held=0.3, conversion=CONVERTED)
    page = watching.page
    page.call("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.MediaSource")
    page.goto(watching.url + "#")
    page.goto("about:blank")
    page.goto(
        watching.url
    )  # as Safari does, Chromium says that it plays a playlist; it plays none that grows
    page.until("video.currentTime > 0 || document.querySelector('#problem').checkVisibility()")
    watching.fill()
    page.shown("#problem", "What is converted of it could not be played here.")
    page.until("new URL(video.src).pathname.endsWith('/film.mp4') && video.currentTime > 0.5")
    is_silent = "document.querySelector('#problem').innerText.trim().startsWith('Silent')"
    page.until(
        f"{is_silent} || new URL(video.src).pathname.startsWith('/video/')"
    )  # which has a sound by then
    assert page.errors == []


def test_a_conversion_that_fails_is_told(watch: Watch) -> None:
    watching = watch({"film.avi": bytes(range(256)) * 4000}, rate=0, conversion=CONVERTED)
    assert watching.page.shown("#conversion", "The conversion failed: ").endswith(".")
    assert watching.job.conversion
    assert watching.job.conversion.status is ConversionState.FAILED
