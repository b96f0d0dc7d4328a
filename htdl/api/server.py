"""The daemon's two servers: the control socket for its clients, and the video server for players.

Who listens where, and in which order they start and end.
"""

from __future__ import annotations

import os
import socket as sockets
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from htdl import wire
from htdl.api import answers, guard, listener, local, pages, texts
from htdl.api.control import Control, Controls
from htdl.api.door import Door
from htdl.api.feed import Feed
from htdl.api.hls import Hls
from htdl.api.video import Videos

if TYPE_CHECKING:
    from htdl.core.service import Service

__all__ = ["Controls", "Server", "VideoServer"]

REQUEST_SECONDS = 10.0
PATIENCE = 6  # times that, with a client that reads nothing of its answer: a person may page through it
STOP_SECONDS = 1.0  # for requests under way; the daemon as a whole has five

# Each holds a file descriptor, of which a process commonly has 1024; torrents and their peers need the rest.
MAX_CONNECTIONS = 512
MAX_PLAYERS = 256


class Server:
    """The control socket at `socket`, shared with the members of `group` where one is given; or on
    `inherited`, a listening socket that systemd made, and shared as its file is.

    `seconds` is how long a client may take over a request's header, over its body, and to read an event.
    """

    def __init__(
        self,
        service: Service,
        *,
        control: Controls,
        socket: Path | None = None,
        inherited: sockets.socket | None = None,
        group: int | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        if (socket is None) == (inherited is None):
            raise ValueError("give a path or a socket")
        self._path = socket
        self._inherited = inherited
        self._group = group if inherited is None else listener.group_of(inherited)
        self._inode = 0
        self._feed = Feed(service, seconds)
        app = web.Application(
            middlewares=[guard.boundary(answers.failure), guard.only_allowed(self._group)],
            client_max_size=wire.MAX_REQUEST_BYTES,
        )
        app.on_response_prepare.append(guard.name_version)
        app.add_routes(Control(service, control, seconds).routes())
        app.add_routes(self._feed.routes())
        self._door = Door(
            app,
            answers.failure,
            seconds=seconds,
            most=MAX_CONNECTIONS,
            stop_seconds=STOP_SECONDS,
            patience=PATIENCE * seconds,
        )

    async def start(self) -> None:
        """Answer from now on.  Raises BadConfig and Refused as `listener.listen` does."""
        await self._door.open(self._listen())

    async def stop(self) -> None:
        """No more connections; requests under way get `STOP_SECONDS`.  The socket's file goes first, so that
        nobody finds one that does not answer.
        """
        if self._path is not None:
            listener.remove(self._path, self._inode)
        self._door.shut()
        self._feed.close()
        await self._door.close()

    def _listen(self) -> sockets.socket:
        if self._path is None:
            assert self._inherited is not None
            return self._inherited
        sock = listener.listen(self._path, self._group)
        self._inode = os.lstat(self._path).st_ino
        return sock


class VideoServer:
    """Videos and their pages, on loopback at `port`; 0 is any that is free, and so is one that is taken."""

    def __init__(self, service: Service, *, port: int, seconds: float = REQUEST_SECONDS) -> None:
        self._service = service
        self._wanted = port
        self._seconds = seconds
        self._door: Door | None = None

    async def start(self) -> None:
        """Answer from now on, and tell the service where.  Raises HtdlError where nothing can listen."""
        sock = local.listen(self._wanted)
        port: int = sock.getsockname()[1]
        # A player asks again by itself: no request is worth waiting for when the daemon stops.
        self._door = Door(
            self._app(port),
            texts.failure,
            seconds=self._seconds,
            most=MAX_PLAYERS,
            stop_seconds=0.1,
            cancels=True,
        )
        await self._door.open(sock)
        self._service.links.base_url = f"http://{local.ADDRESS}:{port}"

    async def stop(self) -> None:
        """No more connections; what is being sent is cut off."""
        self._service.links.base_url = None
        if self._door is not None:
            await self._door.close()

    def _app(self, port: int) -> web.Application:
        app = web.Application(middlewares=[guard.boundary(texts.failure), local.only_from_here(port)])
        app.on_response_prepare.append(texts.protect)
        app.add_routes(Videos(self._service).routes())
        app.add_routes(Hls(self._service).routes())
        app.add_routes(pages.routes(self._service))
        return app
