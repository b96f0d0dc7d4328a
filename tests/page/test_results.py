"""Every container and codec, converted as it would be, plays in a real browser.

Browsers say nothing of a picture or a sound they cannot decode, so it is asked how much of each they did.
With HTDL_TABLE=FILE the table of all is written there, in Markdown.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from htdl.errors import HtdlError
from htdl.media.convert import convert, part_for
from htdl.media.plan import Effort, Plan, Target, plan
from htdl.media.probe import Probe, probe
from htdl.media.source import Source
from htdl.media.tools import find_tools
from tests.formats import AUDIO, CASES, TRANSCODE, X264, X265, Case, made
from tests.page.browser import Browser

AT_ONCE = 2  # conversions: so many as the smallest machine has cores
BATCH = 8  # videos that play beside each other
SLACK_SECONDS = 0.3
SUFFIXES = sorted({case.suffix for case in CASES})
TABLE = os.environ.get("HTDL_TABLE")  # read here: no test sees the user's own settings
OTHER_TARGETS = (Target("webm", "vp9"), Target("mp4", "av1"))

_PAGE = """<!doctype html><meta charset="utf-8"><title>results</title>
<style>video { width: 160px; height: 120px }</style><body><script>
const until = async (video, condition) => {
  const deadline = performance.now() + 14000; // three such waits are less than a test waits
  while (!condition() && !video.error && performance.now() < deadline) {
    await new Promise((go) => setTimeout(go, 20));
  }
  return condition();
};
const goOn = async (video) => {
  const from = video.currentTime;
  video.play().catch(() => {});
  return until(video, () => video.ended || video.currentTime > from + 0.2);
};
const frames = (video) => video.getVideoPlaybackQuality().totalVideoFrames;
const watch = async (url) => {
  const video = document.body.appendChild(document.createElement("video"));
  video.src = url;
  const plays = await goOn(video);
  const before = frames(video);
  video.currentTime = video.duration / 2 || 0;
  await until(video, () => !video.seeking);
  const goesOn = await goOn(video);
  const seen = {
    plays, goesOn, width: video.videoWidth, before, frames: frames(video), duration: video.duration,
    sound: video.webkitAudioDecodedByteCount, error: video.error?.message ?? "",
  };
  video.remove();
  return seen;
};
</script>"""


@dataclass(frozen=True)
class Made:
    """Of one case: what was decided, and the file that is to play."""

    case: Case
    before: Probe
    plan: Plan
    path: Path


async def make(case: Case, folder: Path, target: Target) -> Made | str:
    """By probe, plan and convert; or why it was not."""
    try:
        source = Source(str(await asyncio.to_thread(made, case, folder)))
        tools = await find_tools("ffmpeg", "ffprobe")
        found = await probe(tools, source)
        planned = plan(found, target, has=tools.has)
        if planned.effort is Effort.NONE:
            return Made(case, found, planned, Path(source.target))
        path = folder / f"{case.name}.{target.codec}{planned.suffix}"
        part = part_for(path, folder, case.name)

        async def place(part: Path) -> Path:
            return await asyncio.to_thread(part.replace, path)

        await convert(
            tools, source, planned, part, place,
            duration=found.duration, stall_seconds=60, progress=lambda step: None,
        )  # fmt: skip
    except HtdlError as exc:
        return f"{case.name}: {exc}"
    return Made(case, found, planned, path)


async def make_all(cases: Iterable[Case], folder: Path, target: Target) -> list[Made | str]:
    """Without those whose clips this machine's ffmpeg cannot make."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Made | str | None:
        async with slots:
            try:
                return await make(case, folder, target)
            except pytest.skip.Exception:
                return None

    return [x for x in await asyncio.gather(*map(one, cases)) if x]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The URL of a page of the files in that folder; they are served with ranges."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_static("/files", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def watch_all(browser: Browser, url: str, results: list[Made]) -> list[dict[str, Any]]:
    page = browser.page()
    page.goto(url)
    seen: list[dict[str, Any]] = []
    for start in range(0, len(results), BATCH):
        names = [f"/files/{x.path.name}" for x in results[start : start + BATCH]]
        urls = f"{json.dumps(names)}.map((name) => watch(encodeURI(name).replaceAll('?', '%3F')))"
        seen += json.loads(page.evaluate(f"Promise.all({urls}).then(JSON.stringify)"))
    return seen


