"""PyAV says of a file what ffprobe says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from htdl.errors import ConversionFailed
from htdl.media.probe import Probe, probe
from htdl.media.source import Source
from htdl.media.tools import Tools, find_tools
from tests.clips import KINDS, clip, rich_clip, turned_clip

pytest.importorskip("av")


@pytest.fixture
async def tools() -> Tools:
    return await find_tools("ffmpeg", "ffprobe")


async def both(tools: Tools, path: Path) -> tuple[Probe, Probe]:
    source = Source(str(path))
    by_av = await probe(replace(tools, ffprobe=None), source)
    return by_av, await probe(tools, source)


def comparable(found: Probe) -> Probe:
    """Times to the hundredth; without what two versions of FFmpeg guess each in its own way: bit rates, the
    kind of an attachment, and whether a picture that is not interlaced is known to be so.
    """
    streams = (
        replace(
            x,
            duration=_rounded(x.duration),
            bit_rate=None,
            codec="" if x.kind == "attachment" else x.codec,
            field_order="" if x.field_order == "progressive" else x.field_order,
        )
        for x in found.streams
    )
    return replace(found, duration=_rounded(found.duration), bit_rate=None, streams=tuple(streams))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_clip(kind: str, tmp_path: Path, tools: Tools) -> None:
    by_av, by_ffprobe = await both(tools, clip(tmp_path, kind, seconds=1))
    assert comparable(by_av) == comparable(by_ffprobe)
    assert (by_av.bit_rate or 0) == pytest.approx(by_ffprobe.bit_rate or 0, rel=0.05)


async def test_titles_languages_and_flags(tmp_path: Path, tools: Tools) -> None:
    by_av, by_ffprobe = await both(tools, rich_clip(tmp_path))
    assert comparable(by_av) == comparable(by_ffprobe)


async def test_rotation_transfer_and_fields(tmp_path: Path, tools: Tools) -> None:
    by_av, by_ffprobe = await both(tools, turned_clip(tmp_path))
    assert comparable(by_av) == comparable(by_ffprobe)
    assert by_av.video is not None
    assert (by_av.video.rotation, by_av.video.transfer, by_av.video.field_order) == (270, "smpte2084", "tt")


async def test_what_it_refuses(tmp_path: Path, tools: Tools) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"\x01\x02\x03" * 999)
    with pytest.raises(ConversionFailed, match=r"film\.mkv is not a video .*: Invalid data found"):
        await probe(replace(tools, ffprobe=None), Source(str(path)))
