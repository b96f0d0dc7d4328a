"""What browsers do not play is played while it is converted: the page before a real daemon, swarm and ffmpeg."""

from __future__ import annotations

from htdl.jobs import ConversionState, State
from tests.daemon.downloads import in_state, once
from tests.page.conftest import Clips, Watch

HAS_PICTURE_AND_SOUND = "video.videoWidth > 0 && video.webkitAudioDecodedByteCount > 0"
IS_FED = "video.src.startsWith('blob:')"
CONVERTED = {"enabled": True}


def test_a_sound_without_decoder_is_heard_while_the_file_arrives(watch: Watch, clips: Clips) -> None:
    watching = watch({"film.mp4": clips("mp4-ac3")}, conversion=CONVERTED)
    page = watching.page
    page.until(IS_FED)
    watching.until_playing(1.5)
    assert page.evaluate(HAS_PICTURE_AND_SOUND)
    assert watching.job.progress < 100
    assert page.text("#problem") == ""
    assert "AC-3" in page.shown("#conversion")
    assert "It is converted as it arrives" in page.text("#conversion")
    assert page.errors == []
