"""One client's connection: how patient the daemon is with it, and how it answers what is not HTTP."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web

import htdl
from htdl import wire
from htdl.api.answers import Failure
from htdl.errors import BadRequest

log = logging.getLogger(__name__)


async def until_gone(request: web.Request, task: asyncio.Task[Any]) -> None:
    """Return when `task` has ended; it is cancelled at once when the client hangs up."""
    assert isinstance(request.protocol, Connection)
    try:
        await asyncio.wait({task, request.protocol.gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.wait({task})


class Connection(web.RequestHandler):
    """`gone` is done once the client has hung up.  `failure` tells it that what it sent is not HTTP; no more
    than `most` are connected at once.  A client that has read nothing of its answer for `patience` seconds is
    hung up on; None where that is its own affair, as a player's that stands still.

    A connection that has no whole request header within `seconds`, be it the first or the next, is closed:
    aiohttp's keep-alive timer runs from the start and is not wound by single bytes.
    """

    __slots__ = ("_failure", "_most", "_patience", "_server", "_stuck", "gone")

    def __init__(
        self, server: web.Server, failure: Failure, *, seconds: float, most: int, patience: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=seconds,
            lingering_time=seconds,
            tcp_keepalive=False,
            auto_decompress=False,  # nobody compresses for a local socket; so nothing can explode
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say "no access log"
        )
        self._server = server
        self._failure = failure
        self._most = most
        self._patience = patience
        self._stuck: asyncio.TimerHandle | None = None  # while it does not read
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._server.connections) > self._most:
            log.debug("too many connections, the newest is closed: most=%d", self._most)
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._let_be()
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader(None)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._let_be()

    def _wait_for_reader(self, unread: int | None) -> None:
        """`unread` is how much there was to read the last time."""
        assert isinstance(self.transport, asyncio.Transport)
        now = self.transport.get_write_buffer_size()
        if unread is not None and now >= unread:
            log.debug("a client does not read its answer, and is hung up on: unread=%d", now)
            self.transport.abort()
        elif self._patience is not None:
            self._stuck = asyncio.get_running_loop().call_later(self._patience, self._wait_for_reader, now)

    def _let_be(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What never reached a route: bytes that are not HTTP, headers that are too large."""
        if request.writer.output_size:
            raise ConnectionError("the answer has begun: only closing the connection can tell now")
        # not what follows: it quotes the request, which may hold a token
        reason = (message or "").split("\n", 1)[0].split(":", 1)[0].strip() or "it cannot be read"
        log.debug("not HTTP: %s", reason)
        response = self._failure(BadRequest(f"this is not an HTTP request: {reason}"), status=status)
        response.headers[wire.VERSION_HEADER] = htdl.__version__
        response.force_close()
        return response
