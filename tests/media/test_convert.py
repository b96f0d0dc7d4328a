"""A plan is run, watched, checked and put in place.  The real ffmpeg; where it must fail, small scripts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from htdl.errors import ConversionFailed, DiskFull
from htdl.media.convert import Converted, convert, difference, part_for, time_of
from htdl.media.plan import Effort, Plan, Target, plan
from htdl.media.probe import Probe, Stream, probe
from htdl.media.progress import Progress
from htdl.media.source import Source
from htdl.media.tools import Tools, find_tools
from tests.clips import clip
from tests.ports import free_port
from tests.processes import exists
from tests.waiting import until


@dataclass
class Bench:
    """One conversion in a folder of its own; what came out of it is looked at."""

    tools: Tools
    source: Source
    probe: Probe
    plan: Plan
    folder: Path
    steps: list[Progress] = field(default_factory=list)
    is_waiting: Callable[[], bool] = lambda: False

    @property
    def target(self) -> Path:
        return self.folder / f"film{self.plan.suffix}"

    @property
    def left(self) -> list[str]:
        return sorted(x.name for x in self.folder.iterdir())

    async def convert(self, **options: object) -> Converted:
        arguments: dict[str, object] = {"duration": self.probe.duration, "stall_seconds": 30.0, **options}
        return await convert(
            self.tools,
            self.source,
            self.plan,
            part_for(self.target, self.folder, "job"),
            self.place,
            progress=self.steps.append,
            is_waiting=self.is_waiting,
            **arguments,  # type: ignore[arg-type]
        )

    async def place(self, part: Path) -> Path:
        return part.rename(self.target)

    def by(self, script: str) -> Bench:
        """With this script for an ffmpeg."""
        path = self.folder.parent / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return replace(self, tools=replace(self.tools, ffmpeg=str(path)))


Make = Callable[..., Awaitable[Bench]]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
async def bench(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    async def make(
        kind: str = "mkv",
        *,
        source: Source | None = None,
        seconds: float = 4,
        packaged: bool = False,
        **options: int,
    ) -> Bench:
        source = source or Source(str(clip(clips, kind, seconds=seconds, **options)))
        if packaged:
            monkeypatch.setenv("PATH", str(tmp_path))
        tools = await find_tools("ffmpeg", "ffprobe")
        found = await probe(tools, source)
        folder = tmp_path / "films 50%d"  # what ffmpeg could take for a number's place
        folder.mkdir()
        return Bench(tools, source, found, plan(found, Target(), has=tools.has), folder)

    return make


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


async def test_a_remux(bench: Make) -> None:
    one = await bench("mkv")
    before = digest(one.source.target)
    done = await one.convert()
    assert one.plan.effort is Effort.REMUX
    assert one.left == ["film.mp4"]
    assert (done.path, done.bytes) == (one.target, one.target.stat().st_size)
    assert [(x.kind, x.codec) for x in done.probe.streams] == [("video", "h264"), ("audio", "aac")]
    assert one.target.read_bytes().index(b"moov") < one.target.read_bytes().index(b"mdat")
    assert one.steps[-1].fraction == 1.0
    assert one.steps[-1].seconds == pytest.approx(4, abs=0.2)
    assert digest(one.source.target) == before


async def test_with_the_packaged_ffmpeg_and_no_ffprobe(bench: Make) -> None:
    pytest.importorskip("imageio_ffmpeg")
    pytest.importorskip("av")
    one = await bench("avi", packaged=True)
    assert one.tools.ffprobe is None
    await one.convert(hls=one.folder / "hls" / "index.m3u8")
    assert one.left == ["film.mp4", "hls"]
    assert "\nindex0.m4s\n" in (one.folder / "hls" / "index.m3u8").read_text()


@pytest.mark.parametrize("kind", ["mkv", "avi"])
async def test_a_playlist_for_who_watches_meanwhile(bench: Make, kind: str) -> None:
    """Written twice by a copy, encoded once by a transcode; its segments are named by themselves alone."""
    one = await bench(kind, seconds=9)
    playlist = one.folder / "hls" / "index.m3u8"
    await one.convert(hls=playlist)
    lines = playlist.read_text().splitlines()
    segments = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"\w+\.m4s", line) for line in segments), segments
    assert '#EXT-X-MAP:URI="init.mp4"' in lines
    assert lines[-1] == "#EXT-X-ENDLIST"
    assert {"init.mp4", "index.m3u8", *segments} == {x.name for x in playlist.parent.iterdir()}
    assert one.left == ["film.mp4", "hls"]
    assert one.steps[-1].bytes


async def test_half_a_source_is_not_taken_for_whole(bench: Make) -> None:
    one = await bench("mkv-live", seconds=12)  # no duration in it: it ends where it is cut
    whole = Path(one.source.target)
    half = one.folder.parent / "half.mkv"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    short = replace(one, source=Source(str(half)))
    with pytest.raises(
        ConversionFailed, match=r"half\.mkv could not be converted: 0:0\d of 0:12 came out"
    ) as e:
        await short.convert(duration=12.0)
    assert e.value.code == "conversion_failed"
    assert e.value.hint
    assert one.left == []


async def test_what_was_there_stays_when_it_fails(bench: Make) -> None:
    one = (await bench()).by("echo 'broken' >&2; exit 1")
    one.target.write_text("the older one")
    with pytest.raises(ConversionFailed):
        await one.convert()
    assert one.target.read_text() == "the older one"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo '[matroska @ 0x5e] words of ffmpeg' >&2; echo 'Conversion failed!' >&2; exit 1",
            "words of ffmpeg",
        ),
        ("kill -SEGV $$", "it was ended by SIGSEGV"),
        ("kill -XFSZ $$", "what came out grew far larger than it should"),
        ("exit 0", "what came out cannot be read"),
        ("exit 7", "it ended with 7"),
        ('for last; do :; done; head -c 5000 /dev/urandom > "${last#file:}"', "what came out cannot be read"),
    ],
)
async def test_one_that_fails_says_why_and_leaves_nothing(bench: Make, script: str, words: str) -> None:
    one = (await bench()).by(script)
    with pytest.raises(ConversionFailed, match=rf"could not be converted: {words}$"):
        await one.convert()
    assert one.left == []


async def test_one_that_hangs_is_ended(bench: Make, tmp_path: Path) -> None:
    one = (await bench()).by(
        f"echo $$ > '{tmp_path}/pid'; echo out_time_us=5; echo progress=continue; exec sleep 60"
    )
    one.is_waiting = lambda: not one.steps  # until it is under way
    async with asyncio.timeout(30):
        with pytest.raises(ConversionFailed, match=r"it hung: nothing came out of it for 0\.3 s"):
            await one.convert(stall_seconds=0.3)
    assert not exists(int((tmp_path / "pid").read_text()))
    assert len(one.steps) == 1


async def test_one_that_only_writes_does_not_hang(bench: Make, tmp_path: Path) -> None:
    """As at the end of a large film, when the index is brought forward."""
    go = tmp_path / "go"
    one = (await bench()).by(f"until [ -e '{go}' ]; do sleep 0.02; done; echo 'the end' >&2; exit 1")
    looks = 0

    def writes() -> bool:
        """In its stead, and once before each look: it never stands still, as it may on a busy machine."""
        nonlocal looks
        looks += 1
        with (one.folder / ".htdl-job.part.mp4").open("a") as part:
            part.write("x")
        if looks == 8:  # some 2 s
            go.touch()
        return False

    one.is_waiting = writes
    with pytest.raises(ConversionFailed, match="the end"):
        await one.convert(stall_seconds=0.5)


async def test_the_time_without_bytes_does_not_count(bench: Make) -> None:
    one = (await bench()).by("sleep 1; echo 'the end' >&2; exit 1")
    one.is_waiting = lambda: True
    with pytest.raises(ConversionFailed, match="the end"):
        await one.convert(stall_seconds=0.3)


async def test_a_cancelled_one_leaves_nothing(bench: Make, tmp_path: Path) -> None:
    script = f"for last; do :; done; echo x > \"${{last#file:}}\"; echo $$ > '{tmp_path}/pid'; exec sleep 60"
    one = (await bench()).by(script)
    task = asyncio.create_task(one.convert())
    pid = await asyncio.to_thread(
        until, lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()
    )
    assert one.left == [".htdl-job.part.mp4"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.left == []
    assert not exists(int(pid))


@dataclass
class Slow:
    """A file that arrives: its first half at once, the rest when `more` is set; or it breaks off there,
    "once" or "always".
    """

    url: str
    more: asyncio.Event
    cut: str = ""


@pytest.fixture
async def slow(clips: Path) -> AsyncIterator[Slow]:
    path = clip(clips, "ts", seconds=12, noise=20)
    data = path.read_bytes()
    half = len(data) // 2
    state = Slow("", asyncio.Event())

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await send(request)
        except ConnectionError:  # ffmpeg has read what it wanted here
            return web.Response()

    async def send(request: web.Request) -> web.StreamResponse:
        part = request.http_range
        begin = (part.start or 0) % len(data)
        response = web.StreamResponse(status=206, headers={"Accept-Ranges": "bytes"})
        response.headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        response.content_length = len(data) - begin
        await response.prepare(request)
        if begin < half:
            await response.write(data[begin:half])
            if not state.cut:
                await state.more.wait()
        if state.cut == "always" or (state.cut == "once" and begin < half):
            assert request.transport is not None
            request.transport.close()
        else:
            await response.write(data[max(begin, half) :])
        return response

    app = web.Application()
    app.router.add_get("/secret/film.ts", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    state.url = f"http://127.0.0.1:{port}/secret/film.ts"
    yield state
    await runner.cleanup()


async def test_a_source_that_is_still_arriving(bench: Make, slow: Slow) -> None:
    one = await bench(source=Source(slow.url, is_url=True))
    one.is_waiting = lambda: True
    task = asyncio.create_task(one.convert(stall_seconds=0.3))
    part = one.folder / ".htdl-job.part.mp4"
    await asyncio.to_thread(until, lambda: part.exists() and part.stat().st_size > 500_000)
    await asyncio.sleep(0.6)  # twice the time after which it would hang
    slow.more.set()
    done = await task
    assert done.probe.duration == pytest.approx(12, abs=0.5)
    assert one.left == ["film.mp4"]


async def test_a_source_that_never_comes_hangs(bench: Make, slow: Slow) -> None:
    one = await bench(source=Source(slow.url, is_url=True))
    with pytest.raises(ConversionFailed, match=r"film\.ts could not be converted: it hung"):
        await one.convert(stall_seconds=1.0)
    assert one.left == []


async def test_a_stream_that_breaks_off_is_taken_up_again(bench: Make, slow: Slow) -> None:
    one = await bench(source=Source(slow.url, is_url=True))
    slow.cut = "once"
    done = await one.convert()
    assert done.probe.duration == pytest.approx(12, abs=0.5)


async def test_one_that_stays_broken_is_no_film_and_its_url_no_news(bench: Make, slow: Slow) -> None:
    one = await bench(source=Source(slow.url, is_url=True))
    slow.cut = "always"
    with pytest.raises(ConversionFailed, match=r"film\.ts could not be converted: ") as caught:
        await one.convert()
    assert "secret" not in caught.value.message
    assert one.left == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_called_so(bench: Make, small_disk: Path) -> None:
    one = replace(await bench("mkv", noise=40), folder=small_disk)
    with pytest.raises(DiskFull, match=r"the disk is full: .*\.mkv"):
        await one.convert()
    assert one.left == []
    last = one.steps[-1]
    assert last.bytes
    assert last.fraction is not None
    assert 0.5 * (1 << 20) < last.bytes <= 1 << 20
    assert last.fraction < 1.0, "whatever ffmpeg says at its end"


def test_the_part_lies_where_a_rename_leads_from(tmp_path: Path, small_disk: Path) -> None:
    target = tmp_path / "film.mp4"
    (tmp_path / "temp").mkdir()
    assert part_for(target, tmp_path / "temp", "7") == tmp_path / "temp" / ".htdl-7.part.mp4"
    assert part_for(target, small_disk, "7") == tmp_path / ".htdl-7.part.mp4"


@pytest.mark.parametrize(
    ("made", "wanted", "fault"),
    [
        (60.0, 61.9, None),
        (60.0, 62.1, "1:00 of 1:02 came out"),
        (7130.0, 7200.0, None),
        (7120.0, 7200.0, "1:58:40 of 2:00:00 came out"),
        (65.0, 60.0, "1:05 of 1:00 came out"),
        (None, 60.0, "0:00 of 1:00 came out"),
        (60.0, None, None),
    ],
)
async def test_lengths_are_compared(
    bench: Make, made: float | None, wanted: float | None, fault: str | None
) -> None:
    one = await bench("mp4-ac3")
    result = replace(one.probe, duration=made, streams=_as_planned(one))
    assert difference(result, one.plan, wanted) == fault


async def test_streams_are_compared(bench: Make) -> None:
    one = await bench("mp4-ac3")
    video, sound = _as_planned(one)
    as_it_is = replace(one.probe, streams=(video, sound))
    assert difference(as_it_is, one.plan, None) is None
    silent = replace(as_it_is, streams=(video,))
    assert difference(silent, one.plan, None) == "audio aac is missing from what came out"
    twice = replace(as_it_is, streams=(video, sound, replace(sound, index=2)))
    assert difference(twice, one.plan, None) == "what came out has audio aac too much"


def _as_planned(one: Bench) -> tuple[Stream, Stream]:
    video, sound = one.probe.streams
    return video, replace(sound, codec="aac")


def test_times_are_short() -> None:
    assert [time_of(x) for x in (0.4, 31, 3720)] == ["0:00", "0:31", "1:02:00"]
