from __future__ import annotations

import pytest

from htdl.core.download import (
    QUIET_SECONDS,
    Course,
    blocked_by,
    detail,
    eta,
    follow,
    has_seeded_enough,
    numbers,
    percent,
    waiting_words,
)
from htdl.jobs import Blocked
from htdl.torrent.api import Phase, Status
from tests.core.examples import new_status, running


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (0, 0, 0),
        (0, 10, 0),
        (1, 1000, 0),
        (999, 1000, 99),
        (1000, 1000, 99),
        (5, 10, 50),
        (10**15, 10**15 + 1, 99),
    ],
)
def test_percent_is_rounded_down_and_never_says_100(done: int, total: int, expected: int) -> None:
    assert percent(done, total) == expected


@pytest.mark.parametrize(
    ("missing", "speed", "expected"),
    [(0, 0, 0), (-5, 0, 0), (10, 0, -1), (10, 0.5, -1), (10, 4, 2), (10**18, 1, 10**9)],
)
def test_eta(missing: int, speed: float, expected: int) -> None:
    assert eta(missing, speed) == expected


# how it goes


def test_a_byte_is_movement() -> None:
    course = follow(Course(moved_at=0.0, done_bytes=1, has_metadata=True), new_status(done_bytes=2), 50.0)
    assert course.idle_seconds(51.0) == 1.0


def test_the_metadata_is_movement() -> None:
    course = follow(Course(moved_at=0.0, done_bytes=0), new_status(phase=Phase.METADATA), 10.0)
    assert course.idle_seconds(10.0) == 10.0
    assert follow(course, new_status(), 20.0).idle_seconds(20.0) == 0.0


@pytest.mark.parametrize("phase", [Phase.CHECKING, Phase.FINISHED])
def test_a_check_never_counts_as_idle(phase: Phase) -> None:
    course = Course(moved_at=0.0, done_bytes=0, has_metadata=True)
    assert follow(course, new_status(phase=phase), 99.0).idle_seconds(99.0) == 0.0


@pytest.mark.parametrize("phase", [Phase.METADATA, Phase.DOWNLOADING])
def test_idle_time_grows_while_nothing_moves(phase: Phase) -> None:
    status = new_status(phase=phase)
    course = follow(Course(moved_at=0.0), status, 1.0)
    for now in (2.0, 3.0, 60.0):
        course = follow(course, status, now)
    assert course.idle_seconds(60.0) == 59.0


def test_damage_is_looked_for_only_where_it_made_the_download_stand_still() -> None:
    forsaken, sound = new_status(is_forsaken=True), new_status()
    course = follow(Course(moved_at=0.0), forsaken, 1.0)
    assert not course.may_be_damaged(1.0 + QUIET_SECONDS - 0.1)
    assert course.may_be_damaged(1.0 + QUIET_SECONDS)
    assert not follow(course, sound, 99.0).may_be_damaged(99.0)


def test_bytes_that_a_check_took_away_are_movement_too() -> None:
    course = Course(moved_at=0.0, done_bytes=100, has_metadata=True)
    assert follow(course, new_status(done_bytes=50), 9.0).moved_at == 9.0


def test_the_speed_behind_the_eta_is_smooth() -> None:
    course = follow(Course(moved_at=0.0), new_status(download_speed=1000), 1.0)
    assert course.smooth_speed == 1000.0
    course = follow(course, new_status(download_speed=0), 2.0)
    assert course.smooth_speed == pytest.approx(700.0)


# numbers


def test_numbers_of_a_download() -> None:
    status = new_status(done_bytes=250, download_speed=50, upload_speed=7, uploaded_bytes=9, peers=3)
    course = follow(Course(moved_at=0.0), status, 1.0)
    assert numbers(running(total_bytes=5), status, course, 1.0) == {
        "download_speed": 50,
        "upload_speed": 7,
        "uploaded_bytes": 9,
        "peers": 3,
        "blocked_by": None,
        "detail": "",
        "eta_seconds": 15,
        "total_bytes": 1000,
        "done_bytes": 250,
        "progress": 25,
    }


