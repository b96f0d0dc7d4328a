"""What happens to jobs, as it happens: one JSON value a line, the state now first.

The listening begins before the state is read, so nothing falls between the two; an event that the state
tells already may come once more.  Who was here before says with `since` how far he has heard, and goes on
there; where that is not known any more, the state comes first again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from htdl import wire
from htdl.api import answers, bodies
from htdl.api.connection import until_gone
from htdl.errors import BadRequest
from htdl.events import Event
from htdl.jobs import ENDED, Job, JobQuery, JobView, State

if TYPE_CHECKING:
    from htdl.core.service import Service

_CHUNK = 50  # events that are told at once: a few milliseconds
_LIVING = tuple(x for x in State if x not in ENDED)


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a stream begins: with the state `now`, or where there is none, with what was `missed`."""

    instance: str
    seq: int
    is_asked_for: Callable[[Job], bool]
    now: list[JobView] | None = None
    missed: Sequence[Event] = ()

    async def line(self) -> dict[str, Any]:
        if self.now is None:
            return wire.resumed_object(self.instance, self.seq)
        return wire.state_object(self.instance, self.seq, await answers.job_array(self.now))


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
        """?job=ID&since=SEQ&instance=ID, `job` as often as one likes."""
        bodies.reject_unknown(request.query, ("job", "since", "instance"), "parameter")
        with self._service.subscribe() as events:
            start = self._resumed(request) or await self._anew(request)
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            response.force_close()
            await response.prepare(request)

            async def tell() -> None:
                lines = _Lines(request, response, self._seconds)
                await lines.write(await start.line())
                for number, event in enumerate(start.missed):
                    if number % _CHUNK == 0:
                        await asyncio.sleep(0)  # others have their turn
                    if start.is_asked_for(event.job):
                        await lines.write(self._event(event))
                async for event in events:
                    if start.is_asked_for(event.job):
                        await lines.write(self._event(event))

            await self._run(request, tell())
        return response

    async def _anew(self, request: web.Request) -> _Start:
        service, prefixes = self._service, request.query.getall("job", [])
        seq = service.seq
        if not prefixes:
            now = (await service.jobs(JobQuery(status=_LIVING)))[0]
            return _Start(service.instance, seq, lambda job: True, now)
        now = [await service.get(prefix) for prefix in prefixes]
        ids = frozenset(view.job.id for view in now)
        return _Start(service.instance, seq, lambda job: job.id in ids, now)

    def _resumed(self, request: web.Request) -> _Start | None:
        """None where nobody was here before, or he was away for too long.  Jobs are not looked up: one that
        was removed meanwhile is told of.
        """
        service, since = self._service, _seq(request.query.get("since"))
        if since is None or request.query.get("instance", service.instance) != service.instance:
            return None
        missed = service.events_after(since)
        if missed is None:
            return None
        names = tuple(request.query.getall("job", []))

        def is_asked_for(job: Job) -> bool:
            return not names or job.id.startswith(names) or job.video_id in names

        return _Start(service.instance, since, is_asked_for, missed=missed)

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


def _seq(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"since={text[:100]!r} is not the number of an event")
    return int(text)
