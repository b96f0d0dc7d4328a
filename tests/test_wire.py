"""What goes over the socket comes back the same."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl import errors, wire
from htdl.answers import Finding, Level
from htdl.events import Event, Kind
from htdl.jobs import Blocked, Job, JobFile, JobView, Readiness, State, StreamInfo, SubtitleLink, Wanted, Wish

JOB = Job(
    id="0b7e",
    video_id="v",
    torrent_id="t",
    status=State.DOWNLOADING,
    wish=Wish.PAUSE,
    blocked_by=Blocked.NO_PEERS,
    selection=("*.mkv", "3"),
    total_bytes=1000,
    done_bytes=333,
    name="名前 \u202e",
    wanted=Wanted(format="webm", audio=("deu", "eng")),
)
VIEW = JobView(
    job=JOB,
    files=(JobFile(index=0, path="a/b.mkv", size=1000, progress=33.3),),
    readiness=Readiness(ready=False, reason="not yet", threshold=10.0),
    stream_url="http://127.0.0.1:8083/stream/0b7e/token/0/b.mkv",
    subtitles=(SubtitleLink(url="http://127.0.0.1:8083/stream/0b7e/token/1/b.srt", language="", label="b"),),
)
ALL_ERRORS = [
    errors.HtdlError,
    *(x for x in vars(errors).values() if isinstance(x, type) and issubclass(x, errors.HtdlError)),
]


@pytest.mark.parametrize("code", ["bad_media", "no_ffmpeg"])
def test_why_nothing_can_be_made_of_a_video_crosses_the_socket(code: str) -> None:
    error = errors.ConversionFailed("what happened", code=code)
    back = wire.error_from(wire.status_of(error), wire.error_object(error))
    assert (type(back), back.code) == (errors.ConversionFailed, code)


def over_the_socket(value: object) -> object:
    return json.loads(msgspec.json.encode(value))


def test_a_job_comes_back_as_it_was() -> None:
    info = wire.job_info(cast(Any, over_the_socket(wire.job_object(VIEW))))
    assert {name: getattr(info, name) for name in Job.__slots__} == {
        name: getattr(JOB, name) for name in Job.__slots__
    }
    assert (info.files, info.readiness, info.progress_exact) == (VIEW.files, VIEW.readiness, 33.3)
    assert (info.stream_url, info.subtitles) == (VIEW.stream_url, VIEW.subtitles)


def test_a_job_s_object_names_every_column_and_what_hangs_on_it() -> None:
    names = set(wire.job_object(VIEW))
    assert names >= set(Job.__slots__)
    assert names - set(Job.__slots__) == {
        "progress_exact",
        "files",
        "readiness",
        "conversion",
        "conversions",
        "stream_url",
        "subtitles",
        "queue_position",
    }


def test_a_finding_of_a_newer_daemon_is_told() -> None:
    told = {"name": "moon", "level": "eclipse", "words": "it is dark", "colour": "red"}
    assert wire.finding(told) == Finding("moon", Level.WARN, "it is dark")


@pytest.mark.parametrize("status", [404, 405])
def test_a_verb_that_another_daemon_does_not_have_is_no_missing_job(status: int) -> None:
    code = {404: "no_such_route", 405: "method_not_allowed"}[status]
    error = wire.error_from(status, {"error": {"code": code, "message": "nothing is there", "hint": None}})
    assert type(error) is errors.BadRequest
    assert "of another version" in (error.hint or "")


def test_what_a_newer_daemon_adds_is_left_out() -> None:
    told: Any = over_the_socket(wire.job_object(VIEW))
    told |= {"colour": "red", "blocked_by": "solar_flare"}
    told["files"][0]["colour"] = told["readiness"]["colour"] = "red"
    info = wire.job_info(told)
    assert (info.files, info.readiness, info.blocked_by) == (VIEW.files, VIEW.readiness, "solar_flare")


def test_where_it_can_be_watched_comes_back_as_it_was() -> None:
    sent = StreamInfo(
        job="0b7e",
        file=3,
        url="http://127.0.0.1:8083/stream/0b7e/token/3/b.mkv",
        page_url="http://127.0.0.1:8083/watch/0b7e/token/",
        m3u_url=None,
        file_path="/d/b.mkv",
        readiness=Readiness(ready=True, reason="now", threshold=10.0, plays_through=7),
        subtitles=VIEW.subtitles,
    )
    told: Any = over_the_socket(sent)
    told["colour"] = told["readiness"]["colour"] = told["subtitles"][0]["colour"] = "red"  # of a newer daemon
    assert wire.stream_info(told) == sent


def test_a_job_s_words_come_back_as_the_enums_they_were() -> None:
    info = wire.job_info(cast(Any, over_the_socket(wire.job_object(VIEW))))
    assert info.status is State.DOWNLOADING
    assert info.wish is Wish.PAUSE
    assert info.blocked_by is Blocked.NO_PEERS


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_an_error_comes_back_with_its_class_words_and_exit_code(kind: type[errors.HtdlError]) -> None:
    sent = kind("what happened", hint="what to do")
    got = wire.error_from(wire.status_of(sent), over_the_socket(wire.error_object(sent)))
    assert type(got) is kind
    assert (got.code, got.message, got.hint, got.exit_code) == (
        kind.code,
        "what happened",
        "what to do",
        kind.exit_code,
    )


def test_an_error_with_a_code_of_its_own_keeps_class_and_code() -> None:
    sent = errors.NoSuchJob("two of them", code="ambiguous_id")
    got = wire.error_from(wire.status_of(sent), over_the_socket(wire.error_object(sent)))
    assert (type(got), got.code) == (errors.NoSuchJob, "ambiguous_id")


def test_what_is_no_video_is_the_fault_of_who_sent_it() -> None:
    assert wire.status_of(errors.ConversionFailed("no", code="bad_media")) == 422
    assert wire.status_of(errors.ConversionFailed("no")) == 500


def test_an_error_class_that_is_new_has_its_ancestor_s_status() -> None:
    class Odd(errors.Refused):
        code = "odd"

    assert wire.status_of(Odd("no")) == 409


@given(
    st.integers(100, 599),
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["error", "code", "message", "hint"]), x),
    ),
)
def test_whatever_an_answer_holds_becomes_an_error(status: int, body: object) -> None:
    assert isinstance(wire.error_from(status, body), errors.HtdlError)


@pytest.mark.parametrize(
    ("done", "total", "percent", "shown"),
    [(0, 0, 7, 7.0), (0, 3, 0, 0.0), (1, 3, 33, 33.33), (10**12 - 1, 10**12, 99, 99.99), (3, 3, 99, 100.0)],
)
def test_progress_reaches_100_only_when_all_is_there(
    done: int, total: int, percent: int, shown: float
) -> None:
    job = Job(id="j", video_id="v", torrent_id="t", progress=percent, done_bytes=done, total_bytes=total)
    assert wire.progress_exact(job) == shown


def test_the_stream_s_lines_name_what_they_are() -> None:
    state = over_the_socket(wire.state_object("run", 4, [wire.job_object(VIEW)]))
    event = over_the_socket(wire.event_object(Event(5, Kind.READY, JOB), VIEW))
    assert isinstance(state, dict)
    assert isinstance(event, dict)
    assert (state["event"], state["seq"], [x["id"] for x in state["jobs"]]) == ("state", 4, [JOB.id])
    assert (event["event"], event["seq"], event["job"]["id"]) == ("ready", 5, JOB.id)