@pytest.mark.parametrize(
    "status", [new_status(phase=Phase.CHECKING, checked=0.5), new_status(phase=Phase.METADATA, total_bytes=0)]
)
def test_what_is_not_known_now_stays_as_it_was(status: Status) -> None:
    """A check begins at nothing, but the job's progress does not jump back for it."""
    fields = numbers(running(), status, Course(moved_at=0.0), 0.0)
    assert not {"progress", "done_bytes", "total_bytes"} & fields.keys()
    assert fields["eta_seconds"] == -1


# why nothing moves


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (new_status(phase=Phase.METADATA), Blocked.NO_METADATA),
        (new_status(phase=Phase.METADATA, tracker_error="refused"), Blocked.NO_METADATA),
        (new_status(peers=2), Blocked.PEERS_CHOKING),
        (new_status(peers=2, tracker_error="refused"), Blocked.PEERS_CHOKING),
        (new_status(), Blocked.NO_PEERS),
        (new_status(tracker_error="refused"), Blocked.TRACKER_ERROR),
        (new_status(phase=Phase.CHECKING), None),
        (new_status(phase=Phase.FINISHED), None),
    ],
)
def test_why_nothing_moves(status: Status, expected: Blocked | None) -> None:
    assert blocked_by(status, QUIET_SECONDS) is expected
    assert blocked_by(status, QUIET_SECONDS - 0.1) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (new_status(phase=Phase.METADATA), "fetching metadata, 0 peers"),
        (new_status(phase=Phase.METADATA, peers=1), "fetching metadata, 1 peer"),
        (new_status(phase=Phase.METADATA, tracker_error="no"), "fetching metadata, 0 peers; tracker: no"),
        (new_status(phase=Phase.METADATA, peers=2, tracker_error="no"), "fetching metadata, 2 peers"),
        (new_status(phase=Phase.CHECKING, checked=0.25), "checking files on disk, 25%"),
        (new_status(peers=3), "3 peers, none sends anything"),
        (new_status(), "no peers"),
        (new_status(candidates=4), "no peers; 4 known, none answers"),
        (new_status(candidates=4, is_forsaken=True), "no peers; what came last was damaged"),
        (new_status(tracker_error="timed out"), "no peers; tracker: timed out"),
        (new_status(phase=Phase.FINISHED), ""),
    ],
)
def test_the_detail_says_it_in_words(status: Status, words: str) -> None:
    assert detail(status, QUIET_SECONDS) == words


def test_while_it_moves_the_numbers_say_it_all() -> None:
    assert detail(new_status(peers=3), 0.0) == ""


@pytest.mark.parametrize("reason", [Blocked.DISK_FULL, Blocked.QUEUE, Blocked.NO_METADATA, Blocked.NO_PEERS])
def test_every_reason_to_wait_has_words(reason: Blocked) -> None:
    assert waiting_words(reason)


# seeding


@pytest.mark.parametrize(
    ("uploaded", "seconds", "ratio", "minutes", "expected"),
    [
        (999, 0, 1.0, -1, False),
        (1000, 0, 1.0, -1, True),
        (2000, 0, 2.5, -1, False),
        (0, 59, -1, 1, False),
        (0, 60, -1, 1, True),
        (10**9, 10**9, -1, -1, False),
        (0, 60, 1.0, 1, True),
        (1000, 0, 1.0, 1, True),
        (0, 0, 0, -1, True),
        (0, 0, -1, 0, True),
    ],
)
def test_either_rule_ends_the_seeding(
    uploaded: int, seconds: int, ratio: float, minutes: int, expected: bool
) -> None:
    status = new_status(phase=Phase.FINISHED, uploaded_bytes=uploaded, seeding_seconds=seconds)
    assert has_seeded_enough(status, 1000, ratio, minutes) is expected
