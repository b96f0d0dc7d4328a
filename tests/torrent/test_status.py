"""A torrent's numbers, from libtorrent's words into ours."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import libtorrent as lt
import pytest

from htdl.torrent.api import Phase
from htdl.torrent.status import is_whole, status_of

STATES = lt.torrent_status.states


def update(state: Any, wanted: int = 1000, done: int = 0, **more: object) -> Any:
    values: dict[str, object] = {
        "state": state,
        "total_wanted": wanted,
        "total_wanted_done": done,
        "has_metadata": True,
        "progress": 0.25,
        "download_payload_rate": 5,
        "upload_payload_rate": 6,
        "all_time_upload": 7,
        "num_peers": 8,
        "list_peers": 9,
        "connect_candidates": 9,
        "total_failed_bytes": 0,
        "seeding_duration": timedelta(minutes=1),
    }
    return SimpleNamespace(**(values | more))


def test_what_is_missing_of_shared_pieces_is_missing_of_the_files() -> None:
    status = status_of(update(STATES.downloading, 1200, 700), wanted_bytes=1000, tracker_error=None)
    assert (status.done_bytes, status.total_bytes) == (500, 1000)
    assert not is_whole(status)


def test_all_is_here_when_every_piece_is() -> None:
    status = status_of(update(STATES.finished, 1200, 1200), wanted_bytes=1000, tracker_error=None)
    assert (status.done_bytes, status.total_bytes) == (1000, 1000)
    assert is_whole(status)


@pytest.mark.parametrize("wanted_bytes", [None, 1000], ids=["not selected", "not applied yet"])
def test_finished_says_nothing_before_the_selection_is_applied(wanted_bytes: int | None) -> None:
    status = status_of(update(STATES.finished, 0, 0), wanted_bytes=wanted_bytes, tracker_error=None)
    assert status.phase is Phase.DOWNLOADING
    assert not is_whole(status)


def test_what_is_held_back_is_missing_and_counts_as_wanted() -> None:
    """libtorrent takes it for unwanted, and may call the torrent finished."""
    status = status_of(update(STATES.finished, 300, 300), wanted_bytes=1000, missing=600, tracker_error=None)
    assert (status.done_bytes, status.total_bytes, status.phase) == (400, 1000, Phase.DOWNLOADING)
    status = status_of(update(STATES.finished, 300, 300), wanted_bytes=1000, missing=0, tracker_error=None)
    assert is_whole(status)


def test_a_magnet_that_wants_nothing_looks_for_metadata() -> None:
    found = update(STATES.finished, 0, 0, has_metadata=False)
    assert status_of(found, wanted_bytes=None, tracker_error=None).phase is Phase.METADATA


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (STATES.checking_files, Phase.CHECKING),
        (STATES.checking_resume_data, Phase.CHECKING),
        (STATES.downloading_metadata, Phase.METADATA),
        (STATES.downloading, Phase.DOWNLOADING),
        (STATES.finished, Phase.FINISHED),
        (STATES.seeding, Phase.FINISHED),
    ],
)
def test_every_state_has_a_phase(state: Any, phase: Phase) -> None:
    status = status_of(update(state), wanted_bytes=1000, tracker_error="no")
    assert status.phase is phase
    assert status.checked == (0.25 if phase is Phase.CHECKING else 0.0)
    assert (status.tracker_error, status.seeding_seconds) == ("no", 60)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"total_failed_bytes": 1, "num_peers": 0, "connect_candidates": 0}, True),
        ({"total_failed_bytes": 0, "num_peers": 0, "connect_candidates": 0}, False),
        ({"total_failed_bytes": 1, "num_peers": 1, "connect_candidates": 0}, False),
        ({"total_failed_bytes": 1, "num_peers": 0, "connect_candidates": 1}, False),
    ],
)
def test_forsaken_is_what_got_damaged_pieces_and_has_nobody_left_to_ask(
    more: dict[str, object], expected: bool
) -> None:
    status = status_of(update(STATES.downloading, **more), wanted_bytes=1000, tracker_error=None)
    assert status.is_forsaken is expected
