"""When finished pieces can be read."""

from __future__ import annotations

from htdl.torrent.barrier import PATIENCE_LOOKS, Barrier


class Flushes:
    """Counts how often a flush was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1


def test_a_piece_can_be_read_after_a_flush_that_was_asked_for_later() -> None:
    flush = Flushes()
    barrier = Barrier(flush)
    barrier.take([1, 2])
    barrier.take([3])  # the flush under way may have begun before it was finished
    assert flush.asked == 1
    assert barrier.answered() == {1, 2}
    assert flush.asked == 2
    assert barrier.answered() == {3}
    assert barrier.is_idle


def test_what_libtorrent_flushes_by_itself_proves_nothing() -> None:
    barrier = Barrier(Flushes())
    barrier.expect_stray()
    barrier.take([1])
    assert barrier.answered() is None  # of the stray, or ours: only the last of both is surely ours
    assert barrier.answered() == {1}


def test_a_stray_that_nobody_waits_for_is_passed_over() -> None:
    barrier = Barrier(Flushes())
    barrier.expect_stray()
    assert barrier.answered() is None
    barrier.take([1])
    assert barrier.answered() == {1}


def test_what_was_forgotten_is_not_covered_by_the_answer_that_is_due() -> None:
    barrier = Barrier(Flushes())
    barrier.take([1])
    barrier.forget()
    barrier.take([2])
    assert barrier.answered() == set()
    assert barrier.answered() == {2}


def test_an_answer_that_does_not_come_is_asked_for_again() -> None:
    flush = Flushes()
    barrier = Barrier(flush)
    barrier.expect_stray()  # which never comes
    barrier.take([1])
    assert barrier.answered() is None
    for _ in range(PATIENCE_LOOKS + 1):
        barrier.look()
    assert flush.asked == 2
    assert barrier.answered() == {1}
