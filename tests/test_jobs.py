from __future__ import annotations

import dataclasses

import pytest

from htdl.jobs import ENDED, TRANSITIONS, Job, State, can_move

LIVING = [state for state in State if state not in ENDED]


def new_job(**fields: object) -> Job:
    return Job(id="1", video_id="v", torrent_id="t", **fields)  # type: ignore[arg-type]


def test_every_state_has_its_transitions_and_none_leads_to_itself() -> None:
    assert set(TRANSITIONS) == set(State)
    assert not [state for state, after in TRANSITIONS.items() if state in after]


@pytest.mark.parametrize("state", list(State))
def test_staying_is_always_allowed(state: State) -> None:
    assert can_move(state, state)


@pytest.mark.parametrize("state", LIVING)
@pytest.mark.parametrize("end", [State.FAILED, State.CANCELLED])
def test_whatever_lives_can_fail_and_be_cancelled(state: State, end: State) -> None:
    assert can_move(state, end)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.CANCELLED, {State.PENDING}),
        (State.FAILED, {State.PENDING, State.CONVERTING}),
        (State.COMPLETED, {State.PENDING, State.CONVERTING}),
    ],
)
def test_an_end_leads_to_a_new_beginning_or_a_new_conversion(state: State, after: set[State]) -> None:
    assert TRANSITIONS[state] == after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (State.PENDING, State.COMPLETED),
        (State.PAUSED, State.DOWNLOADING),
        (State.PAUSED, State.COMPLETED),
    ],
)
def test_shortcuts_are_forbidden(old: State, new: State) -> None:
    assert not can_move(old, new)


@pytest.mark.parametrize("state", LIVING)
def test_every_living_state_leads_to_completion(state: State) -> None:
    reached, edge = {state}, {state}
    while edge:
        edge = {new for old in edge for new in TRANSITIONS[old]} - reached - {State.FAILED, State.CANCELLED}
        reached |= edge
    assert State.COMPLETED in reached


def test_a_job_has_ended_by_its_status_and_has_metadata_by_its_time() -> None:
    assert {state for state in State if new_job(status=state).has_ended} == ENDED
    assert not new_job().has_metadata
    assert new_job(metadata_at="2024-05-01T10:00:00+00:00").has_metadata


def test_a_job_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        new_job().status = State.FAILED  # type: ignore[misc]


def test_the_first_columns_are_the_original_ones_in_their_order() -> None:
    names = [field.name for field in dataclasses.fields(Job)]
    assert names[:12] == [
        "id",
        "video_id",
        "torrent_id",
        "status",
        "progress",
        "download_speed",
        "eta_seconds",
        "file_path",
        "error_message",
        "created_at",
        "updated_at",
        "completed_at",
    ]
