"""What a request carries: bounded in bytes and in time, then checked against the type it should be."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import difflib
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from htdl import wire
from htdl.errors import BadRequest

T = TypeVar("T")


LARGE_BYTES = 64 << 10
MOST_LARGE = 4  # that are in memory at once; what more there are wait unread


class Reader:
    """Reads the bodies that come to one server; each has so many `seconds`, its turn included."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(MOST_LARGE)

    async def read(self, request: web.Request, kind: type[T]) -> T:
        """The body as the dataclass `kind`; an empty body is an empty object.

        Raises BadRequest, and aiohttp's 408 and 413 for a body that is too slow or too large.
        """
        size = request.content_length
        if size is not None and size > wire.MAX_REQUEST_BYTES:
            raise web.HTTPRequestEntityTooLarge(wire.MAX_REQUEST_BYTES, size)
        is_large = request.can_read_body and (size is None or size > LARGE_BYTES)
        try:
            async with asyncio.timeout(self._seconds):
                async with self._turns if is_large else contextlib.nullcontext():
                    return decode(await _whole(request) or b"{}", kind)
        except TimeoutError as exc:
            raise web.HTTPRequestTimeout from exc
        except web.RequestPayloadError as exc:
            raise BadRequest(f"the request's body is not HTTP: {exc}") from exc


async def _whole(request: web.Request) -> bytearray:
    """The body; not by `request.read`, which keeps it for as long as the request is worked on."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > wire.MAX_REQUEST_BYTES:
            raise web.HTTPRequestEntityTooLarge(wire.MAX_REQUEST_BYTES, len(body))
    return body


def decode(body: bytes | bytearray, kind: type[T]) -> T:
    """JSON as the dataclass `kind`.  Raises BadRequest for anything else, unknown keys included."""
    try:
        # msgspec passes over unknown keys of a dataclass: so the keys first, their values unread
        keys = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        names = [x.name for x in dataclasses.fields(kind)]  # type: ignore[arg-type] # T cannot say "a dataclass"
        reject_unknown(keys, names, "key")
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"the request's body is not what was expected: {exc}") from exc
    except RecursionError as exc:
        raise BadRequest("the request's body is nested too deeply") from exc


def reject_unknown(given: Iterable[str], known: Collection[str], what: str) -> None:
    """BadRequest that names the first word that is not known, and the nearest that is."""
    for word in given:
        if word not in known:
            near = difflib.get_close_matches(word[:100], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}" if known else None
            raise BadRequest(f"unknown {what} {word[:100]!r}", hint=hint)


def query(request: web.Request, *known: str) -> dict[str, Any]:
    """The query's parameters, the last of a name; BadRequest for a name that is not known."""
    reject_unknown(request.query, known, "parameter")
    return dict(request.query)
