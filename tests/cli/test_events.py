from __future__ import annotations

import pytest

from htdl.cli.events import line
from tests.cli.objects import job


@pytest.mark.parametrize(
    ("count", "is_filtered", "said"),
    [
        (0, False, "no unfinished downloads"),
        (1, False, "1 unfinished download"),
        (2, False, "2 unfinished downloads"),
        (1, True, "1 download"),
    ],
)
def test_the_state_now_is_counted(count: int, is_filtered: bool, said: str) -> None:
    event = {"event": "state", "seq": 1, "jobs": [job()] * count}
    assert line(event, is_filtered=is_filtered) == f"state      {said}"


def test_what_is_not_known_is_left_blank() -> None:
    begun = job(total_bytes=0, progress=0, download_speed=0, eta_seconds=-1, name="a" * 40, peers=0)
    said = line({"event": "added", "job": begun}, is_filtered=False)
    assert "-" not in said.split()
    moving = line({"event": "progress", "job": job(ready=True)}, is_filtered=False)
    assert moving.startswith("progress   3f2a91bc  downloading   25%   1.0M/s  Sintel.mkv")
    assert moving.endswith("(can be watched now)")
    assert said.index("a" * 40) == moving.index("Sintel.mkv")
