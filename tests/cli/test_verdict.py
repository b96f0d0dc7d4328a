from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli import details, verdict
from htdl.jobs import Readiness
from tests.cli.objects import job

KNOWN: dict[str, Any] = {
    "buffered_bytes": 3 << 20,
    "buffered_seconds": 92.4,
    "index_ok": True,
    "plays_through": 40,
}


def found(**fields: Any) -> dict[str, Any]:
    return asdict(Readiness(**({"ready": False, "reason": "why", "threshold": 10.0} | fields)))


def rows(**fields: Any) -> dict[str, str]:
    told = job(status=fields.pop("status", "DOWNLOADING"), file_path="/d/film.mkv")
    return dict(details.details(told | {"readiness": found(**fields)}))


def test_all_that_is_known_is_shown() -> None:
    shown = rows(**KNOWN)
    assert shown["ready"] == "no: why"
    assert shown["buffered"] == "3.0 MiB, 1m32s"
    assert shown["index"] == "here"
    assert shown["plays through"] == "in 40s"


def test_what_would_stop_is_not_said_to_be_watched_now() -> None:
    shown = rows(ready=True, plays_through="no")
    assert shown["ready"] == "can be watched, would stop on the way: why"


def test_what_is_not_known_is_not_shown() -> None:
    assert not {"buffered", "index", "plays through"} & rows().keys()


def test_of_what_has_ended_only_the_answer_is_shown() -> None:
    shown = rows(status="COMPLETED", ready=True, reason="whole", **(KNOWN | {"plays_through": "yes"}))
    assert shown["ready"] == "can be watched now: whole"
    assert not {"buffered", "index", "plays through"} & shown.keys()


@pytest.mark.parametrize(("told", "shown"), [("yes", "yes"), ("no", "no"), (0, "in 0s"), (None, "")])
def test_whether_it_plays_through(told: object, shown: str) -> None:
    assert verdict.plays_through(found(plays_through=told)) == shown


def test_an_index_that_is_missing_is_told() -> None:
    assert verdict.index(found(index_ok=False)) == "not here yet"


def test_words_of_strangers_are_harmless() -> None:
    assert verdict.answer(found(reason="a\x1b[2J")) == r"no: a\x1b[2J"


@pytest.mark.parametrize(
    ("fields", "percent"),
    [
        ({}, 0.0),
        ({"buffered_bytes": 50}, 50.0),  # half of the 10 % of 1000
        ({"buffered_bytes": 5000}, 99.0),
        ({"buffered_bytes": 10, "buffered_seconds": 30.0, "plays_through": 10}, 75.0),
        ({"buffered_bytes": 10, "buffered_seconds": 30.0, "plays_through": "no"}, 10.0),
        ({"ready": True}, 100.0),
    ],
)
def test_how_near_it_is(fields: dict[str, Any], percent: float) -> None:
    assert verdict.nearness(found(**fields), 1000) == percent


@given(
    st.integers(0, 10**12),
    st.none() | st.integers(0, 10**12),
    st.none() | st.floats(0, 10**6),
    st.sampled_from([None, "yes", "no", 0, 5]),
    st.floats(0, 100),
)
def test_only_what_is_ready_is_at_100(
    size: int, here: int | None, seconds: float | None, through: object, threshold: float
) -> None:
    told = found(buffered_bytes=here, buffered_seconds=seconds, plays_through=through, threshold=threshold)
    assert 0 <= verdict.nearness(told, size) < 100
