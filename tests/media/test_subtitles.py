"""Subtitles beside a video: tracks of real files, taken out by the real ffmpeg, and files that came along."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from random import Random

import imageio_ffmpeg
import pytest
from aiohttp import web

from htdl.media import subtitles
from htdl.media.probe import Stream, probe
from htdl.media.source import Source
from htdl.media.subtitle_names import Kind
from htdl.media.subtitles import MAX_BYTES, Extracted, convert_sidecar, extract, sidecars
from htdl.media.tools import Tools, find_tools
from htdl.media.webvtt import MAX_CUES
from tests.clips import clip, rich_clip, subtitled_clip
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(autouse=True)
def _no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest files take seconds, and on a busy machine many."""
    monkeypatch.setattr(subtitles, "READ_SECONDS", 600.0)


subtitled, rich = cache(subtitled_clip), cache(rich_clip)  # one film for all tests of this file
SAID = "1\n00:00:01,000 --> 00:00:04,000\n{}\n"


@pytest.fixture(params=["of the system", "packaged"])
async def tools(request: pytest.FixtureRequest) -> Tools:
    """The oldest and the newest ffmpeg."""
    name = "ffmpeg" if request.param == "of the system" else imageio_ffmpeg.get_ffmpeg_exe()
    return await find_tools(name, "ffprobe")


async def take(tools: Tools, path: Path, folder: Path, **how: object) -> list[Extracted]:
    source = Source(str(path))
    streams = (await probe(tools, source)).streams
    return await extract(tools, source, streams, folder, **({"seconds": 60} | how))  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(x.name for x in folder.iterdir())


def said(folder: Path, name: str = "eng.vtt") -> int:
    """How many cues a file holds, from the first second on without a gap."""
    text = (folder / name).read_text()
    count = text.count(" --> ")
    assert all(f"This is second {second}." in text for second in range(count))
    return count


async def test_all_text_tracks_of_a_video(tmp_path: Path, clips: Path, tools: Tools) -> None:
    folder = tmp_path / "out"
    found = await take(tools, subtitled(clips), folder)
    assert [(x.path and x.path.name, x.note, x.cues) for x in found] == [
        ("eng.vtt", "", 30),
        ("eng.2.vtt", "", 30),
        ("fre.vtt", "styles are lost", 30),
        ("und.vtt", "", 30),
        (None, found[4].note, 0),
    ]
    assert "PGS" in found[4].note
    assert names(folder) == ["eng.2.vtt", "eng.vtt", "fre.vtt", "und.vtt"]
    assert [said(folder, name) for name in names(folder)] == [30] * 4
    assert "00:00:00.000 --> 00:00:01.000 line:0\nThis is second 0.\n" in (folder / "und.vtt").read_text()
    assert found[2].origin == "track 3 (ass)"


async def test_flags_are_in_the_name(tmp_path: Path, clips: Path, tools: Tools) -> None:
    found = await take(tools, rich(clips), tmp_path / "out", taken=["ger.forced.vtt"])
    assert [(x.path and x.path.name, x.kind) for x in found] == [
        ("ger.forced.2.vtt", Kind("ger", is_forced=True)),
        ("und.sdh.vtt", Kind(None, is_hearing_impaired=True)),
    ]


async def test_of_an_mp4(tmp_path: Path, clips: Path, tools: Tools) -> None:
    found = await take(tools, subtitled(clips, ".mp4"), tmp_path / "out")
    assert [(x.path and x.path.name, x.note, x.cues) for x in found] == [
        ("eng.vtt", "", 30),
        ("eng.2.vtt", "", 30),
    ]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
