"""Who may ask, and what they hear when it goes wrong."""

from __future__ import annotations

import logging
import os
import socket
import struct

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

import htdl
from htdl import wire
from htdl.api import answers
from htdl.api.answers import Failure
from htdl.errors import BadRequest, HtdlError, Refused

log = logging.getLogger(__name__)

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_CODES = {404: "no_such_route", 405: "method_not_allowed", 408: "too_slow", 413: "too_large"}


def boundary(failure: Failure) -> Middleware:
    """Every error leaves as `failure` tells it: expected ones in their own words, a bug with its trace in the
    log.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except HtdlError as exc:
            return failure(exc)
        except web.HTTPException as exc:
            return _from_http(request, exc, failure)
        except ConnectionError:
            raise  # the client has hung up: nobody is left to answer
        except Exception:  # a bug of ours, whatever it is; the daemon and its other clients live on
            log.exception("bug: method=%s route=%s", request.method, _route(request))
            if request.writer.output_size:
                raise  # the answer has begun: only closing the connection can tell now
            return failure(
                HtdlError("the daemon met a bug of its own", hint="its log says more: please report it"),
                status=500,
            )

    return guard


@web.middleware
async def only_this_user(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Processes of this user and of root; never a browser's page."""
    if "Origin" in request.headers:
        return _forbidden("web pages may not talk to the daemon")
    uid = peer_uid(request.transport)
    if uid is not None and uid not in {os.geteuid(), 0}:
        return _forbidden(f"this daemon belongs to another user (uid {os.geteuid()}), you are uid {uid}")
    return await handler(request)


async def name_version(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[wire.VERSION_HEADER] = htdl.__version__


def peer_uid(transport: object) -> int | None:
    """Who is at the other end of a Unix socket; None where the system does not tell, or it has hung up."""
    sock = getattr(transport, "get_extra_info", lambda _: None)("socket")
    if sock is None or not hasattr(socket, "SO_PEERCRED"):
        return None
    uid: int = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[1]
    return uid


def _route(request: web.Request) -> str | None:
    """Not the path itself: that of a video holds its token."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else None


def _from_http(request: web.Request, exc: web.HTTPException, failure: Failure) -> web.StreamResponse:
    """aiohttp's own refusals, in our words."""
    words = {
        404: f"there is nothing at {request.path[:200]}",
        405: f"{request.method} cannot be done to {request.path[:200]}",
        408: "the request took too long to arrive",
        413: f"the request is larger than {wire.MAX_REQUEST_BYTES} bytes",
    }
    kind = Refused if exc.status == 405 else BadRequest
    error = kind(words.get(exc.status, exc.reason), code=_CODES.get(exc.status))
    allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
    return failure(error, status=exc.status, headers=allow)


def _forbidden(message: str) -> web.Response:
    return answers.failure(Refused(message, code="forbidden"), status=403)
