"""The socket's server: who listens where, and in which order it starts and ends."""

from __future__ import annotations

import asyncio
import os
import socket as sockets
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from htdl import wire
from htdl.api import guard, listener
from htdl.api.connection import Connection
from htdl.api.control import Control, Controls
from htdl.api.feed import Feed

if TYPE_CHECKING:
    from htdl.core.service import Service

__all__ = ["Controls", "Server"]

REQUEST_SECONDS = 10.0
STOP_SECONDS = 1.0  # for requests under way; the daemon as a whole has five

# asyncio's `backlog` is both the kernel's queue, set right again after it, and how often it accepts in a row;
# out of file descriptors it logs a trace for each of these.
_ACCEPTS = 16


class Server:
    """The control socket at `socket`, or on `inherited`, a listening socket that systemd made.

    `seconds` is how long a client may take over a request's header, over its body, and to read an event.
    """

    def __init__(
        self,
        service: Service,
        *,
        control: Controls,
        socket: Path | None = None,
        inherited: sockets.socket | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        if (socket is None) == (inherited is None):
            raise ValueError("give a path or a socket")
        self._path = socket
        self._inherited = inherited
        self._inode = 0
        self._seconds = seconds
        self._feed = Feed(service, seconds)
        self._control = Control(service, control, seconds)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer from now on.  Raises BadConfig and Refused as `listener.listen` does."""
        sock = self._listen()
        self._runner = web.AppRunner(self._app(), shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        requests = self._runner.server
        assert requests is not None
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: Connection(requests, seconds=self._seconds), sock=sock, backlog=_ACCEPTS
        )
        sock.listen(listener.BACKLOG)

    async def stop(self) -> None:
        """No more connections; requests under way get `STOP_SECONDS`.  The socket's file goes first, so that
        nobody finds one that does not answer.
        """
        if self._path is not None:
            listener.remove(self._path, self._inode)
        if self._server is not None:
            self._server.close()
        self._feed.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _listen(self) -> sockets.socket:
        if self._path is None:
            assert self._inherited is not None
            return self._inherited
        sock = listener.listen(self._path)
        self._inode = os.lstat(self._path).st_ino
        return sock

    def _app(self) -> web.Application:
        app = web.Application(
            middlewares=[guard.boundary, guard.only_this_user], client_max_size=wire.MAX_REQUEST_BYTES
        )
        app.on_response_prepare.append(guard.name_version)
        app.add_routes(self._control.routes())
        app.add_routes(self._feed.routes())
        return app