async def test_while_it_arrives_as_far_as_it_is_here(
    tmp_path: Path, clips: Path, tools: Tools, suffix: str
) -> None:
    path, folder = subtitled(clips, suffix), tmp_path / "out"
    size = path.stat().st_size
    arriving = tmp_path / f"arriving{suffix}"
    arriving.write_bytes(path.read_bytes()[: size // 2].ljust(size, b"\0"))  # as a torrent lays it out
    source, streams = Source(str(arriving)), (await probe(tools, Source(str(path)))).streams
    counts = []
    for here in (size // 4, size // 2):
        await extract(tools, source, streams, folder, seconds=60, here=here)
        counts.append(said(folder))
    assert 4 <= counts[0] <= 10
    assert 12 <= counts[1] <= 18
    await extract(tools, Source(str(path)), streams, folder, seconds=60)
    assert said(folder) == 30


@pytest.mark.parametrize("here", [0, 100])
async def test_too_little_is_here(tmp_path: Path, clips: Path, tools: Tools, here: int) -> None:
    found = await take(tools, subtitled(clips), tmp_path / "out", here=here)
    assert [x.path for x in found] == [None] * 5
    assert all(x.note and str(tmp_path) not in x.note and "subfile" not in x.note for x in found)
    assert names(tmp_path / "out") == []


@asynccontextmanager
async def blocking(path: Path, here: int) -> AsyncIterator[str]:
    """A URL that gives the first bytes, and then nothing more for as long as one waits."""
    end = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        size = path.stat().st_size
        first = request.http_range.start or 0
        head = {"Content-Range": f"bytes {first}-{size - 1}/{size}", "Content-Length": str(size - first)}
        response = web.StreamResponse(status=206, headers=head)
        await response.prepare(request)
        await response.write(path.read_bytes()[first : max(here, first)])
        await end.wait()
        return response

    app = web.Application()
    app.router.add_get("/secret/film.mkv", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/secret/film.mkv"
    finally:
        end.set()
        await runner.cleanup()


async def test_of_a_url_that_blocks_what_came_is_kept(tmp_path: Path, clips: Path, tools: Tools) -> None:
    path, folder = subtitled(clips), tmp_path / "out"
    streams = (await probe(tools, Source(str(path)))).streams
    async with blocking(path, path.stat().st_size // 2) as url:
        for seconds in (1.5, 6, 24):  # a busy machine needs more for what has come
            found = await extract(tools, Source(url, is_url=True), streams, folder, seconds=seconds)
            assert [x.note for x in found][:2] == [f"it took longer than {seconds:g} s"] * 2
            counts = [said(folder, name) for name in names(folder)]
            if len(counts) == 4 and min(counts) >= 12:
                break
    assert len(counts) == 4
    assert 12 <= min(counts) <= max(counts) <= 18


async def test_one_bad_track_stops_no_other(tmp_path: Path, clips: Path, tools: Tools) -> None:
    path = subtitled(clips)
    streams = (await probe(tools, Source(str(path)))).streams
    ghost = Stream(index=40, kind="subtitle", codec="subrip", language="xx")
    found = await extract(tools, Source(str(path)), [ghost, *streams], tmp_path / "out", seconds=60)
    assert [x.cues for x in found] == [0, 30, 30, 30, 30, 0]
    assert found[0].note


async def test_more_tracks_than_a_video_has_are_left_out(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtitles, "MAX_TRACKS", 2)
    found = await take(await find_tools("ffmpeg", "ffprobe"), subtitled(clips), tmp_path / "out")
    assert [x.note for x in found][2:4] == ["one track too many"] * 2
    assert [x.cues for x in found] == [30, 30, 0, 0, 0]


async def test_a_track_is_bounded(tmp_path: Path, tools: Tools) -> None:
    """Words of 30 MB, in one Matroska."""
    words = tmp_path / "long.srt"
    line, at = "x" * 90 + "\n", (f"00:{i // 60:02d}:{i % 60:02d}" for i in range(3000))
    words.write_text("".join(f"1\n{x},000 --> {x},900\n{line * 110}\n" for x in at))
    path = tmp_path / "long.mkv"
    command = [tools.ffmpeg, "-v", "error", "-i", str(words), "-c:s", "copy", str(path)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    assert path.stat().st_size > MAX_BYTES * 1.4
    found = await take(tools, path, tmp_path / "out")
    assert found[0].cues > 100
    assert (tmp_path / "out" / "und.vtt").stat().st_size <= MAX_BYTES


async def test_a_video_without_subtitles(tmp_path: Path, clips: Path, tools: Tools) -> None:
    assert await take(tools, clip(clips, "mp4", seconds=1), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


async def test_a_folder_that_cannot_be_is_told(tmp_path: Path, clips: Path, tools: Tools) -> None:
    (tmp_path / "out").write_text("a file")
    found = await take(tools, rich(clips), tmp_path / "out")
    assert [x.note for x in found] == ["it cannot be written: Not a directory"] * 2


async def test_what_a_killed_run_left_is_cleared(tmp_path: Path, clips: Path, tools: Tools) -> None:
    folder = tmp_path / "out"
    (folder / ".tracks").mkdir(parents=True)
    (folder / ".tracks" / "old.vtt").write_text("x")
    work = asyncio.create_task(take(tools, rich(clips), folder))
    await work
    assert names(folder) == ["ger.forced.vtt", "und.sdh.vtt"]


async def test_cancelled_it_leaves_nothing(tmp_path: Path, clips: Path, tools: Tools) -> None:
    path, folder = subtitled(clips), tmp_path / "out"
    streams = (await probe(tools, Source(str(path)))).streams
    async with blocking(path, path.stat().st_size // 2) as url:
        work = asyncio.create_task(extract(tools, Source(url, is_url=True), streams, folder, seconds=60))
        await asyncio.to_thread(until, lambda: any((folder / ".tracks").glob("*")))
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert names(folder) == []


# Files that came along


async def sidecar(path: Path, data: bytes, **how: float) -> Extracted:
    path.write_bytes(data)
    [found] = sidecars([path])
    return await convert_sidecar(found, path.parent / "out", **how)


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("À côté de la forêt, où es-tu allé ?", "cp1252"),
        ("Привет, как дела? Где ты был вчера вечером?", "cp1251"),
        ("你好，你昨天晚上去哪裡了？我在家裡看書。", "big5"),
        ("À côté de la forêt, où es-tu allé ?", "utf-16"),
        ("你好，你昨天晚上去哪裡了？我在家裡看書。", "utf-8-sig"),
        ("Γεια σου, πού ήσουν χθες το βράδυ;", "cp1253"),
        ("שלום, איפה היית אתמול בערב? הייתי בבית וקראתי ספר.", "cp1255"),
    ],
)
async def test_a_file_in_any_usual_encoding(tmp_path: Path, words: str, encoding: str) -> None:
    made = await sidecar(tmp_path / "Film.srt", SAID.format(words).encode(encoding))
    assert made.path == tmp_path / "out" / "und.vtt"
    assert made.path.read_text() == f"WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n{words}\n"
    assert (made.note, made.origin, made.cues) == ("", "Film.srt", 1)
    assert names(tmp_path / "out") == ["und.vtt"]


async def test_substation_loses_its_styles(tmp_path: Path) -> None:
    words = "[Events]\nDialogue: 0,0:00:01.00,0:00:04.00,D,,0,0,0,,{\\b1}Oui"
    made = await sidecar(tmp_path / "Film.fr.ass", words.encode())
    assert made.path
    assert (made.path.name, made.note) == ("fr.vtt", "styles are lost")
    assert made.path.read_text().endswith("\n<b>Oui</b>\n")


async def test_frames_are_counted_by_the_rate_of_the_video(tmp_path: Path) -> None:
    made = await sidecar(tmp_path / "Film.sub", b"{50}{100}Oui", frame_rate=50.0)
    assert made.path
    assert "00:00:01.000 --> 00:00:02.000\nOui" in made.path.read_text()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"", "it holds no subtitles that can be read"),
        (Random(0).randbytes(50_000), "it holds no subtitles that can be read"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "it holds no subtitles that can be read"),
        (b"\0\0\1\xba" + bytes(100), "it holds pictures, no text"),
        (b"# VobSub index file, v7\n", "it is the index of pictures"),
    ],
)
async def test_what_holds_no_words_is_told(tmp_path: Path, data: bytes, note: str) -> None:
    made = await sidecar(tmp_path / "Film.en.sub", data)
    assert (made.path, made.note) == (None, note)
    assert not (tmp_path / "out").exists()


async def test_only_a_plain_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.srt")
    (tmp_path / "link.srt").symlink_to("/etc/passwd")
    for name, note in [
        ("pipe.srt", "it is no plain file"),
        ("link.srt", "Too many levels of symbolic links"),
        ("none.srt", "No such file or directory"),
    ]:
        [found] = sidecars([tmp_path / name])
        assert (await convert_sidecar(found, tmp_path / "out")).note == f"it cannot be read: {note}"


async def test_a_large_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    data = (
        SAID.format("Oui").encode() + (b" " * 99 + b"\n") * (MAX_BYTES // 100) + SAID.format("Non").encode()
    )
    made = await sidecar(tmp_path / "Film.srt", data)
    assert (made.cues, made.note) == (1, "read up to 20 MiB")


async def test_only_so_many_cues_are_kept(tmp_path: Path) -> None:
    times = (f"{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}" for i in range(MAX_CUES + 1))
    made = await sidecar(tmp_path / "Film.srt", "".join(f"{x},000 --> {x},900\na\n" for x in times).encode())
    assert (made.cues, made.note) == (MAX_CUES, "the first 100000 cues")


async def test_reading_is_bounded_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subtitles, "READ_SECONDS", 0.0)
    made = await sidecar(tmp_path / "Film.srt", SAID.format("Oui").encode())
    assert (made.path, made.note) == (None, "not read to its end: it took too long")


def test_files_of_a_video_keep_their_names(tmp_path: Path) -> None:
    paths = [tmp_path / x for x in ("Film.en.srt", "Film.en.ass", "Film.en.forced.srt", "Subs/2_French.srt")]
    assert [x.name for x in sidecars(paths)] == ["en.vtt", "en.2.vtt", "en.forced.vtt", "fr.vtt"]
