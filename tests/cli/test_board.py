from __future__ import annotations

from htdl.cli.board import Board, Ticker
from tests.cli.objects import job


def state(*jobs: dict[str, object]) -> dict[str, object]:
    return {"event": "state", "seq": 1, "jobs": list(jobs)}


def event(kind: str, **fields: object) -> dict[str, object]:
    return {"event": kind, "seq": 2, "job": job(**fields)}


def test_it_is_over_when_all_named_have_ended() -> None:
    board = Board(["a", "b"])
    board.apply(state(job(id="a"), job(id="b", status="COMPLETED")))
    assert not board.is_over
    board.apply(event("completed", id="a", status="COMPLETED"))
    assert board.is_over
    assert board.unhappy == []


def test_a_failure_is_remembered() -> None:
    board = Board(["a"])
    board.apply(state(job(id="a")))
    board.apply(event("failed", id="a", status="FAILED"))
    assert board.is_over
    assert [x["id"] for x in board.unhappy] == ["a"]


def test_a_removed_job_ends_and_is_not_well() -> None:
    board = Board(["a"])
    board.apply(state(job(id="a")))
    board.apply(event("removed", id="a"))
    assert board.is_over
    assert [x["id"] for x in board.unhappy] == ["a"]


def test_a_completed_job_that_is_removed_stays_well() -> None:
    board = Board(["a"])
    board.apply(state(job(id="a", status="COMPLETED")))
    board.apply(event("removed", id="a", status="COMPLETED"))
    assert board.unhappy == []


def test_others_are_not_followed_when_some_are_named() -> None:
    board = Board(["a"])
    board.apply(state(job(id="a"), job(id="b")))
    board.apply(event("added", id="c"))
    assert list(board.jobs) == ["a"]


def test_new_ones_are_followed_when_none_is_named() -> None:
    board = Board()
    board.apply(state(job(id="a"), job(id="old", status="COMPLETED")))
    board.apply(event("added", id="b"))
    assert list(board.jobs) == ["a", "b"]


def test_what_moves_comes_first() -> None:
    board = Board()
    board.apply(state(*(job(id=x) for x in "abcde")))
    board.apply(event("completed", id="a", status="COMPLETED"))
    board.apply(event("changed", id="b", status="PAUSED"))
    board.apply(event("removed", id="c"))
    board.apply(event("changed", id="e", status="CONVERTING"))
    assert [x["id"] for x in board.in_order] == ["d", "e", "b", "a", "c"]


def test_a_job_that_ended_unseen_is_missed() -> None:
    board = Board()
    board.apply(state(job(id="a"), job(id="b")))
    assert board.missing(state(job(id="b"))) == ["a"]
    board.forget("a")
    board.apply(event("completed", id="b", status="COMPLETED"))
    assert board.is_over


def test_a_retried_job_lives_again() -> None:
    board = Board(["a"])
    board.apply(state(job(id="a", status="FAILED")))
    board.apply(event("changed", id="a", status="PENDING"))
    assert not board.is_over
    assert board.unhappy == []


def test_lines_come_at_most_once_a_second_but_a_new_state_at_once() -> None:
    ticker = Ticker(1.0)
    assert ticker.is_due(job(progress=1), 0.0)
    assert not ticker.is_due(job(progress=2), 0.5)
    assert not ticker.is_due(job(progress=1), 2.0)
    assert ticker.is_due(job(progress=3), 2.0)
    assert ticker.is_due(job(progress=3, status="COMPLETED"), 2.1)
    assert not ticker.is_due(job(progress=3, status="COMPLETED"), 9.0)


def test_what_is_missing_to_watch_it_is_told_like_a_percentage() -> None:
    def missing(reason: str) -> dict[str, object]:
        told = job()
        told["readiness"]["reason"] = reason
        return told

    ticker = Ticker(1.0)
    assert ticker.is_due(missing("starts in about 9 s"), 0.0)
    assert not ticker.is_due(missing("starts in about 8 s"), 0.5)
    assert ticker.is_due(missing("starts in about 7 s"), 1.5)
    assert ticker.is_due(job(ready=True), 1.6)
