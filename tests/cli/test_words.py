from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli import words
from tests.cli.objects import job


@given(st.text())
def test_whatever_comes_is_one_line_without_control_characters(text: str) -> None:
    shown = words.printable(text)
    assert shown.isprintable()
    shown.encode()  # no broken surrogate is left


@pytest.mark.parametrize("text", ["Sintel", "日本語", "Амели", "🎬 film", "naïve", "é"])
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert words.printable(text) == text


def test_escapes_show_what_was_there() -> None:
    assert words.printable("a\x1b[2Jb\u202ec\nd\x9b") == r"a\x1b[2Jb\u202ec\nd\x9b"


def test_what_joins_characters_is_left_out() -> None:
    assert words.printable("👩\u200d🔬 ☠\ufe0f 👍\U0001f3fd") == "👩🔬 ☠ 👍"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "downloading"),
        ({"status": "PENDING", "blocked_by": "queue"}, "queued"),
        ({"status": "PENDING"}, "pending"),
        ({"wish": "PAUSE"}, "pausing"),
        ({"wish": "PAUSE", "status": "PAUSED"}, "paused"),
        ({"wish": "CANCEL"}, "cancelling"),
        ({"wish": "CANCEL", "status": "CANCELLED"}, "cancelled"),
        ({"status": "COMPLETED", "seeding": True}, "seeding"),
        ({"status": "COMPLETED"}, "completed"),
    ],
)
def test_the_state_in_a_word(fields: dict[str, object], word: str) -> None:
    assert words.state(job(**fields)) == word


def test_a_failed_job_says_why() -> None:
    assert words.why(job(status="FAILED", error_message="tracker says\x1b no")) == r"tracker says\x1b no"


def test_what_was_downloaded_and_removed_is_told() -> None:
    assert words.why(job(status="COMPLETED")) == "its files are gone"
    assert words.why(job(status="COMPLETED", file_path="/d/film.mkv")) == ""


def test_a_job_that_moves_needs_no_reason() -> None:
    assert words.why(job(detail="downloading from 7 peers")) == ""


def test_a_job_that_stands_says_what_it_does() -> None:
    assert (
        words.why(job(download_speed=0, detail="fetching metadata, 3 peers")) == "fetching metadata, 3 peers"
    )


@pytest.mark.parametrize(
    "blocked", ["disk_full", "no_peers", "no_metadata", "peers_choking", "tracker_error", "queue"]
)
def test_every_reason_that_blocks_has_words(blocked: str) -> None:
    said = words.why(job(blocked_by=blocked))
    assert " " in said
    assert "_" not in said


def test_only_a_living_job_is_marked_as_ready() -> None:
    assert words.is_ready(job(ready=True))
    assert not words.is_ready(job())
    assert not words.is_ready(job(ready=True, status="COMPLETED"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "can be watched now"),
        ({"plays_through": "no"}, "can be watched, would stop on the way: too slow"),
        (
            {"plays_through": "no", "download_speed": 0},
            "can be watched, would stop on the way: nothing comes",
        ),
        ({"plays_through": 40}, "can be watched, plays through in 40s"),
        ({"plays_through": None}, "can be watched, may stop on the way"),
        ({"plays_through": "yes", "download_speed": 0}, "can be watched now"),
    ],
)
def test_only_what_plays_on_can_be_watched_now(fields: dict[str, object], said: str) -> None:
    told = job(**({"ready": True} | fields))
    assert words.note(told) == said
    assert words.is_ready(told) == (said == "can be watched now")


def test_what_stands_still_says_what_to_do() -> None:
    assert words.standstill(job()) == ""
    assert words.standstill(job(download_speed=0)) == ""
    paused = words.standstill(job(wish="PAUSE", status="PAUSED"))
    assert paused == "paused; let it go on with: htdl resume 3f2a91bc"
    assert "htdl play 3f2a91bc" in words.standstill(job(status="PENDING", blocked_by="queue"))
    assert words.standstill(job(blocked_by="no_peers")) == "no peers found yet"


def test_what_moves_and_cannot_be_watched_yet_says_what_is_missing() -> None:
    assert words.note(job()) == "cannot be watched yet: 25 % are here"
    assert words.note(job(ready=True)) == "can be watched now"
    assert words.note(job(blocked_by="no_peers", download_speed=0)) == "no peers found yet"
    for none in ({"status": "COMPLETED", "file_path": "/f"}, {"status": "PAUSED"}, {"total_bytes": 0}):
        assert words.waits_for(job(**none)) == ""


def test_a_nameless_job_is_called_by_its_hash() -> None:
    assert words.name(job(name="", info_hash="ab" * 20)) == "ab" * 20
