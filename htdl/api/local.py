"""Where the video server listens and whom it hears: programs of this machine, and no page of another site.

Every site that a browser on this machine shows can make it ask 127.0.0.1.  So Host must name us, which
defeats DNS rebinding; Origin must be ours; and a browser that tells where a request comes from (Fetch
Metadata) must say from here, or that a person follows a link.  Players send none of these but Host.  Beyond
that each URL holds a token that cannot be guessed.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from htdl.api import texts
from htdl.errors import HtdlError, NoSuchJob, Refused

if TYPE_CHECKING:
    from htdl.core.service import Service

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_NAMES = (ADDRESS, "localhost", "[::1]")
_HTTP_PORT = 80  # left out of Host and Origin


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback at `port`, or where that is taken at any that is free.

    Raises HtdlError when there is none.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port of a daemon that ended just now
    try:
        sock.bind((ADDRESS, port))
        sock.listen()  # two may be bound to one port by SO_REUSEADDR, but one alone listens
    except OSError as exc:
        sock.close()
        if port == 0:
            raise HtdlError(f"the video server cannot listen on {ADDRESS}: {exc.strerror}") from exc
        log.warning("cannot listen on port=%d, taking a free one: why=%s", port, exc.strerror)
        return listen(0)
    return sock


def only_from_here(port: int) -> Middleware:
    """Refuse what `objection` objects to."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if why := objection(fields(request), port):
            return texts.failure(Refused(why, code="forbidden"), status=403)
        return await handler(request)

    return guard


def fields(request: web.Request) -> dict[str, str]:
    """The request's header fields by their usual names ("If-Range"), lines of the same name joined by commas
    (RFC 9110 section 5.3).
    """
    names = {name.title(): name for name in request.headers}
    return {usual: ", ".join(request.headers.getall(name)) for usual, name in names.items()}


def objection(headers: Mapping[str, str], port: int) -> str | None:
    """Why a request with these `fields` is not answered; None where it is."""
    host = headers.get("Host", "").lower()
    ours = {f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == _HTTP_PORT else set())
    if host not in ours:
        return f"this server answers as {ADDRESS}:{port} alone"
    is_foreign = headers.get("Origin", f"http://{host}") != f"http://{host}"
    # https://www.w3.org/TR/fetch-metadata/: "none" is a person's own doing, "same-site" another port of ours
    is_told_foreign = headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    if is_foreign or (is_told_foreign and not _follows_link(headers)):
        return "pages of other sites may not ask here"
    return None


def _follows_link(headers: Mapping[str, str]) -> bool:
    """Whether it becomes a page of its own, not a part of another's."""
    return headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"


def job_id(request: web.Request, service: Service, use: str = "") -> str:
    """The job that `{job}` and `{token}` of the route name; `use` is the token's, see `Links`.

    Raises NoSuchJob, in the same words for a job that is not there as for a token that is wrong.
    """
    job, token = request.match_info["job"], request.match_info["token"]
    if not service.links.is_token(job, token, use):
        raise not_here()
    return job


def not_here() -> NoSuchJob:
    return NoSuchJob("there is no such video here", hint="`htdl url JOB` prints the address of one")
