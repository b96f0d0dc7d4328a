"""The daemon's events, over its restarts, until all that is followed has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from htdl.cli.app import App
from htdl.cli.board import Board
from htdl.errors import NoDaemon, NoSuchJob

GONE_SECONDS = 60.0  # how long a daemon may be away
_RETRY_SECONDS = 0.25

Event = dict[str, Any]


def updates(app: App, board: Board, ids: Sequence[str]) -> Iterator[Event | None]:
    """Each event after the board has taken it in; None each time the daemon has gone away.

    Ends when the board is over.  Raises NoDaemon when the daemon is not there, or does not come back.
    """
    for event in stream(app, ids):
        if event is not None:
            for job_id in board.missing(event) if event["event"] == "state" else ():
                _look_up(app, board, job_id)
            board.apply(event)
        yield event
        if event is not None and board.is_over:
            return


def stream(app: App, ids: Sequence[str], since: tuple[str, int] | None = None) -> Iterator[Event | None]:
    """Each event, none missed while the same daemon runs; None each time it has gone away.  `since` is the
    daemon's instance and the number of the event that was heard last.

    Raises NoDaemon when it is not there, or does not come back.
    """
    from htdl.connection import NOWHERE, Place
    from htdl.wire import RESUMED

    heard, place = False, Place(*since) if since else NOWHERE
    gone_at: float | None = None
    while True:
        try:
            for event in app.client.events(ids, since=place):
                heard, gone_at, place = True, None, place.after(event)
                if event["event"] != RESUMED:
                    yield event
        except NoDaemon:
            if not heard:
                raise
        if gone_at is None:
            gone_at = time.monotonic()
            yield None
        elif time.monotonic() - gone_at > GONE_SECONDS:
            raise NoDaemon(
                f"the daemon went away and did not come back in {GONE_SECONDS:.0f} s",
                hint="start one with: htdl daemon start",
            )
        time.sleep(_RETRY_SECONDS)


def _look_up(app: App, board: Board, job_id: str) -> None:
    """A job that ended or was removed while nobody listened."""
    try:
        board.apply({"event": "changed", "job": app.job(job_id)})
    except NoSuchJob:
        board.forget(job_id)
    except NoDaemon:
        pass  # gone again already; the next state asks again
