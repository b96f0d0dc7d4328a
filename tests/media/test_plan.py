from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from htdl.errors import ConversionFailed
from htdl.media.plan import Effort, Plan, Target, plan
from htdl.media.probe import Probe, Stream

HAS = frozenset({"libx264", "aac", "libopus", "libvpx-vp9", "libsvtav1", "zscale", "tonemap", "bwdif"})
MKV, MP4, AVI = "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi"
FILM = Stream(
    index=0,
    kind="video",
    codec="h264",
    profile="High",
    pixel_format="yuv420p",
    width=1920,
    height=1080,
    level=41,
    frame_rate=24.0,
    field_order="progressive",
)
SOUND = Stream(index=1, kind="audio", codec="aac", profile="LC", channels=2, sample_rate=48000)


def probe(*streams: Stream, container: str = MKV, **fields: Any) -> Probe:
    known = {"duration": 300.0, "size": 195_000_000, "bit_rate": 5_200_000}
    return Probe(container=container, streams=streams, **(known | fields))


def planned(*streams: Stream, container: str = MKV, target: Target | None = None, **options: Any) -> Plan:
    return plan(probe(*streams, container=container), target or Target(), has=HAS, **options)


def film(**fields: Any) -> Stream:
    return replace(FILM, **fields)


def sound(index: int = 1, **fields: Any) -> Stream:
    return replace(SOUND, index=index, **fields)


def filters(of: Plan) -> str:
    return of.arguments[of.arguments.index("-vf") + 1]


def kept_sounds(of: Plan) -> list[str]:
    """The numbers of the mapped streams, without the picture's."""
    maps = [of.arguments[i + 1] for i, x in enumerate(of.arguments) if x == "-map"]
    return [x.removeprefix("0:") for x in maps if x != "0:0"]


# what needs doing


@pytest.mark.parametrize(
    ("streams", "container", "effort"),
    [
        ((FILM, SOUND), MP4, Effort.NONE),
        ((FILM, SOUND), MKV, Effort.REMUX),
        ((FILM, SOUND), AVI, Effort.REMUX),
        ((FILM, sound(codec="ac3", channels=6)), MP4, Effort.AUDIO),
        ((FILM, sound(channels=6)), MP4, Effort.NONE),
        ((FILM, sound(profile="Main")), MP4, Effort.AUDIO),
        ((FILM, sound(codec="mp3", profile="", sample_rate=11025)), AVI, Effort.AUDIO),
        ((FILM,), MP4, Effort.NONE),
        ((SOUND,), MP4, Effort.NONE),
        ((sound(codec="flac"),), "flac", Effort.AUDIO),
        ((film(level=52), SOUND), MP4, Effort.NONE),
        ((film(level=60), SOUND), MP4, Effort.TRANSCODE),
        ((film(field_order="tt"), SOUND), MP4, Effort.TRANSCODE),
        ((film(pixel_format="yuv420p10le", profile="High 10"), SOUND), MP4, Effort.TRANSCODE),
        ((film(codec="hevc", profile="Main"), SOUND), MP4, Effort.TRANSCODE),
        ((film(codec="av1", profile="Main", pixel_format="yuv420p10le"), SOUND), MP4, Effort.NONE),
        ((film(codec="vp9", profile="Profile 0"), sound(codec="opus")), MKV, Effort.NONE),
        ((film(codec="vp9", profile="Profile 0"), sound(codec="opus")), MP4, Effort.NONE),
        ((film(codec="vp9", profile="Profile 1", pixel_format="yuv444p"), SOUND), MKV, Effort.TRANSCODE),
        ((FILM, sound(codec="opus")), MP4, Effort.AUDIO),
        ((film(rotation=90), SOUND), MP4, Effort.NONE),
        ((film(width=321, height=181), SOUND), MP4, Effort.NONE),
        ((film(frame_rate=None), SOUND), MP4, Effort.NONE),
    ],
)
def test_only_what_does_not_play_is_changed(
    streams: tuple[Stream, ...], container: str, effort: Effort
) -> None:
    assert planned(*streams, container=container).effort is effort


def test_a_file_without_a_length_is_copied_into_one_that_has_it() -> None:
    vp9, opus = film(codec="vp9", profile="Profile 0"), sound(codec="opus")
    found = plan(probe(vp9, opus, duration=None), Target(), has=HAS)
    assert (found.effort, found.suffix) == (Effort.REMUX, ".webm")
    assert "length" in found.reason


