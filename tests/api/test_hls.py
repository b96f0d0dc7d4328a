"""Parts of what is shown of a video while it is converted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from htdl.api.hls import MOST_BYTES, read_part
from htdl.errors import NoSuchJob


def test_a_part_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    part = tmp_path / "index0.m4s"
    part.write_bytes(b"film")
    assert read_part(part) == b"film"
    os.truncate(part, MOST_BYTES + 1)
    with pytest.raises(NoSuchJob, match="too large"):
        read_part(part)
