"""What is said of real files, against what ffmpeg and ffprobe find in them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from htdl.cli import clip as demo
from htdl.stream.container.container import Container
from htdl.stream.container.course import offset_at, seconds_at
from tests.clips import KINDS
from tests.stream.container.arriving import PIECE, Arriving, whole
from tests.tools import require

Made = Callable[[str], Path]
INDEXED = ["mp4", "mp4-end", "mp4-ac3", "mp4-hevc", "mp4-dash", "mkv", "mkv-front", "mkv-subtitles", "avi"]


def probed(path: Path, *entries: str) -> Any:
    command = [
        require("ffprobe"),
        "-v",
        "error",
        "-of",
        "json",
        "-show_entries",
        ":".join(entries),
        str(path),
    ]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


def first_frame(path: Path) -> str:
    """The hash of the first picture that ffmpeg decodes, "" where it finds none."""
    command = [require("ffmpeg"), "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v:0"]
    command += ["-frames:v", "1", "-f", "framemd5", "-"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    return "".join(line.rsplit(",", 1)[1].strip() for line in told.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_frame_plays_from_just_what_is_needed(made: Made, kind: str, tmp_path: Path) -> None:
    """All other bytes are zero: what ffmpeg decodes from this file, it found in what we asked for."""
    data = made(kind).read_bytes()
    arriving = Arriving(data)
    found = arriving.until_ok()
    sparse = bytearray(len(data))
    for part in found.needed:
        sparse[part.start : part.stop] = data[part.start : part.stop]
    path = tmp_path / f"sparse{made(kind).suffix}"
    path.write_bytes(sparse)
    assert first_frame(path) == first_frame(made(kind)) != ""


@pytest.mark.parametrize(
    ("kind", "said", "most"),
    [
        ("mp4", "mp4", 5),
        ("mp4-end", "mp4", 6),
        ("mp4-fragmented", "mp4", 18),
        ("mkv", "mkv", 6),
        ("mkv-front", "mkv", 5),
        ("webm", "webm", 6),
        ("avi", "avi", 6),
        ("ts", "ts", 35),  # 256 KiB at both ends
    ],
)
def test_few_pieces_are_asked_for_in_few_rounds(made: Made, kind: str, said: str, most: int) -> None:
    arriving = Arriving(made(kind).read_bytes())
    assert arriving.until_ok(rounds=4).kind == said
    assert len(arriving.pieces) <= most


@pytest.mark.parametrize("kind", KINDS)
def test_less_than_what_is_needed_will_not_do(made: Made, kind: str) -> None:
    data = made(kind).read_bytes()
    for part in whole(data).needed:
        for at in {part.start, part.stop - 1}:
            arriving = Arriving(data)
            arriving.bring([range(len(data))])
            arriving.pieces.remove(at // PIECE)
            found = arriving.examine()
            assert not found.index_ok
            assert any(at in asked for asked in found.needed), f"{at} is not asked for again"


def test_an_index_at_the_end_is_asked_for_before_the_middle(made: Made) -> None:
    data = made("mp4-end").read_bytes()
    arriving = Arriving(data)
    arriving.bring([range(len(data) // 2)])
    found = arriving.examine()
    assert (found.kind, found.index_ok, found.duration) == ("mp4", False, None)
    assert found.needed[-1].start > len(data) * 0.9
    assert found.needed[-1].stop == len(data)


@pytest.mark.parametrize("kind", ["mp4", "mp4-end", "mp4-dash", "mkv", "webm", "avi", "ts", "m2ts"])
def test_the_duration_is_the_true_one(made: Made, kind: str) -> None:
    found = whole(made(kind).read_bytes())
    assert found.duration == pytest.approx(
        float(probed(made(kind), "format=duration")["format"]["duration"]), abs=0.1
    )


def packets(path: Path) -> list[tuple[float, int]]:
    """(seconds, where it ends) of each packet; time begins at 0 with the first."""
    found = probed(path, "packet=pts_time,dts_time,pos,size")["packets"]
    times = [float(packet.get("dts_time", packet["pts_time"])) for packet in found]
    ends = [int(packet["pos"]) + int(packet["size"]) for packet in found]
    return sorted((time - min(times), end) for time, end in zip(times, ends, strict=True))


@pytest.mark.parametrize("kind", INDEXED)
def test_points_say_how_far_the_file_is_read(made: Made, kind: str) -> None:
    """b(t) lies between what plays until 1.5 s earlier (a cluster) and until 0.5 s later (interleaving)."""
    data = made(kind).read_bytes()
    found, played = whole(data), packets(made(kind))
    for tenth in range(10, 110):
        seconds = tenth / 10
        low = max(end for time, end in played if time <= seconds - 1.5 or time == 0)
        high = max(end for time, end in played if time <= seconds + 0.5)
        assert low <= offset_at(found.points, seconds) <= high + 100, f"at {seconds} s"
    assert found.points[-1][1] >= max(end for _, end in played) - 100


@pytest.mark.parametrize("kind", INDEXED)
def test_time_and_bytes_are_each_the_inverse_of_the_other(made: Made, kind: str) -> None:
    points = whole(made(kind).read_bytes()).points
    assert list(points) == sorted(points)
    for seconds in range(1, 12):
        assert seconds_at(points, offset_at(points, seconds)) == pytest.approx(seconds, abs=0.1)
    assert seconds_at(points, 0) == 0
    assert seconds_at(points, 1 << 40) == points[-1][0]
    assert offset_at(points, 1e9) == points[-1][1]


@pytest.mark.parametrize("kind", ["ts", "flv", "mp4-fragmented", "mkv-live"])
def test_no_points_where_there_is_no_index(made: Made, kind: str) -> None:
    found: Container = whole(made(kind).read_bytes())
    assert (found.index_ok, found.points) == (True, ())


def test_the_demo_s_clip_is_read(tmp_path: Path) -> None:
    size = demo.write(tmp_path / "demo.avi", 2)
    found = Arriving((tmp_path / "demo.avi").read_bytes()).until_ok()
    assert (found.kind, found.duration) == ("avi", 2.0)
    assert offset_at(found.points, 1.0) == pytest.approx(size / 2, rel=0.02)


def test_an_attachment_before_the_first_cluster_is_needed(made: Made, tmp_path: Path) -> None:
    font, path = tmp_path / "font.ttf", tmp_path / "attached.mkv"
    font.write_bytes(bytes(700_000))
    command = [require("ffmpeg"), "-nostdin", "-v", "error", "-i", str(made("mkv")), "-c", "copy"]
    command += ["-attach", str(font), "-metadata:s:2", "mimetype=application/x-truetype-font", str(path)]
    subprocess.run(command, check=True, timeout=60)
    found = Arriving(path.read_bytes()).until_ok()
    assert 700_000 < found.needed[0].stop < 800_000
