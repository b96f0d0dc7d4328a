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

_UCRED = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
_GID = struct.Struct("I")
_SO_PEERGROUPS = 59  # asm-generic/socket.h; Python has no name for it
_MAX_GROUPS = 256  # Python takes 1024 bytes from getsockopt, and no more
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


def only_allowed(group: int | None) -> Middleware:
    """Processes of this user, of root, and of the members of `group`; never a browser's page."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "Origin" in request.headers:
            return _forbidden("web pages may not talk to the daemon")
        if request.transport is None:
            return _forbidden("who asked has hung up, so nobody can tell who it was")
        sock = _unix_socket(request)
        uid = os.geteuid() if sock is None else peer(sock)[0]
        if uid in {os.geteuid(), 0} or (sock and group is not None and group in groups(sock)):
            return await handler(request)
        whose = f"another user (uid {os.geteuid()})" + ("" if group is None else f" and group {group}")
        return _forbidden(f"this daemon belongs to {whose}, you are uid {uid}")

    return guard


async def name_version(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[wire.VERSION_HEADER] = htdl.__version__


def _unix_socket(request: web.Request) -> socket.socket | None:
    """None where the system does not tell who is at its other end, or that has hung up."""
    sock: socket.socket | None = getattr(request.transport, "get_extra_info", lambda _: None)("socket")
    return sock if hasattr(socket, "SO_PEERCRED") else None


def peer(sock: socket.socket) -> tuple[int, int]:
    """The uid and gid of the process at the other end, as they were when it connected."""
    _, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return uid, gid


def groups(sock: socket.socket) -> set[int]:
    """All groups of that process, the supplementary ones too."""
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS * _GID.size)
    except OSError:  # a kernel before 4.13, or more groups than that: the first one counts alone
        told = b""
    return {peer(sock)[1], *(x for (x,) in _GID.iter_unpack(told))}


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
    error = BadRequest(words.get(exc.status, exc.reason), code=_CODES.get(exc.status))
    allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
    return failure(error, status=exc.status, headers=allow)


def _forbidden(message: str) -> web.Response:
    return answers.failure(Refused(message, code="forbidden"), status=403)
