"""What a video file holds, by the real ffprobe."""

from __future__ import annotations

import subprocess
from pathlib import Path

from htdl.media.probe import Probe, parse


def probed(path: Path) -> Probe:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    return parse(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
