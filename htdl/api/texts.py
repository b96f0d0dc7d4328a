"""Answers for players and browsers: errors as a line or two of plain text."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from htdl import wire
from htdl.errors import HtdlError

# Nothing guesses what the bytes of a stranger's file are, no other site embeds them or learns our URLs.
PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "htdl",
}


def failure(
    error: HtdlError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The answer that an error is; `status` is `wire.status_of` unless given."""
    text = f"{error.message}\n" + (f"{error.hint}\n" if error.hint else "")
    return web.Response(
        body=text.encode("utf-8", "replace"),  # bytes of a request that are not UTF-8 are surrogates here
        status=status or wire.status_of(error),
        headers=PROTECTION | dict(headers or {}),
        content_type="text/plain",
        charset="utf-8",
    )


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries, unless its route says otherwise.  For `on_response_prepare`."""
    for name, value in PROTECTION.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = PROTECTION["Server"]  # aiohttp has named itself and its version by now
