"""What of a torrent is here, and what comes next: the pieces of one whose metadata is known."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from htdl.torrent import order
from htdl.torrent._lt import lt
from htdl.torrent.aim import Layout
from htdl.torrent.api import Metadata, TorrentFile
from htdl.torrent.barrier import Barrier
from htdl.torrent.pieces import Pieces
from htdl.torrent.window import Orders, Window

if TYPE_CHECKING:
    import libtorrent

GATHER_SECONDS = 0.02
LOOKS_TO_ASK_AGAIN = 8  # every 2 s what is watched is asked for again


class Course:
    """From `begin` on, which says what is wanted, until `suspend`."""

    __slots__ = (  # there may be thousands
        "_asked",
        "_barrier",
        "_gathering",
        "_handle",
        "_have",
        "_held_back_at",
        "_looks",
        "_metadata",
        "_new",
        "_seen_bytes",
        "_speed",
        "_window",
        "pieces",
    )

    def __init__(self, handle: libtorrent.torrent_handle, metadata: Metadata, barrier: Barrier) -> None:
        self.pieces = Pieces(metadata.num_pieces, metadata.piece_length)
        self._metadata = metadata
        self._handle = handle
        self._barrier = barrier
        self._have = bytearray(metadata.num_pieces)  # verified, maybe not written yet
        self._window: Window | None = None
        self._asked: tuple[int, ...] = ()
        self._new: list[int] = []  # came since they were gathered last
        self._gathering: asyncio.TimerHandle | None = None  # for a while after that
        self._looks = 0
        self._held_back_at = -LOOKS_TO_ASK_AGAIN - 1  # the last look when something was
        self._speed = 0
        self._seen_bytes = 0  # at the last look

    def begin(self, indices: Collection[int]) -> None:
        """These files are wanted, and libtorrent has been told."""
        length, count = self._metadata.piece_length, self._metadata.num_pieces
        files = [file for file in self._metadata.files if file.index in indices]
        main = order.main_file(files)
        ends = order.edges(main.offset, main.size, length, count) if main else []
        span = order.span(main, length) if main else range(0)
        wanted = order.merged(order.span(file, length) for file in files)
        self._window = Window(Layout(count, length, wanted, span, ends))
        self._window.ask(self._asked)
        self._restart()
        self._steer()

    def suspend(self, new: Iterable[TorrentFile]) -> None:
        """What is wanted is about to change.  Pieces at the edges of these files, which were not wanted, are
        kept elsewhere until libtorrent has moved them into place.
        """
        if self._window:
            self._follow(self._window.release())
        self._window = None
        self._new.clear()
        self._barrier.forget()
        spans = [order.span(file, self._metadata.piece_length) for file in new if file.size]
        self.pieces.forget({piece for span in spans for piece in (span[0], span[-1])})

    def end(self) -> None:
        """The torrent goes: libtorrent is told nothing more of it."""
        self._window = None
        self._new.clear()
        self.pieces.end()

    @property
    def is_watched(self) -> bool:
        return bool(self._asked)

    def ask(self, pieces: Sequence[int]) -> None:
        """What is watched, the first soonest."""
        self._asked = tuple(pieces)
        if self._window:
            self._window.ask(self._asked)
            self._steer()

    def see(self, update: libtorrent.torrent_status) -> None:
        """Note which pieces are here; they can be read when the barrier says so."""
        if self._window is None or len(update.pieces) != self.pieces.count:
            return
        self._have[:] = bytes(update.pieces)
        self._barrier.take(self.pieces.missing_of(self._have))
        speed = (update.total_done - self._seen_bytes) / order.LOOK_SECONDS
        self._seen_bytes = update.total_done
        # libtorrent's own speed is a mean of several seconds, so that a short pause does not look slow
        self._speed = int(max(speed, update.download_payload_rate))
        self._looks += 1
        self._window.look(self._have, self._speed)
        if self._looks % LOOKS_TO_ASK_AGAIN == 0 and self._asked:
            self._follow(self._window.again(self._have, self._speed))
        else:
            self._steer()

    def finished(self, piece: int) -> None:
        """One has come, between two looks."""
        if self._window and 0 <= piece < self.pieces.count:
            self._have[piece] = 1
            self._new.append(piece)
            if self._gathering is None:
                self._gather()

    def _gather(self) -> None:
        """A piece that comes alone is dealt with at once, a flood of them not more often than this: one at a
        time they would cost a fast swarm a third of its speed.
        """
        self._gathering = None
        if self._new:
            new, self._new = self._new, []
            self._barrier.take(new)
            self._steer()
            self._gathering = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._gather)

    def passed(self, covered: Iterable[int]) -> bool:
        """These can be read; True when all that is wanted can."""
        self.pieces.add(covered)
        spans = self._window.layout.wanted if self._window else ()
        return self._window is not None and all(self.pieces.readable_until(x.start) >= x.stop for x in spans)

    def missing_bytes(self) -> int | None:
        """Of all that is wanted, while libtorrent counts only a part: what is held back it takes for
        unwanted, and numbers of that time may come a while later.  Else None.
        """
        if self._window is None:
            return None
        if self._window.holds_back:
            self._held_back_at = self._looks
        is_counted = self._looks > self._held_back_at + LOOKS_TO_ASK_AGAIN
        return None if is_counted else self._window.layout.missing_bytes(self._have)

    def _steer(self) -> None:
        if self._window:
            self._follow(self._window.orders(self._have, self._speed))

    def _follow(self, orders: Orders) -> None:
        if orders.clears:
            self._handle.clear_piece_deadlines()
        if orders.priorities:
            self._handle.prioritize_pieces(orders.priorities)
        for piece in orders.due:
            self._handle.set_piece_deadline(piece, 0, 0)
        if orders.rewinds:
            self._restart()

    def _restart(self) -> None:
        """Begin the sequence anew.  libtorrent 2.1.1 picks at random once a torrent has had nothing to fetch,
        and does not go back to what it had passed.  Its flag still says sequential, and to set what is set
        does nothing.
        """
        self._handle.unset_flags(lt.torrent_flags.sequential_download)
        self._handle.set_flags(lt.torrent_flags.sequential_download)
