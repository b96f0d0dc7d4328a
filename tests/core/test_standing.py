"""What is said of a job while its videos are converted."""

from __future__ import annotations

from typing import Any

import pytest

from htdl.core.standing import DONE, Standing, standing
from htdl.jobs import Conversion, ConversionState, State, Wanted
from tests.core.examples import new_job

WAITING, RUNNING = ConversionState.WAITING, ConversionState.RUNNING
JOB = new_job(status=State.CONVERTING)


def record(status: ConversionState = WAITING, **fields: Any) -> Conversion:
    return Conversion(**({"file_index": 0, "status": status} | fields))


FULL = record(error_code="disk_full", effort="remux")
QUEUED = record(effort="transcode")
RUNS = record(RUNNING, effort="remux", eta_seconds=7)
MADE = record(ConversionState.DONE)
FAILED = record(ConversionState.FAILED, error_code="conversion_failed", error_message="why")


@pytest.mark.parametrize(
    ("records", "detail", "is_full"),
    [
        ([], "looking into what is to be converted", False),
        ([record()], "looking into what is to be converted", False),
        ([QUEUED], "waits for its turn to be converted", False),
        ([QUEUED, MADE], "waits for its turn to be converted", False),
        ([QUEUED, RUNS], "converting", False),
        ([FULL, RUNS], "converting", False),
        ([FULL, QUEUED], "waits for its turn to be converted", True),
        ([record(attempts=1, effort="remux")], "its conversion failed, and is tried once more", False),
    ],
)
def test_it_says_what_is_done_or_waited_for(records: list[Conversion], detail: str, is_full: bool) -> None:
    told = standing(JOB, 2, records)
    assert (told.is_done, told.detail, told.found_disk_full) == (False, detail, is_full)


def test_it_takes_as_long_as_the_longest_that_is_known() -> None:
    assert standing(JOB, 2, [RUNS, record(RUNNING, eta_seconds=9)]).eta_seconds == 9
    assert standing(JOB, 2, [RUNS, MADE]).eta_seconds == 7
    assert standing(JOB, 2, [RUNS]).eta_seconds == standing(JOB, 2, [RUNS, QUEUED]).eta_seconds == -1


def test_it_ends_when_all_have_and_fails_by_one() -> None:
    assert standing(JOB, 2, [MADE, MADE]) == DONE
    assert standing(JOB, 2, [MADE, FAILED]) == Standing(is_done=False, fault=("conversion_failed", "why"))


def test_without_ffmpeg_only_what_was_asked_for_fails() -> None:
    none = record(ConversionState.FAILED, error_code="no_ffmpeg")
    assert standing(JOB, 1, [none]) == DONE
    asked = new_job(status=State.CONVERTING, wanted=Wanted())
    assert standing(asked, 1, [none]).fault == ("no_ffmpeg", "")
