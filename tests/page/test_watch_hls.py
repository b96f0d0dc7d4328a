"""What browsers do not play is played while it is converted: before a real daemon, swarm and ffmpeg."""

from __future__ import annotations

from pathlib import Path

import pytest

from htdl.jobs import ConversionState, State
from tests.daemon.converting import slow
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
    assert page.evaluate(HAS_PICTURE_AND_SOUND)
    assert watching.job.progress < 100
    assert page.shown("#conversion", reason).count("It is converted as it arrives: ") == 1
    assert page.text("#problem") == page.text("#notice") == page.text("#unknown") == ""
    assert page.errors == []


def test_one_goes_back_and_on_to_the_end_whatever_is_made_meanwhile(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.avi": clips("avi", 20)}, rate=600_000, conversion=CONVERTED)
    page = watching.page
    page.until(f"{IS_FED} && video.currentTime > 4")
    page.evaluate("video.currentTime = 0.5")
    page.until("!video.seeking && video.currentTime > 1 && video.currentTime < 3")
    in_state(watching.daemon, watching.job_id, State.COMPLETED)
    assert page.until("document.querySelector('#conversion').hidden")
    page.click("#bar", across=0.85)
    page.until("video.ended")
    assert page.evaluate(IS_FED), "the result did not interrupt"
    assert abs(watching.time() - 20) < 0.5
    assert page.text("#problem") == page.text("#notice") == ""
    page.goto("about:blank")
    page.goto(watching.url)
    watching.until_playing()
    assert page.evaluate("new URL(video.src).pathname").endswith("/film.mp4"), "but is what plays next time"
    assert page.errors == []


def test_a_place_beyond_what_was_made_is_waited_for(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3")}, "#t=40", rate=800_000, conversion=CONVERTED)
    page = watching.page
    assert page.shown("#notice", "Made up to 0:").endswith("; it goes on as more is converted")
    page.until(f"{IS_FED} && !video.seeking && video.currentTime > 40.5")
    assert watching.time() < 50
    assert page.evaluate(HAS_PICTURE_AND_SOUND)


def test_a_browser_with_little_room_plays_it_to_the_end(watch: Watch, clips: Clips, small: Browser) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3", 30)}, rate=300_000, conversion=CONVERTED, browser=small)
    page = watching.page
    page.until(IS_FED)
    page.evaluate("video.playbackRate = 3")
    page.until("video.currentTime > 12")
    held = page.evaluate("video.buffered.end(video.buffered.length - 1) - video.buffered.start(0)")
    assert held < 15, "the room is small indeed"
    for place in (1, 12, 1, 22):
        page.evaluate(f"video.currentTime = {place}")
        page.until(f"{IS_FED} && !video.seeking && video.currentTime > {place + 1}")
    page.until("video.ended")
    assert page.evaluate(HAS_PICTURE_AND_SOUND)
    assert page.errors == []


def test_what_waits_for_its_turn_says_so_and_then_plays(watch: Watch, clips: Clips, tmp_path: Path) -> None:
    files = {f"Films/{name}.avi": clips("avi", 20) for name in ("one", "two")}
    watching = watch(
        files, rate=1_000_000, conversion={"enabled": True, "ffmpeg_path": str(slow(tmp_path, 2))}
    )
    page = watching.page
    page.until(IS_FED)
    page.click("#files button:not([aria-current])")
    page.shown("#notice", "It waits for its turn to be converted")
    page.until("!video.paused && video.currentTime > 1 && video.videoWidth > 0")
    assert page.errors == []


def test_it_outlives_the_daemon_and_its_conversion(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.avi": clips("avi")}, rate=300_000, conversion=CONVERTED)
    page = watching.page
    page.until(f"{IS_FED} && video.currentTime > 1")
    watching.daemon.kill()
    page.shown("#reason", "The daemon does not answer")
    page.until("video.readyState < 3")
    page.shown("#notice", "The daemon does not answer")
    watching.daemon.start()
    start = watching.time()
    page.until(f"{IS_FED} && !video.seeking && video.currentTime > {start + 1}", 60)
    assert watching.time() < start + 20
    assert page.evaluate(HAS_PICTURE_AND_SOUND)
    assert page.text("#problem") == ""
    assert page.errors == []


def test_where_the_browser_does_not_take_it_the_file_itself_is_played(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3")}, conversion=CONVERTED)
    page = watching.page
    page.call("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.MediaSource")
    page.goto(watching.url + "#")
    page.goto("about:blank")
    page.goto(
        watching.url
    )  # as Safari does, Chromium says that it plays a playlist; it plays none that grows
    page.shown("#problem", "What is converted of it could not be played here.")
    page.until("new URL(video.src).pathname.endsWith('/film.mp4') && video.currentTime > 0.5")
    assert "Silent" in page.shown("#problem", "Silent")
    assert page.errors == []


def test_a_conversion_that_fails_is_told(watch: Watch) -> None:
    watching = watch({"film.avi": bytes(range(256)) * 4000}, rate=0, conversion=CONVERTED)
    assert watching.page.shown("#conversion", "The conversion failed: ").endswith(".")
    assert watching.job.conversion
    assert watching.job.conversion.status is ConversionState.FAILED
