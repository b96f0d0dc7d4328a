"""What a file holds: real files by the real ffprobe, and answers that no file should have given."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import ConversionFailed
from htdl.media.probe import MAX_STREAMS, Probe, Stream, parse, probe
from htdl.media.source import Source
from htdl.media.tools import Tools, find_tools
from tests.clips import clip, rich_clip
from tests.ports import free_port


@pytest.fixture
async def tools() -> Tools:
    return await find_tools("ffmpeg", "ffprobe")


def one(**fields: Any) -> Stream:
    return parse(json.dumps({"streams": [{"index": 0, "codec_type": "video", **fields}]})).streams[0]


async def test_everything_of_a_rich_file(tmp_path: Path, tools: Tools) -> None:
    found = await probe(tools, Source(str(rich_clip(tmp_path))))
    assert found.container == "matroska,webm"
    assert found.duration == pytest.approx(2, abs=0.1)
    assert found.size == rich_clip(tmp_path).stat().st_size
    assert found.video is not None
    assert (found.video.codec, found.video.width, found.video.height) == ("h264", 320, 180)
    assert (found.video.pixel_format, found.video.profile, found.video.frame_rate) == ("yuv420p", "High", 25)
    assert [(x.language, x.title, x.is_commentary, x.channels) for x in found.audio] == [
        ("ger", None, False, 6),
        ("eng", "Director's commentary", True, 2),
    ]
    assert [(x.codec, x.language, x.is_forced, x.is_hearing_impaired) for x in found.subtitles] == [
        ("subrip", "ger", True, False),
        ("ass", None, False, True),
    ]
    cover = found.streams[-1]
    assert (cover.kind, cover.is_cover, found.video is cover) == ("video", True, False)
    assert "attachment" in [x.kind for x in found.streams]


async def test_our_own_stream(tmp_path: Path, tools: Tools, served: tuple[Path, str]) -> None:
    folder, url = served
    path = clip(folder, "mp4-end", seconds=2)
    by_file = await probe(tools, Source(str(path)))
    assert await probe(tools, Source(f"{url}/{path.name}", is_url=True)) == by_file


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Path, str]]:
    """A folder, and where it is served with Range on 127.0.0.1."""
    folder = tmp_path / "served"
    folder.mkdir()
    app = web.Application()
    app.router.add_static("/secret", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield folder, f"http://127.0.0.1:{port}/secret"
    await runner.cleanup()


async def test_a_url_that_holds_none_does_not_tell_the_url(tools: Tools, served: tuple[Path, str]) -> None:
    folder, url = served
    (folder / "film.mkv").write_bytes(os.urandom(9000))
    with pytest.raises(ConversionFailed, match=r"film\.mkv is not a video") as caught:
        await probe(tools, Source(f"{url}/film.mkv", is_url=True))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MZ\x90\x00", "it is a Windows program"),
        (b"#EXTM3U\n", "it is a playlist"),
        (b"", "it is an empty file"),
        (b"\x1a\x45\xdf\xa3" + bytes(range(1, 256)) * 9, "."),
        (b"\x01\x02\x03" * 999, "Invalid data found when processing input"),
    ],
)
async def test_what_is_no_video(content: bytes, words: str, tmp_path: Path, tools: Tools) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(content)
    with pytest.raises(
        ConversionFailed, match=rf"^film\.mkv is not a video that can be used: .*{words}"
    ) as e:
        await probe(tools, Source(str(path)))
    assert e.value.code == "bad_media"
    assert str(tmp_path) not in e.value.message


async def test_no_file_a_folder_and_a_pipe(tmp_path: Path, tools: Tools) -> None:
    os.mkfifo(tmp_path / "pipe.mkv")
    for name in ("none.mkv", "", "pipe.mkv"):
        with pytest.raises(ConversionFailed, match="there is no such file") as caught:
            await probe(tools, Source(str(tmp_path / name)))
        assert caught.value.code == "conversion_failed", "a disk that is away comes back"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("kill -9 $$", "conversion_failed"),
        ("echo 'film.mkv: Input/output error' >&2; exit 1", "conversion_failed"),
        ("echo 'film.mkv: Cannot allocate memory' >&2; exit 1", "conversion_failed"),
        ("echo 'film.mkv: Invalid data found when processing input' >&2; exit 1", "bad_media"),
        ("exit 0", "bad_media"),
    ],
)
async def test_only_what_it_read_itself_speaks_against_a_file(
    script: str, code: str, tmp_path: Path, tools: Tools
) -> None:
    ended = tmp_path / "ffprobe"
    ended.write_text(f"#!/bin/sh\n{script}\n")
    ended.chmod(0o755)
    with pytest.raises(ConversionFailed) as caught:
        await probe(
            Tools(ffmpeg=tools.ffmpeg, ffprobe=str(ended), version="", has=frozenset()),
            Source(str(clip(tmp_path, seconds=1))),
        )
    assert caught.value.code == code


@pytest.mark.parametrize(
    "lines",
    [
        "ffconcat version 1.0\nfile secret.mkv\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mkv\n#EXT-X-ENDLIST\n",
    ],
)
async def test_a_playlist_opens_no_other_file_even_if_it_gets_to_ffprobe(
    lines: str, tmp_path: Path, tools: Tools
) -> None:
    shutil.copy(clip(tmp_path, "mkv", seconds=1), tmp_path / "secret.mkv")
    path = tmp_path / "film.mkv"
    path.write_text(lines)
    assert tools.ffprobe
    said = await asyncio.to_thread(
        subprocess.run,
        [tools.ffprobe, "-v", "error", *Source(str(path)).arguments],
        capture_output=True,
        text=True,
    )
    assert said.returncode != 0
    assert "whitelist" in said.stderr


async def test_one_that_hangs_is_ended(tmp_path: Path, tools: Tools) -> None:
    slow = tmp_path / "ffprobe"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    hung = Tools(ffmpeg=tools.ffmpeg, ffprobe=str(slow), version="", has=frozenset())
    async with asyncio.timeout(30):
        with pytest.raises(ConversionFailed, match=r"it took longer than 0\.5 s") as caught:
            await probe(hung, Source(str(clip(tmp_path, seconds=1))), seconds=0.5)
    assert caught.value.code == "conversion_failed"


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "3", "null", '{"streams": {}}', '{"streams": []}', "[" * 99999, b"\xff\xfe"]
)
def test_an_answer_without_streams(text: str | bytes) -> None:
    with pytest.raises(ConversionFailed) as caught:
        parse(text, "film.mkv")
    assert caught.value.code == "bad_media"


def test_too_many_streams() -> None:
    streams = [{"index": n} for n in range(MAX_STREAMS + 1)]
    with pytest.raises(ConversionFailed, match="1001 streams"):
        parse(json.dumps({"streams": streams}))


@pytest.mark.parametrize(
    "value", ["N/A", "NaN", "inf", "-5", -5, None, True, [], {}, "1e400", 10**400, "9" * 99]
)
def test_numbers_that_make_no_sense_are_not_known(value: object) -> None:
    stream = one(width=value, level=value, duration=value, bit_rate=value, avg_frame_rate=value)
    assert (stream.width, stream.level, stream.duration, stream.bit_rate, stream.frame_rate) == (
        *(0, 0, None, None),
        *(None,),
    )


def test_numbers_that_json_does_not_know() -> None:
    found = parse(
        '{"streams": [{"index": 0, "duration": NaN, "width": Infinity}], "format": {"size": -Infinity}}'
    )
    assert (found.duration, found.size, found.streams[0].width) == (None, None, 0)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("24000/1001", 23.976), ("0/0", None), ("25", 25), ("90000/1", None), ("1/0", None), ("x/y", None)],
)
def test_frame_rates(rate: str, expected: float | None) -> None:
    assert one(avg_frame_rate=rate).frame_rate == (expected and pytest.approx(expected, abs=0.001))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ger", "ger"),
        ("pt_BR", "pt-br"),
        ("und", None),
        ("../../etc", None),
        ("e", None),
        ("EN", "en"),
        (7, None),
    ],
)
def test_a_language_is_a_code_or_nothing(code: object, expected: str | None) -> None:
    assert one(tags={"LANGUAGE": code}).language == expected


@pytest.mark.parametrize(
    ("turn", "expected"), [(-90, 270), (90, 90), (180.0, 180), (12, 0), ("x", 0), (360, 0)]
)
def test_rotation(turn: object, expected: int) -> None:
    assert one(side_data_list=[{"side_data_type": "x"}, {"rotation": turn}]).rotation == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("High 10", "High 10"), ("4:2:2", "4:2:2"), ("0", ""), ("-99", ""), ("unknown", "")],
)
def test_a_profile_is_a_name(profile: str, expected: str) -> None:
    assert one(profile=profile).profile == expected


def test_a_title_is_one_line_of_bounded_length() -> None:
    assert one(tags={"title": " a\x1b[2J\nb" + "c" * 999}).title == "a [2J b" + "c" * 193


def test_lengths_of_matroska_and_of_a_file_that_has_none() -> None:
    assert one(tags={"DURATION-eng": "01:00:01.500000000", "BPS-eng": "128000"}).duration == 3601.5
    streams = [{"index": n, "duration": str(n)} for n in (1, 5, 3)]
    assert parse(json.dumps({"streams": streams, "format": {"duration": "N/A"}})).duration == 5


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("90"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["index", "tags", "title", "disposition", "codec_type"]), inner)
    ),
    max_leaves=8,
)
_STREAM = st.dictionaries(
    st.sampled_from(
        ["index", "codec_type", "tags", "disposition", "side_data_list", "avg_frame_rate", "width"]
    ),
    _JSON,
)


@given(st.fixed_dictionaries({"streams": st.lists(_STREAM, max_size=3) | _JSON, "format": _JSON}))
def test_any_answer_is_parsed_or_refused(answer: object) -> None:
    try:
        assert isinstance(parse(json.dumps(answer)), Probe)
    except ConversionFailed as exc:
        assert exc.code == "bad_media"  # noqa: PT017 - either is right
