"""What happens to jobs, as it happens: one JSON value a line, the state now first.

The listening begins before the state is read, so nothing falls between the two; an event that the state
tells already may come once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from htdl import wire
from htdl.api import answers, bodies
from htdl.api.connection import until_gone
from htdl.events import Event
from htdl.jobs import ENDED, JobQuery, JobView, State

if TYPE_CHECKING:
    from htdl.core.service import Service

_LIVING = tuple(x for x in State if x not in ENDED)


class Feed:
    """`seconds` is how long a client may leave a line unread before it is dropped."""

    def __init__(self, service: Service, seconds: float) -> None:
        self._service = service
        self._seconds = seconds
        self._tellers: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.get(f"{wire.API}/events", self._follow)]

    def close(self) -> None:
        """End every stream."""
        for task in self._tellers:
            task.cancel()

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        bodies.reject_unknown(request.query, ("job",), "parameter")
        prefixes = request.query.getall("job", [])
        with self._service.subscribe() as events:
            seq = self._service.seq
            views = await self._now(prefixes)
            ids = frozenset(view.job.id for view in views) if prefixes else None
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            response.force_close()
            await response.prepare(request)

            async def tell() -> None:
                lines = _Lines(request, response, self._seconds)
                await lines.write(wire.state_object(seq, []) | {"jobs": await answers.job_array(views)})
                async for event in events:
                    if ids is None or event.job.id in ids:
                        await lines.write(self._event(event))

            await self._run(request, tell())
        return response

    async def _now(self, prefixes: Sequence[str]) -> list[JobView]:
        if prefixes:
            return [await self._service.get(prefix) for prefix in prefixes]
        return (await self._service.jobs(JobQuery(status=_LIVING)))[0]

    def _event(self, event: Event) -> dict[str, Any]:
        return wire.event_object(event, self._service.view(event.job))

    async def _run(self, request: web.Request, telling: Coroutine[Any, Any, None]) -> None:
        """Until there is no more to tell, nobody to tell it to, or `close`.

        A client that hangs up is noticed at once, not at the next event, which may be hours away.
        """
        task = asyncio.create_task(telling)
        self._tellers.add(task)
        task.add_done_callback(self._tellers.discard)
        await until_gone(request, task)
        if not task.cancelled():
            task.result()


@dataclass(frozen=True, slots=True)
class _Lines:
    request: web.Request
    response: web.StreamResponse
    seconds: float

    async def write(self, value: object) -> None:
        """One line; ConnectionResetError when the client is gone, or did not read for too long."""
        try:
            async with asyncio.timeout(self.seconds):
                await self.response.write(msgspec.json.encode(value) + b"\n")
        except TimeoutError as exc:
            if self.request.transport is not None:
                self.request.transport.abort()
            raise ConnectionResetError("the client does not read") from exc
