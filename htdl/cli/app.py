"""What every verb is given: where the daemon answers, and the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htdl import paths
from htdl.errors import NoSuchJob

if TYPE_CHECKING:
    from htdl.client import Client


class App:
    """`config` and `socket` are the global options, None where not given."""

    def __init__(self, environ: Mapping[str, str], *, config: Path | None, socket: Path | None) -> None:
        chosen = {"HTDL_CONFIG": config, "HTDL_SOCKET": socket}
        # absolute, because a daemon that is started with them may live elsewhere
        self.environ = {**environ, **{key: str(path.absolute()) for key, path in chosen.items() if path}}

    @property
    def socket(self) -> Path:
        """Of the daemon that is started here; `client.socket` may be the machine's, when that answers."""
        return paths.socket_path(self.environ)

    @property
    def config(self) -> Path:
        return paths.config_path(self.environ)

    @property
    def state_dir(self) -> Path:
        return paths.state_dir(self.environ)

    @cached_property
    def client(self) -> Client:
        from htdl.client import Client

        is_chosen = "HTDL_SOCKET" in self.environ
        return Client(self.socket, fallback=None if is_chosen else paths.SYSTEM_SOCKET)

    def jobs(
        self, status: Iterable[str] = (), limit: int | None = None, **query: str
    ) -> tuple[list[dict[str, Any]], int]:
        """Jobs in the daemon's order, and how many there are without the limit.  `query` is more of what the
        route takes; what is empty is not asked.
        """
        from htdl.wire import TOTAL_HEADER

        asked = {"status": ",".join(status), "limit": "" if limit is None else str(limit), **query}
        words = "&".join(f"{key}={_escaped(value)}" for key, value in asked.items() if value)
        jobs, headers = self.request("GET", "/jobs" + (f"?{words}" if words else ""))
        return jobs, int(headers.get(TOTAL_HEADER, len(jobs)))

    def job(self, prefix: str) -> dict[str, Any]:
        job: dict[str, Any] = self.call("GET", job_path(prefix))
        return job

    def act(self, verb: str, prefix: str, body: Any = None) -> dict[str, Any]:
        """The job after `verb` was done to it."""
        job: dict[str, Any] = self.call("POST", f"{job_path(prefix)}/{verb}", body)
        return job

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON value of the answer.  Raises what `Client.request` raises."""
        return self.request(method, path, body)[0]

    def request(self, method: str, path: str, body: Any = None) -> tuple[Any, Mapping[str, str]]:
        """The JSON value and the headers of the answer; `path` is what follows the API's prefix."""
        from htdl.wire import API

        return self.client.request(method, API + path, body)


def _escaped(value: str) -> str:
    if re.fullmatch(r"[\w,-]*", value, re.ASCII):  # mostly, and then no more is imported
        return value
    from urllib.parse import quote_plus

    return quote_plus(value, errors="replace")


def job_path(name: str) -> str:
    """Of a job by the first letters of its id, or by its video's id.  Raises NoSuchJob for what can be
    neither, so that no path is ever built of it.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise NoSuchJob(f"there is no job {name!r}", hint="`htdl status --all` lists them")
    return f"/jobs/{name}"
