from __future__ import annotations

from dataclasses import replace

from htdl.core.lanes import MAX_ARRIVING, MAX_LIGHT, Candidate, next_ones

FILM = Candidate(job_id="a", file_index=0, encodes=True, is_whole=True)
COPY = replace(FILM, encodes=False)


def several(one: Candidate, count: int) -> list[Candidate]:
    return [replace(one, job_id=f"{one.job_id}{number}", position=number) for number in range(count)]


def test_one_picture_is_encoded_at_a_time() -> None:
    films = several(FILM, 3)
    assert next_ones(films, [], 1) == films[:1]
    assert next_ones(films[1:], films[:1], 1) == []
    assert next_ones(films[1:], films[:1], 3) == films[1:]


def test_a_copy_never_waits_behind_an_encoding() -> None:
    assert next_ones([FILM, COPY], [replace(FILM, job_id="b")], 1) == [COPY]


def test_what_arrives_does_not_hold_up_what_is_whole() -> None:
    arriving = several(replace(COPY, is_whole=False), MAX_ARRIVING + 2)
    whole = several(replace(COPY, job_id="w"), MAX_LIGHT + 2)
    assert next_ones(arriving + whole, [], 1) == whole[:MAX_LIGHT] + arriving[:MAX_ARRIVING]
    assert next_ones(whole, arriving[:MAX_ARRIVING], 1) == whole[:MAX_LIGHT]


def test_what_is_watched_goes_first_then_priority_then_what_is_whole() -> None:
    low, late, high, arriving, watched = (
        FILM,
        replace(FILM, job_id="b", position=1),
        replace(FILM, job_id="c", priority=5, position=9),
        replace(FILM, job_id="d", is_whole=False, position=-1),
        replace(FILM, job_id="e", is_whole=False, is_watched=True, priority=-5),
    )
    assert next_ones([low, late, arriving, high, watched], [], 9) == [watched, high, low, late, arriving]


def test_a_smaller_limit_ends_nothing_and_begins_nothing() -> None:
    films = several(FILM, 4)
    assert next_ones(films[2:], films[:2], 1) == []
