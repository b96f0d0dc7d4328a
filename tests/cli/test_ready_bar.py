from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from htdl.cli.ready_bar import picture
from htdl.cli.until_ready import Look
from tests.cli.objects import job
from tests.cli.test_tables import NAMES


def stream(**readiness: Any) -> dict[str, Any]:
    known = {"buffered_bytes": 3 << 20, "buffered_seconds": 92.0}
    return {"file": 0, "readiness": job()["readiness"] | known | readiness}


def test_it_says_what_it_waits_for_and_what_flows() -> None:
    name, flow, reason = picture(
        Look(job(), "the index is missing", nearness=50.0, stream=stream()), 100
    ).plain.split("\n")
    assert name.strip() == "Sintel.mkv"
    assert flow.startswith("━" * 20 + "─" * 20)
    assert flow.strip().endswith("3.0 MiB, 1m32s · 1.0 MiB/s · 7 peers")
    assert reason.strip() == "the index is missing"


def lines(look: Look) -> list[str]:
    return [line.strip() for line in picture(look, 100).plain.split("\n")]


def test_of_what_is_not_known_no_bar_is_drawn() -> None:
    told = lines(Look(job(download_speed=0, peers=1), "fetching metadata"))
    assert told == ["Sintel.mkv", "downloading · 1 peer", "fetching metadata"]
    paused = lines(Look(job(status="PAUSED", wish="PAUSE", download_speed=0, peers=0), "why"))
    assert paused[1] == "paused · 0 peers"


def test_of_a_daemon_that_is_gone_no_speed_is_shown() -> None:
    assert lines(Look(job(), "the daemon is gone", nearness=50.0, stream=stream(), is_gone=True)) == [
        "Sintel.mkv",
        "the daemon is gone",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("name", NAMES)
def test_each_line_fits(name: str, width: int) -> None:
    drawn = picture(Look(job(name=name), "why " * 50, nearness=50.0, stream=stream()), width).plain.split(
        "\n"
    )
    assert all(cell_len(line) <= width - len("^C") for line in drawn)
