from __future__ import annotations

import json
import subprocess
from pathlib import Path

from htdl.cli import clip
from tests.tools import require


def test_the_clip_is_a_video_that_ffmpeg_reads_without_complaint(tmp_path: Path) -> None:
    ffprobe = require("ffprobe")
    path = tmp_path / "clip.avi"
    assert clip.write(path, 2.0) == path.stat().st_size
    probed = subprocess.run(
        [ffprobe, "-v", "warning", "-count_frames", "-show_streams", "-show_format", "-of", "json", path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert probed.stderr == ""
    told = json.loads(probed.stdout)
    (stream,) = told["streams"]
    assert (stream["width"], stream["height"]) == (clip.WIDTH, clip.HEIGHT)
    assert int(stream["nb_read_frames"]) == 2 * clip.FRAMES_A_SECOND
    assert float(told["format"]["duration"]) == 2.0


def test_its_frames_differ(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    clip.write(path, 1.0)
    data = path.read_bytes()
    start = data.index(b"movi") + 4 + 8
    step = clip.FRAME_BYTES + 8
    frames = {
        data[start + n * step : start + n * step + clip.FRAME_BYTES] for n in range(clip.FRAMES_A_SECOND)
    }
    assert len(frames) == clip.FRAMES_A_SECOND
