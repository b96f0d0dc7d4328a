"""Videos over HTTP, whole or still arriving: GET and HEAD, with ranges and conditions (RFC 9110)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from htdl.api import local, neighbours, texts
from htdl.api.sending import Body
from htdl.errors import BadRequest, HtdlError, NoSuchJob
from htdl.stream import kinds, ranges
from htdl.stream.ranges import Outcome
from htdl.stream.video import Video

if TYPE_CHECKING:
    from htdl.core.service import Service

log = logging.getLogger(__name__)

Opener = Callable[[str, int], Awaitable[Video]]  # by job and file

_VALIDATORS = {"ETag", "Last-Modified", "Cache-Control"}  # what a 304 tells, RFC 9110 section 15.4.5
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 section 3.2.1, beside letters and digits


class Videos:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._open_bodies: set[Body] = set()

    def routes(self) -> list[web.RouteDef]:
        """The name is for people and players; the index says which file it is."""
        file = "/{job}/{token}/{index:[0-9]{1,9}}/{name:.*}"
        streams = self._service.streams
        return [
            web.get("/stream" + file, partial(self._serve, streams.open)),
            web.get("/video" + file, partial(self._serve, streams.result)),
            web.get("/feed" + file, self._feed),
        ]

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        """To our own conversions alone: the address stands in `ps`, where other users see it."""
        assert request.transport is not None
        client, server = (request.transport.get_extra_info(x) for x in ("peername", "sockname"))
        if not await asyncio.to_thread(neighbours.is_ours, client, server):
            raise local.not_here()
        return await self._serve(self._service.conversions.feeding.open, request, self._service.links.FEED)

    async def _serve(self, opener: Opener, request: web.Request, use: str = "") -> web.StreamResponse:
        video = await self._open(opener, request, use)
        fields = local.fields(request)
        headers = describe(video)
        outcome = ranges.evaluate(request.method, fields, video.etag, video.modified)
        if outcome is Outcome.FAILED:
            return texts.failure(BadRequest("the video is not the one that was asked for"), status=412)
        if outcome is Outcome.NOT_MODIFIED:
            return web.StreamResponse(
                status=304, headers={x: headers[x] for x in headers.keys() & _VALIDATORS}
            )
        asked = ranges.parse(fields.get("Range"), video.size) if outcome is Outcome.PROCEED else None
        if asked == []:
            return _unsatisfiable(video)
        answer = Answer(video, headers, asked)
        if request.method == "HEAD":
            return answer.response
        return await self._send(request, answer)

    async def _open(self, opener: Opener, request: web.Request, use: str) -> Video:
        job = local.job_id(request, self._service, use)
        try:
            return await opener(job, int(request.match_info["index"]))
        except NoSuchJob as exc:
            raise local.not_here() from exc

    async def _send(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """What keeps the bytes from coming is told in words before the answer has begun, by its end after."""
        patience = self._service.config.stream.wait_seconds
        body = Body(answer.video, request, answer.response, patience, self._open_bodies)
        with contextlib.closing(body):
            try:
                if answer.video.is_whole:
                    await body.open()
                await answer.send(request, body)
            except ConnectionError:
                raise  # the client has hung up, as players do with each seek
            except (HtdlError, OSError) as exc:  # it stalled, was stopped, or its file is gone
                _log_end(answer, body, exc)
                if not answer.response.prepared:
                    raise NoSuchJob(str(exc), hint="`htdl retry JOB` fetches it again") from exc
                raise ConnectionResetError("the rest does not come") from exc
        return answer.response


class Answer:
    """A 200 or 206, ready to send: the whole (None), a part, or several (section 14.6)."""

    def __init__(self, video: Video, headers: dict[str, str], asked: Sequence[range] | None) -> None:
        self.video = video
        self.parts = [range(video.size)] if asked is None else list(asked)
        self._heads = [b""]
        self._tail = b""
        if asked is not None and len(asked) == 1:
            headers["Content-Range"] = ranges.content_range(asked[0], video.size)
        elif asked is not None:
            self._separate(headers)
        self.response = web.StreamResponse(status=200 if asked is None else 206, headers=headers)
        self.response.content_length = sum(map(len, [*self._heads, *self.parts, self._tail]))

    def _separate(self, headers: dict[str, str]) -> None:
        boundary = secrets.token_hex(16)
        kind, headers["Content-Type"] = headers["Content-Type"], f"multipart/byteranges; boundary={boundary}"
        self._heads = [
            f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n"
            f"Content-Range: {ranges.content_range(part, self.video.size)}\r\n\r\n".encode()
            for part in self.parts
        ]
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    async def send(self, request: web.Request, body: Body) -> None:
        """Headers go at once, so that a player that only looks need not wait for bytes."""
        await self.response.prepare(request)
        for head, part in zip(self._heads, self.parts, strict=True):
            if head:
                await self.response.write(head)
            await body.send(part)
        if self._tail:
            await self.response.write(self._tail)


def describe(video: Video) -> dict[str, str]:
    """The header fields that are the same for the whole, a part and nothing of it."""
    headers = {
        "Content-Type": kinds.media_type(video.name),
        "Content-Disposition": disposition(video.name),
        "Accept-Ranges": "bytes",
        "ETag": video.etag,
        "Cache-Control": "no-store",  # it lies on this machine's disk already
    }
    if video.modified is not None:
        headers["Last-Modified"] = formatdate(video.modified, usegmt=True)
    return headers


def disposition(name: str) -> str:
    """To be shown, and saved under this name (RFC 6266): as it is, and for old clients in ASCII."""
    plain = "".join(x if " " <= x <= "~" and x not in '"\\%' else "_" for x in name)
    exact = quote(name.encode("utf-8", "replace"), safe=_ATTR_CHAR)
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def _unsatisfiable(video: Video) -> web.Response:
    error = BadRequest(f"the video ends at byte {video.size}")
    return texts.failure(
        error,
        status=416,
        headers={"Content-Range": ranges.content_range(None, video.size), "ETag": video.etag},
    )


def _log_end(answer: Answer, body: Body, exc: HtdlError | OSError) -> None:
    log.warning(
        "stream ends early job=%s file=%d range=%s sent=%d why=%s",
        answer.video.job_id,
        answer.video.index,
        ",".join(f"{part.start}-{part.stop - 1}" for part in answer.parts),
        body.sent,
        exc,
    )
