"""The plan of whatever a file says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import ConversionFailed
from htdl.media.plan import Effort, Plan, Target, plan
from htdl.media.probe import Probe, Stream
from tests.media.test_plan import AVI, HAS, MKV, MP4

words = st.text(max_size=8)
PICTURES = ["h264", "hevc", "vp8", "vp9", "av1", "mjpeg"]
SOUNDS = ["aac", "mp3", "ac3", "opus", "vorbis", "pcm_s16le"]
OTHERS = ["", "subrip", "ass", "dvd_subtitle", "ttf"]
codecs = st.sampled_from([*PICTURES, *SOUNDS, *OTHERS])
TITLE = "-vf {} 'title';%03d"


@st.composite
def any_stream(draw: st.DrawFn) -> Stream:
    flags = {
        name: draw(st.booleans())
        for name in ("is_default", "is_cover", "is_commentary", "is_visual_impaired", "is_forced")
    }
    return Stream(
        index=0,
        kind=draw(st.sampled_from(["video", "audio", "subtitle", "attachment", "data"])),
        codec=draw(codecs | words),
        profile=draw(st.sampled_from(["", "High", "High 10", "LC", "Main", "Profile 0"]) | words),
        language=draw(st.sampled_from([None, "eng", "jpn"])),
        title=TITLE,
        width=draw(st.integers(0, 40_000)),
        height=draw(st.integers(0, 40_000)),
        pixel_format=draw(st.sampled_from(["", "yuv420p", "yuv420p10le"]) | words),
        level=draw(st.integers(0, 200)),
        frame_rate=draw(st.none() | st.floats(0.001, 1000)),
        field_order=draw(st.sampled_from(["", "progressive", "tt"]) | words),
        transfer=draw(st.sampled_from(["", "bt709", "smpte2084"]) | words),
        rotation=draw(st.sampled_from([0, 90, 180, 270])),
        channels=draw(st.integers(0, 300)),
        sample_rate=draw(st.integers(0, 400_000)),
        bit_rate=draw(st.none() | st.integers(0, 2**40)),
        **flags,
    )


@st.composite
def any_probe(draw: st.DrawFn) -> Probe:
    streams = draw(st.lists(any_stream(), min_size=1, max_size=8))
    return Probe(
        container=draw(st.sampled_from([MKV, MP4, AVI, "mp3", ""])),
        duration=draw(st.none() | st.floats(0.001, 1e6)),
        size=draw(st.none() | st.integers(0, 2**50)),
        bit_rate=None,
        streams=tuple(replace(x, index=i * 2) for i, x in enumerate(streams)),
    )


targets = st.sampled_from([Target(), Target("mp4", "av1"), Target("webm", "vp9"), Target("original")])


def attempt(found: Probe, target: Target, audio: tuple[str, ...] = ()) -> Plan | None:
    """None where there is a clear error instead."""
    try:
        return plan(found, target, has=HAS, audio=audio)
    except ConversionFailed as error:
        if not error.hint:
            raise
        return None


@given(any_probe(), targets, st.sampled_from([(), ("en",), ("ja", "en")]))
def test_every_file_has_a_plan_or_a_clear_error(found: Probe, target: Target, audio: tuple[str, ...]) -> None:
    made = attempt(found, target, audio)
    if made is None:
        return
    assert [x.index for x in made.streams] == [x.index for x in found.streams]
    assert all(x.reason for x in made.streams)
    assert (made.effort is Effort.NONE) == (not made.arguments) == (not made.while_downloading)
    if made.arguments:
        maps = {made.arguments[i + 1] for i, x in enumerate(made.arguments) if x == "-map"}
        assert maps == {f"0:{x.index}" for x in made.streams if x.becomes}
    else:
        assert all(x.is_copied for x in made.streams)
    assert made.bytes is None or made.bytes >= 0
    assert made.seconds is None or made.seconds >= 0


@given(any_probe(), targets)
def test_no_word_of_the_file_reaches_the_command_line(found: Probe, target: Target) -> None:
    streams = tuple(replace(x, language="eng", transfer="smpte2084") for x in found.streams)
    marked = tuple(
        replace(x, codec=x.codec or "none", field_order=TITLE, profile=TITLE, pixel_format=TITLE)
        for x in streams
    )
    made = attempt(replace(found, container=TITLE, streams=marked), target)
    if made is None:
        return
    command = [*made.input_arguments, *made.outputs(Path("/t/x.mp4"), Path("/t/i.m3u8"))]
    assert not any("title" in part for part in command)


@given(any_probe())
def test_what_is_made_needs_nothing_more(found: Probe) -> None:
    """The result of a plan, as it will be probed, plays: a second plan finds nothing to do."""
    made = attempt(found, Target())
    if made is None or made.effort is Effort.NONE:
        return
    by_index = {x.index: x for x in found.streams}
    streams = []
    for index, entry in ((i, x) for i, x in enumerate(made.streams) if x.becomes):
        source = by_index[entry.index]
        fresh = {"profile": "", "pixel_format": "yuv420p", "level": 0, "field_order": "", "transfer": ""}
        streams.append(
            replace(source, index=index, codec=entry.becomes, **({} if entry.is_copied else fresh))
        )
    container = MP4 if made.suffix == ".mp4" else MKV
    after = Probe(container=container, duration=1.0, size=1, bit_rate=None, streams=tuple(streams))
    assert plan(after, Target(), has=HAS).effort is Effort.NONE
