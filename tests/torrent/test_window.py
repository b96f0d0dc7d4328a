"""The steps from one aim to the next, on a model of what libtorrent makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from htdl.torrent import order
from htdl.torrent.aim import JUMP_PIECES, Layout
from htdl.torrent.window import ALONE_LOOKS, Orders, Window

MIB = 1 << 20
COUNT = 400
SLOW, FAST = 3 * MIB, 300 * MIB


class Model:
    """Priorities as libtorrent would have them; every piece that is wanted begins at NORMAL."""

    def __init__(self, wanted: tuple[range, ...] = (range(COUNT),)) -> None:
        self.wanted = {piece for span in wanted for piece in span}
        self.have = bytearray(COUNT)
        self.window = Window(Layout(COUNT, MIB // 2, wanted, wanted[0], [wanted[0][0], wanted[0][-1]]))
        self.priority = dict.fromkeys(self.wanted, order.NORMAL)
        self.due: set[int] = set()
        self.speed = SLOW

    def apply(self, orders: Orders) -> Orders:
        if orders.clears:
            self.priority.update(dict.fromkeys(self.due, 1))
            self.due.clear()
        for piece, priority in orders.priorities:
            assert piece in self.wanted
            self.priority[piece] = priority
        for piece in orders.due:
            assert piece in self.wanted
            assert not self.have[piece]
            self.priority[piece] = order.FIRST
            self.due.add(piece)
        return orders

    def ask(self, pieces: range) -> Orders:
        self.window.ask(pieces)
        return self.go_on()

    def go_on(self) -> Orders:
        return self.apply(self.window.orders(self.have, self.speed))

    def look(self) -> Orders:
        self.window.look(self.have, self.speed)
        return self.go_on()

    def arrive(self, *pieces: int) -> Orders:
        for piece in pieces:
            self.have[piece] = 1
            self.due.discard(piece)
        return self.go_on()

    def missing(self) -> list[int]:
        return sorted(piece for piece in self.wanted if not self.have[piece])

    def at(self, priority: int) -> list[int]:
        return [piece for piece in self.missing() if self.priority[piece] == priority]


def jumped(model: Model, to: int) -> Model:
    """A reader that has its first pieces there."""
    model.ask(range(to, to + 32))
    model.arrive(to, to + 1)
    model.window.ask(range(to + 2, to + 34))
    model.look()
    return model


def test_the_first_pieces_after_a_jump_come_nearly_alone() -> None:
    model = Model()
    orders = model.ask(range(200, 232))
    assert orders.clears
    assert orders.due == [200, 201] == model.at(order.FIRST)
    assert len(model.at(order.NORMAL)) == 1  # never nothing: seeds hang up on who wants nothing


def test_what_a_fresh_torrent_asked_for_beside_is_let_go_once_it_is_known_how_fast_it_is() -> None:
    model = Model()
    model.speed = 0
    model.ask(range(200, 232))
    assert len(model.at(order.NORMAL)) > 1, "nobody knows yet what may be held back"
    model.speed = SLOW
    orders = model.look()
    assert orders.clears
    assert orders.due == [200, 201] == model.at(order.FIRST)
    assert len(model.at(order.NORMAL)) == 1
    assert not model.look().clears


def test_then_all_comes_in_order_from_there() -> None:
    model = jumped(Model(), 200)
    assert model.at(order.FIRST) == [202, 203, 204, 205]
    assert model.at(order.NORMAL) == list(range(206, COUNT))


def test_a_jump_back_begins_the_sequence_anew() -> None:
    model = jumped(Model(), 200)
    model.ask(range(50, 82))
    model.arrive(50, 51)
    orders = model.look()
    assert orders.rewinds
    assert model.at(order.NORMAL)[:2] == [54 + 2, 57]


def test_the_next_piece_is_no_jump() -> None:
    model = jumped(Model(), 200)
    model.arrive(202)
    orders = model.ask(range(203, 235))
    assert not orders.clears
    assert model.due == {203, 204, 205, 206}


def test_a_fast_swarm_that_outruns_the_window_is_no_jump() -> None:
    model = jumped(Model(), 200)
    model.speed = FAST
    model.arrive(*range(202, 300))
    orders = model.ask(range(300, 332))
    assert not orders.clears
    assert not orders.due


def test_in_a_fast_swarm_nothing_is_held_back_for_the_first_pieces() -> None:
    """They would be here before more is wanted again."""
    model = Model()
    model.speed = FAST
    model.ask(range(32))
    assert len(model.missing()) == len(model.at(order.NORMAL)) + JUMP_PIECES


def test_first_pieces_that_do_not_come_are_not_waited_for() -> None:
    model = Model()
    model.ask(range(200, 232))
    for _ in range(ALONE_LOOKS):
        model.look()
    assert len(model.at(order.NORMAL)) > 100


def test_when_nobody_watches_all_is_wanted_in_order() -> None:
    model = jumped(Model(), 200)
    orders = model.ask(range(0))
    assert orders.rewinds
    assert not model.at(order.DONT_DOWNLOAD)
    assert not model.at(1)
    assert model.at(order.FIRST)[0] == 0


def test_what_was_lost_is_asked_for_again() -> None:
    model = jumped(Model(), 200)
    told = model.priority.copy()
    for piece in range(202, 234):
        model.priority[piece] = order.DONT_DOWNLOAD
    model.due.clear()
    model.apply(model.window.again(model.have, model.speed))
    assert model.priority == told
    assert model.due == {202, 203, 204, 205}


def test_pieces_that_are_not_wanted_are_passed_over() -> None:
    model = Model((range(100, 200),))
    model.window.ask([-1, 5, 99, 150, 200, COUNT, 10**20])
    assert model.go_on().due == [150]


def test_release_leaves_everything_as_it_was() -> None:
    model = jumped(Model(), 200)
    model.apply(model.window.release())
    assert {model.priority[piece] for piece in model.missing()} == {order.NORMAL}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, COUNT - 1), st.integers(0, 40)),
        st.tuples(st.just("arrive"), st.integers(0, COUNT - 1), st.integers(1, 60)),
        st.tuples(st.just("look"), st.sampled_from([0, SLOW, FAST]), st.just(0)),
        st.tuples(st.just("again"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([(range(COUNT),), (range(100, 300),), (range(50), range(350, COUNT))]))
def test_whatever_happens_what_is_watched_is_first_and_something_is_wanted(
    steps: list[tuple[str, int, int]], wanted: tuple[range, ...]
) -> None:
    model, asked = Model(wanted), range(0)
    for step, number, count in steps:
        if step == "ask":
            asked = range(number, number + count)
            model.ask(asked)
        elif step == "arrive":
            model.arrive(*(x for x in range(number, min(COUNT, number + count)) if x in model.wanted))
        elif step == "look":
            model.speed = number
            model.look()
        else:
            model.apply(model.window.again(model.have, model.speed))
        missing = [piece for piece in asked if piece in model.wanted and not model.have[piece]]
        assert all(model.priority[piece] == order.FIRST for piece in missing[:1])
        assert not model.at(1)
        is_waiting = not asked or missing  # else who asked is about to ask for more
        if is_waiting and len(model.missing()) > len(missing[:JUMP_PIECES]):
            assert len(model.at(order.DONT_DOWNLOAD)) < len(model.missing()) - len(missing[:1])
    model.ask(range(0))
    assert order.DONT_DOWNLOAD not in model.priority.values()  # also of those that came while held back
    assert not model.window.holds_back


def test_readers_far_apart_share_and_nothing_else_comes() -> None:
    model = Model()
    both = [piece for pair in zip(range(20, 60), range(300, 340), strict=True) for piece in pair]
    model.window.ask(both)
    for _ in range(ALONE_LOOKS + 1):
        model.look()
    first = model.at(order.FIRST)
    assert len(first) >= 12
    assert abs(sum(piece < 200 for piece in first) - len(first) / 2) <= 1
    assert model.at(order.NORMAL) == []


def test_a_few_pieces_far_apart_leave_the_rest_to_come() -> None:
    model = Model()
    model.window.ask([0, 1, 398, 399, 2])
    for _ in range(ALONE_LOOKS + 1):
        model.look()
    assert len(model.at(order.NORMAL)) > 100
