"""One app behind one listening socket."""

from __future__ import annotations

import asyncio
import socket as sockets

from aiohttp import web

from htdl.api.answers import Failure
from htdl.api.connection import Connection

BACKLOG = 1024
# asyncio's `backlog` is both the kernel's queue, set right again after it, and how often it accepts in a row;
# out of file descriptors it logs a trace for each of these.
_ACCEPTS = 16


class Door:
    """`seconds` is how long a client may take over a request's header, `failure` how it hears that what it
    sent is not HTTP, `most` how many may be connected, `stop_seconds` how long requests under way may take to
    end once the door closes, `patience` is a `Connection`'s.  With `cancels` a request ends as soon as its
    client has hung up.
    """

    def __init__(
        self,
        app: web.Application,
        failure: Failure,
        *,
        seconds: float,
        most: int,
        stop_seconds: float,
        patience: float | None = None,
        cancels: bool = False,
    ) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=stop_seconds, handler_cancellation=cancels)
        self._failure = failure
        self._seconds = seconds
        self._most = most
        self._patience = patience
        self._server: asyncio.Server | None = None

    async def open(self, sock: sockets.socket) -> None:
        """Answer on this bound stream socket, which is the door's from now on."""
        await self._runner.setup()
        requests = self._runner.server
        assert requests is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(
                requests, self._failure, seconds=self._seconds, most=self._most, patience=self._patience
            ),
            sock=sock,
            backlog=_ACCEPTS,
        )
        sock.listen(BACKLOG)

    def shut(self) -> None:
        """No more connections."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """End what is under way, and every connection."""
        self.shut()
        await self._runner.cleanup()