def test_vp8_stays_what_it_is_in_webm() -> None:
    found = planned(film(codec="vp8", profile=""), sound(codec="ac3"))
    assert (found.suffix, found.effort) == (".webm", Effort.AUDIO)
    assert [x.becomes for x in found.streams] == ["vp8", "opus"]


def test_a_picture_of_webm_that_does_not_play_becomes_what_was_asked_for() -> None:
    found = planned(film(codec="vp8", profile="", pixel_format="yuva420p"), sound(codec="opus"))
    assert (found.suffix, [x.becomes for x in found.streams]) == (".mp4", ["h264", "aac"])


def test_webm_is_made_where_it_is_asked_for() -> None:
    found = planned(FILM, SOUND, container=MP4, target=Target("webm", "av1"))
    assert (found.suffix, found.effort) == (".webm", Effort.TRANSCODE)
    assert [x.reason for x in found.streams if x.kind == "audio"] == ["AAC does not fit into WebM"]
    assert "H.264 does not play in WebM" in found.reason
    assert [x.becomes for x in found.streams] == ["av1", "opus"]


def test_an_original_is_kept_whatever_it_is() -> None:
    found = planned(film(codec="hevc"), sound(codec="dts"), target=Target("original"))
    assert (found.effort, found.while_downloading, found.arguments) == (Effort.NONE, False, ())


def test_what_is_neither_seen_nor_heard_is_refused() -> None:
    with pytest.raises(ConversionFailed) as caught:
        planned(Stream(index=0, kind="subtitle", codec="subrip"), film(index=1, is_cover=True))
    assert caught.value.code == "bad_media"


def test_a_film_whose_picture_is_not_known_does_not_become_a_sound() -> None:
    with pytest.raises(ConversionFailed, match="picture is of a kind"):
        planned(film(codec=""), SOUND)


def test_a_missing_encoder_is_named() -> None:
    with pytest.raises(ConversionFailed, match="libx264") as caught:
        plan(probe(film(codec="hevc")), Target(), has=frozenset())
    assert (caught.value.code, bool(caught.value.hint)) == ("conversion_failed", True)


@pytest.mark.parametrize("target", [Target("webm", "h264"), Target("avi"), Target("mp4", "hevc")])
def test_a_target_that_cannot_be_made_is_refused(target: Target) -> None:
    with pytest.raises(ConversionFailed, match="cannot be made"):
        planned(FILM, SOUND, target=target)


# the streams


def test_covers_fonts_and_data_are_left_out_and_named() -> None:
    cover = film(index=2, codec="mjpeg", is_cover=True)
    others = [Stream(index=3, kind="attachment", codec="ttf"), Stream(index=4, kind="data")]
    found = planned(FILM, SOUND, cover, *others)
    assert [x.becomes for x in found.streams] == ["h264", "aac", None, None, None]
    assert found.streams[2].reason == "a cover picture"
    assert found.arguments.count("-map") == 2


def test_a_still_before_the_film_is_not_taken_for_it() -> None:
    found = planned(film(codec="png", pixel_format="rgb24"), film(index=1), sound(2))
    assert [x.becomes for x in found.streams] == [None, "h264", "aac"]


def test_the_default_sound_comes_first_and_commentary_last() -> None:
    found = planned(
        FILM,
        sound(1, is_commentary=True, is_default=True),
        sound(2),
        sound(3, is_default=True, language="fr"),
    )
    assert kept_sounds(found) == ["3", "2", "1"]
    flags = [found.arguments[found.arguments.index(f"-disposition:a:{i}") + 1] for i in range(3)]
    assert flags == ["default", "0", "comment"]


def test_a_viewer_gets_the_picture_and_the_default_sound() -> None:
    found = planned(FILM, sound(1, codec="ac3"), sound(2, is_default=True))
    assert [found.hls_arguments[i + 1] for i, x in enumerate(found.hls_arguments) if x == "-map"] == [
        "0:0",
        "0:2",
    ]


@pytest.mark.parametrize("wanted", ["de", "deu", "ger"])
def test_a_language_has_several_codes(wanted: str) -> None:
    found = planned(FILM, sound(1, language="eng"), sound(2, language="ger"), audio=(wanted,))
    assert kept_sounds(found) == ["2"]
    assert found.streams[1].reason == "not a chosen language"


def test_one_language_is_not_another_that_begins_alike() -> None:
    with pytest.raises(ConversionFailed, match="there is est"):
        planned(FILM, sound(1, language="est"), audio=("es",))


def test_the_first_chosen_language_is_the_default() -> None:
    streams = FILM, sound(1, language="eng", is_default=True), sound(2, language="jpn")
    assert kept_sounds(planned(*streams, audio=("ja", "en"))) == ["2", "1"]
    assert planned(*streams, container=MP4).effort is Effort.NONE
    assert planned(*streams, container=MP4, audio=("ja", "en")).effort is Effort.REMUX


