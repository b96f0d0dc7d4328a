"""Answers as JSON, in the words of `wire`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from htdl import wire
from htdl.errors import HtdlError
from htdl.jobs import JobView

# A job takes some 20 µs to encode: a chunk holds the event loop for a few milliseconds at most.
_CHUNK = 100


class Failure(Protocol):
    """How an error is told; `status` is `wire.status_of` unless given."""

    def __call__(
        self, error: HtdlError, *, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> web.Response: ...


def json(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """One JSON value; dataclasses, enums and `msgspec.Raw` as they are."""
    body = msgspec.json.encode(value) + b"\n"  # for who reads it in a terminal
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def failure(
    error: HtdlError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The answer that an error is; `status` is `wire.status_of` unless given."""
    error.message = _printable(error.message)
    return json(wire.error_object(error), status=status or wire.status_of(error), headers=headers)


async def job_array(views: Sequence[JobView]) -> msgspec.Raw:
    """The JSON array of these jobs, encoded in pieces between which the event loop goes on."""
    chunks = []
    for start in range(0, len(views), _CHUNK):
        objects = [wire.job_object(view) for view in views[start : start + _CHUNK]]
        chunks.append(msgspec.json.encode(objects)[1:-1])
        await asyncio.sleep(0)  # others have their turn
    return msgspec.Raw(b"[" + b",".join(chunks) + b"]")


def _printable(text: str) -> str:
    """Bytes of a request that are not UTF-8 are surrogates in its text; JSON has no place for them."""
    return text.encode("utf-8", "replace").decode()