def faults(result: Made, seen: dict[str, Any]) -> list[str]:
    """What the browser did not do, in words."""
    kept = {x.kind for x in result.plan.streams if x.becomes}
    duration = result.before.duration or 0.0
    told = seen["duration"] if seen["duration"] is not None else 0.0  # JSON has no NaN
    good = {
        f"it plays {seen['error']}": seen["plays"],
        "it goes on after a seek": seen["goesOn"],
        "the picture is decoded": "video" not in kept or (seen["width"] > 0 and seen["before"] > 0),
        "the picture is decoded after a seek": "video" not in kept or seen["frames"] > seen["before"],
        "the sound is decoded": "audio" not in kept or seen["sound"] > 0,
        f"it lasts {duration:.2f} s, not {told:.2f}": abs(told - duration) <= SLACK_SECONDS,
    }
    return [f"not so: {words}" for words, is_so in good.items() if not is_so]


async def seen_of(browser: Browser, folder: Path, results: list[Made]) -> list[dict[str, Any]]:
    async with served(folder) as url:
        return await asyncio.to_thread(watch_all, browser, url, results)


def write_row(result: Made, wrong: list[str]) -> None:
    """A row of Markdown, where such a table is wanted."""
    if TABLE:
        made_of = " ".join(x.codec for x in result.before.streams)
        into = " ".join(x.becomes for x in result.plan.streams if x.becomes)
        cells = [result.case.name, made_of, result.plan.effort, result.path.suffix[1:], into]
        with Path(TABLE).open("a") as table:
            if not table.tell():
                table.write(
                    "| clip | holds | effort | result | holds | Chromium |\n|---|---|---|---|---|---|\n"
                )
            table.write(f"| {' | '.join([*cells, '; '.join(wrong) or 'plays'])} |\n")


async def play(cases: list[Case], folder: Path, browser: Browser, target: Target) -> None:
    results = await make_all(cases, folder, target)
    if not results:
        pytest.skip("ffmpeg has no encoder for any of these")
    wrong = [x for x in results if isinstance(x, str)]
    good = [x for x in results if isinstance(x, Made)]
    for result, one in zip(good, await seen_of(browser, folder, good), strict=True):
        found = faults(result, one)
        write_row(result, found)
        if found:
            wrong.append(f"{result.case.name}: {result.plan.effort} {result.path.name} {found} {one}")
        if target == Target() and result.plan.effort is not result.case.effort:
            wrong.append(f"{result.case.name}: {result.plan.effort}, since {result.plan.reason}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_every_result_plays(suffix: str, tmp_path: Path, browser: Browser) -> None:
    """And what needs no conversion plays as it is."""
    await play([case for case in CASES if case.suffix == suffix], tmp_path, browser, Target())


@pytest.mark.parametrize("target", OTHER_TARGETS, ids=lambda target: target.codec)
async def test_the_other_targets_play(target: Target, tmp_path: Path, browser: Browser) -> None:
    case = Case(".mkv", X265, "ac3", TRANSCODE, "")
    await play([case], tmp_path, browser, target)


async def test_what_is_not_converted_would_not(tmp_path: Path, browser: Browser) -> None:
    """So what is asked of a browser tells one from the other."""
    cases = [Case(".avi", "mpeg4", "libmp3lame", TRANSCODE, ""), Case(".mkv", X264, "ac3", AUDIO, "")]
    results = [x for x in await make_all(cases, tmp_path, Target()) if isinstance(x, Made)]
    sources = [replace(x, path=tmp_path / f"{x.case.name}{x.case.suffix}") for x in results]
    avi, mkv = (faults(*one) for one in zip(sources, await seen_of(browser, tmp_path, sources), strict=True))
    assert any("DEMUXER" in words for words in avi), avi
    assert mkv == ["not so: the sound is decoded"]