def test_what_cannot_be_told_is_left_out_with_a_warning() -> None:
    found = planned(FILM, SOUND, sound(2, codec=""), container=MP4)
    assert found.effort is Effort.REMUX
    assert any("sound 2" in x for x in found.warnings)


def test_subtitles_become_text_beside_the_video_or_are_named() -> None:
    text = Stream(index=2, kind="subtitle", codec="ass")
    image = Stream(index=3, kind="subtitle", codec="hdmv_pgs_subtitle", language="eng")
    found = planned(FILM, SOUND, text, image)
    assert found.streams[2].reason == "becomes WebVTT beside the video, without its styles"
    assert len(found.warnings) == 1
    assert "subtitles 3 (eng)" in found.warnings[0]
    assert found.effort is Effort.REMUX


# the picture


def test_hdr_becomes_sdr_where_ffmpeg_can() -> None:
    hdr = film(codec="hevc", pixel_format="yuv420p10le", transfer="smpte2084")
    assert "tonemap" in filters(planned(hdr))
    without = plan(probe(hdr), Target(), has=HAS - {"zscale"})
    assert "tonemap" not in filters(without)
    assert any("HDR" in x for x in without.warnings)


def test_interlaced_becomes_progressive() -> None:
    assert filters(planned(film(codec="mpeg2video", field_order="tt"))).startswith("bwdif")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"width": 7680, "height": 4320}, "scale=3840:2160"),
        ({"width": 4320, "height": 7680}, "scale=2160:3840"),
        ({"width": 7680, "height": 4320, "rotation": 90}, "scale=2160:3840"),
        ({"width": 1921, "height": 1081}, "scale=trunc(iw/2)*2:trunc(ih/2)*2"),
        ({"width": 3840, "height": 2160, "frame_rate": 120.0}, "fps=60"),
        ({"frame_rate": 1000.0}, "fps=60"),
    ],
)
def test_the_picture_fits_what_devices_decode(fields: dict[str, Any], expected: str) -> None:
    found = planned(film(codec="hevc", **fields))
    assert expected in filters(found)
    assert bool(found.warnings) == ("trunc" not in expected)


# how long, and how large


@pytest.mark.parametrize(
    ("streams", "seconds"),
    [
        ((FILM, SOUND), 0.6),
        ((FILM, sound(codec="ac3", channels=6)), 8.0),
        ((film(codec="hevc"), SOUND), 206),
        ((film(codec="hevc", width=1280, height=720), SOUND), 132),
    ],
)
def test_the_time_is_about_what_was_measured(streams: tuple[Stream, ...], seconds: float) -> None:
    assert planned(*streams).seconds == pytest.approx(seconds, rel=0.25)


def test_the_size_of_a_copy_is_that_of_the_source() -> None:
    assert planned(FILM, SOUND).bytes == 195_000_000
    assert planned(FILM, sound(codec="ac3")).bytes == 195_000_000 + 300 * 20_000


def test_what_is_not_known_is_not_guessed() -> None:
    unknown = probe(film(codec="hevc"), SOUND, duration=None, size=None)
    found = plan(unknown, Target(), has=HAS)
    assert (found.seconds, found.bytes) == (None, None)


def test_a_length_that_is_a_lie_makes_no_result_larger_than_a_disk() -> None:
    for first in (film(codec="hevc", width=4096, height=2160, frame_rate=60.0, bit_rate=2**60), FILM):
        found = plan(probe(first, sound(codec="ac3"), duration=1e6, size=1000), Target(), has=HAS)
        assert found.bytes is not None
        assert found.bytes <= 5000


# the outputs


def test_a_copy_is_written_twice_and_a_picture_encoded_once() -> None:
    target, playlist = Path("/t/film.mp4"), Path("/t/hls/index.m3u8")
    copy = planned(FILM, SOUND).outputs(target, playlist)
    assert (copy.count("-map"), "tee" in copy) == (4, False)
    encoded = planned(film(codec="hevc"), SOUND).outputs(target, playlist)
    assert (encoded.count("libx264"), "tee" in encoded) == (1, True)


def test_one_of_the_two_may_be_left_out() -> None:
    found = planned(film(codec="hevc"), SOUND)
    assert found.outputs(Path("/t/film.mp4"))[-1] == "file:/t/film.mp4"
    assert found.outputs(None, Path("/t/index.m3u8"))[-1] == "file:/t/index.m3u8"
    assert found.outputs(None) == []
