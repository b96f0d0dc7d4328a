"""One connection to the daemon's socket for each question, and the stream of its events.

Standard library only, and `http.client` only when something is asked: importing this is cheap.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import socket
import stat
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from htdl import paths, wire
from htdl.errors import BadRequest, HtdlError, NoDaemon, Refused, TimedOut

if TYPE_CHECKING:
    import http.client

_URL = "/?&=%,:+~"  # what stands as it is in a path with its query; the rest is escaped
_HUNG_UP = "hung_up"  # the code of NoDaemon when there was one a moment ago
_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_RETRY_SECONDS = 0.2  # between two tries to reach a daemon that is being restarted


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """How far one has heard the events of one run of the daemon; no `instance` is nothing heard."""

    instance: str
    seq: int

    def after(self, event: Mapping[str, Any]) -> Place:
        """The place after this line of a stream."""
        return Place(event.get("instance", self.instance), event["seq"])

    def query(self) -> list[tuple[str, str]]:
        return [("since", str(self.seq)), ("instance", self.instance)] if self.instance else []


NOWHERE = Place("", 0)


class Connection:
    """`timeout` is how many seconds one answer may take.  Threads may share it; nothing is kept open.

    Where `path` is not given it is this user's daemon, or when none answers the machine's.  `fallback` is
    asked likewise while nothing has answered at `path`; whichever answers first is asked from then on.
    """

    def __init__(self, path: Path | None, timeout: float, fallback: Path | None) -> None:
        self.path = path or paths.socket_path(os.environ)
        self.timeout = timeout
        self.fallback = fallback
        if path is None and not os.environ.get("HTDL_SOCKET"):
            self.fallback = fallback or paths.SYSTEM_SOCKET

    def exchange(
        self, method: str, path: str, body: object = None, accept: tuple[int, ...] = ()
    ) -> tuple[Any, dict[str, str]]:
        """The JSON value and the headers of an answer; `path` is absolute, with any query.  Raises what the
        daemon says, but for a status in `accept`.
        """
        with self._answering(), self._open(method, path, body) as (response, _):
            value = _checked(response, accept)
            return value, dict(response.headers.items())

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, body: object = None
    ) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        """Send a request; the head of its answer has been read."""
        import http.client

        data = None if body is None else json.dumps(body).encode()
        if data is not None and len(data) > wire.MAX_REQUEST_BYTES:
            raise BadRequest(f"the request is larger than {wire.MAX_REQUEST_BYTES} bytes")
        connection = http.client.HTTPConnection("htdl")
        with self._connect() as sock:
            connection.sock = sock
            connection.request(
                method, quote(path, safe=_URL, errors="replace"), data, {"Connection": "close"}
            )
            with connection.getresponse() as response:
                yield response, sock

    def _connect(self) -> socket.socket:
        try:
            sock = self._connect_to(self.path)
        except NoDaemon as exc:
            sock = self._fall_back(exc)
        self.fallback = None  # a daemon that is away for a moment is not to be mistaken for another
        return sock

    def _fall_back(self, missing: NoDaemon) -> socket.socket:
        if self.fallback is None:
            raise missing
        try:
            sock = self._connect_to(self.fallback)
        except NoDaemon:
            raise missing from None
        except Refused as exc:
            hint = f"{missing.hint}; or join the group that may use {self.fallback}"
            raise NoDaemon(missing.message, hint=hint) from exc
        self.path = self.fallback
        return sock

    def _connect_to(self, path: Path) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # unix(7): it waits while the daemon's queue is full; with a timeout of Python's it fails at once
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self.timeout))
            sock.connect(os.fspath(path))
            sock.settimeout(self.timeout)
        except OSError as exc:
            sock.close()
            if exc.errno in {errno.EACCES, errno.EPERM}:
                raise Refused(
                    f"{path} belongs to another user's daemon",
                    hint="name your own with --socket, or ask to be let in by daemon.socket_group",
                ) from exc
            raise NoDaemon(
                f"no daemon answers on {path} ({exc.strerror or exc})",
                hint="start one with: htdl daemon start",
            ) from exc
        try:
            _reject_lure(sock, path)
        except BaseException:
            sock.close()
            raise
        return sock

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Says in our words that an answer did not come, or broke off."""
        import http.client

        try:
            yield
        except TimeoutError as exc:
            raise TimedOut(f"the daemon did not answer within {self.timeout:g} seconds") from exc
        except (http.client.HTTPException, OSError) as exc:
            raise NoDaemon(
                f"the daemon on {self.path} hung up before it had answered",
                hint="it may have ended, or be starting again: htdl daemon status",
                code=_HUNG_UP,
            ) from exc

    def follow(
        self,
        job_ids: Iterable[str],
        patience: float,
        deadline: float | None = None,
        since: Place | None = None,
    ) -> Iterator[dict[str, Any]]:
        """One event stream after the other, each from where the last one ended, while no daemon is away for
        `patience` seconds; the first must answer at once.
        """
        job_ids, place = tuple(job_ids), since or NOWHERE
        heard: float | None = None
        while True:
            try:
                for event in self.stream(job_ids, place, deadline):
                    place = place.after(event)
                    if event["event"] != wire.RESUMED:
                        yield event
                heard = time.monotonic()
            except NoDaemon as exc:
                if heard is None and exc.code == _HUNG_UP:
                    heard = time.monotonic()
                if heard is None or time.monotonic() - heard >= patience:
                    raise
            _remaining(deadline)
            time.sleep(_RETRY_SECONDS)  # nothing tells of a socket that comes back

    def stream(
        self, job_ids: Iterable[str], place: Place, deadline: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """The lines of one event stream until it ends, or breaks in the middle."""
        import http.client

        asked = [*(("job", x) for x in job_ids), *place.query()]
        path = f"{wire.API}/events?{urlencode(asked, errors='replace')}"
        with self._answering(), self._open("GET", path) as (response, sock):
            if response.status != 200:
                _checked(response)
            while True:
                try:
                    line = response.readline()
                except TimeoutError:
                    _remaining(deadline)  # says so
                    raise
                except (http.client.HTTPException, OSError):
                    return
                if not line.endswith(b"\n"):
                    return
                yield json.loads(line)
                sock.settimeout(_remaining(deadline))  # the first line, the state, is told whatever the time


def _checked(response: http.client.HTTPResponse, accept: tuple[int, ...] = ()) -> Any:
    """The JSON value of an answer, or the error that it is."""
    data = response.read()
    try:
        value = json.loads(data)
    except ValueError as exc:
        raise HtdlError(
            f"the daemon answered {response.status} with something that is not JSON",
            hint="is another program listening on its socket?",
        ) from exc
    if response.status >= 400 and response.status not in accept:
        raise wire.error_from(response.status, value)
    return value


def _reject_lure(sock: socket.socket, path: Path) -> None:
    """Raises Refused where another user listens, and may have put the socket there before we could: without
    XDG_RUNTIME_DIR its place is below /tmp.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return
    # of who began to listen
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid not in {os.geteuid(), 0} and any(x.stat().st_mode & stat.S_IWOTH for x in path.absolute().parents):
        raise Refused(
            f"another user (uid {uid}) listens on {path}, where everyone can put a socket",
            hint="set XDG_RUNTIME_DIR to a folder of your own, or name a daemon with --socket",
        )


def _timeval(seconds: float) -> bytes:
    """struct timeval of SO_SNDTIMEO, socket(7)."""
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))


def _remaining(deadline: float | None) -> float | None:
    """Seconds until the deadline; TimedOut when it has passed."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut("not finished within the time given")
    return left
