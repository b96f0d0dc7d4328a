"""The Python client of the daemon's socket: what the command line and other programs use.

One method a verb, each its own short connection, so a `Client` may be shared by threads and outlives any
daemon.  Standard library only, and `http.client` only when something is asked: importing this is cheap.

    client = Client()
    job = client.add("magnet:?xt=urn:btih:…")
    client.wait(job.id, until="ready")

Every method raises NoDaemon when nothing answers, and else what the daemon says, as `htdl.errors`.
"""

from __future__ import annotations

import binascii
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from htdl import wire
from htdl.connection import NOWHERE, Connection, Place
from htdl.errors import HtdlError, NoSuchJob, Refused
from htdl.events import Kind
from htdl.jobs import AddRequest, FileRequest, JobPatch, Preload, StreamInfo, Wanted
from htdl.reached import Until, end_of, is_reached
from htdl.wire import JobInfo

if TYPE_CHECKING:
    from htdl.answers import (  # classes take long to make, and few verbs need these
        Finding,
        Health,
        LimitRequest,
        SpeedLimits,
        Stats,
    )

ProgressCallback = Callable[[str, int, int, int], None]
"""Called with job id, progress 0-100, speed in bytes a second, ETA in seconds (-1 unknown)."""

_PLAN = ("file", "format", "codec", "audio")  # what a plan may be asked with
_DOCTOR_SECONDS = 90.0  # what it may take to read a large database through
_PATIENCE_SECONDS = 60.0  # how long `wait` and `start_download` let a daemon be away


class Client:
    """`timeout` is how many seconds one answer may take.

    Where `socket` is not given it is this user's daemon, or when none answers the machine's.  `fallback` is
    asked likewise while nothing has answered on `socket`; whichever answers first is asked from then on.
    """

    def __init__(
        self, socket: Path | None = None, timeout: float = 30.0, *, fallback: Path | None = None
    ) -> None:
        self._connection = Connection(socket, timeout, fallback)

    @property
    def socket(self) -> Path:
        """Where the daemon is asked."""
        return self._connection.path

    # The verbs

    def add(
        self,
        source: str | None = None,
        *,
        torrent: bytes | None = None,
        video_id: str | None = None,
        torrent_id: str | None = None,
        priority: int = 0,
        files: Iterable[str] = (),
        all_files: bool = False,
        max_download_speed: int = -1,
        max_upload_speed: int = -1,
        paused: bool = False,
    ) -> JobInfo:
        """Download a magnet, info-hash or http(s) URL, or the bytes of a .torrent.  The fields are
        AddRequest's.  A torrent that has a job already, living or complete with its files, gets no second
        one: that job is returned.
        """
        request = AddRequest(
            source=source,
            torrent=torrent,
            video_id=video_id,
            torrent_id=torrent_id,
            priority=priority,
            files=tuple(files),
            all_files=all_files,
            max_download_speed=max_download_speed,
            max_upload_speed=max_upload_speed,
            paused=paused,
        )
        return self.add_or_get(request)[0]

    def add_or_get(self, request: AddRequest) -> tuple[JobInfo, bool]:
        """The job, and whether it is new."""
        fields, headers = self.request("POST", f"{wire.API}/jobs", body_of(request))
        return wire.job_info(fields), headers.get(wire.EXISTING_HEADER) != "true"

    def jobs(
        self,
        status: Iterable[str] = (),
        limit: int | None = None,
        *,
        name: str = "",
        ready: bool = False,
        sort: str = "",
        reverse: bool = False,
    ) -> list[JobInfo]:
        """Those that live first, by priority and position; then the newest ended; or by `sort`, as `Sort` has
        it.  The rest is JobQuery's.
        """
        asked = {
            "status": ",".join(status),
            "limit": "" if limit is None else str(limit),
            "name": name,
            "ready": "1" if ready else "",
            "sort": sort,
            "reverse": "1" if reverse else "",
        }
        query = urlencode({key: value for key, value in asked.items() if value}, errors="replace")
        return [wire.job_info(x) for x in self.request("GET", f"{wire.API}/jobs?{query}")[0]]

    def job(self, job_id: str) -> JobInfo:
        """`job_id` may be any unique prefix, or the job's video id, here and below."""
        return self._job("GET", job_id)

    def cancel(self, job_id: str, delete: bool = False) -> JobInfo:
        """End a job; with `delete` its data goes too, also that of a job which has ended."""
        return self._job("POST", job_id, "/cancel", {"delete": delete})

    def pause(self, job_id: str) -> JobInfo:
        return self._job("POST", job_id, "/pause")

    def resume(self, job_id: str) -> JobInfo:
        return self._job("POST", job_id, "/resume")

    def retry(self, job_id: str) -> JobInfo:
        return self._job("POST", job_id, "/retry")

    def pin(self, job_id: str) -> JobInfo:
        return self._job("POST", job_id, "/pin")

    def unpin(self, job_id: str) -> JobInfo:
        return self._job("POST", job_id, "/unpin")

    def convert(self, job_id: str, wanted: Wanted | None = None) -> JobInfo:
        """Make of a job's videos what is wanted: of one that is whole now, of another when its turn comes."""
        return self._job("POST", job_id, "/convert", body_of(wanted or Wanted()))

    def convert_file(self, path: Path, wanted: Wanted | None = None, *, priority: int = 0) -> JobInfo:
        """The job that makes what is wanted of a file outside any job, which the daemon must be able to read.
        The file itself is never touched.
        """
        return self.convert_or_get(file_request(path, wanted, priority))[0]

    def convert_or_get(self, request: FileRequest) -> tuple[JobInfo, bool]:
        """The job, and whether it is new: a file of which just this is being made gets no second one."""
        fields, headers = self.request("POST", f"{wire.API}/conversions", body_of(request))
        return wire.job_info(fields), headers.get(wire.EXISTING_HEADER) != "true"

    def plan(self, job_id: str, wanted: Wanted | None = None, file: int | None = None) -> dict[str, Any]:
        """What would be made of a file of a job, stream by stream; nothing is begun."""
        asked = {**body_of(wanted or Wanted()), "file": file}
        asked["audio"] = ",".join(asked.get("audio", ()))
        query = urlencode({name: asked[name] for name in _PLAN if asked.get(name) not in {None, ""}})
        plan: dict[str, Any] = self._ask("GET", job_id, f"/plan?{query}")
        return plan

    def plan_file(self, path: Path, wanted: Wanted | None = None) -> dict[str, Any]:
        """The same of a file outside any job."""
        body = body_of(file_request(path, wanted))
        plan: dict[str, Any] = self.request("POST", f"{wire.API}/plans", body)[0]
        return plan

    def remove(self, job_id: str, delete: bool = False) -> JobInfo:
        """Forget a job that has ended, and with `delete` its data; the job as it was."""
        return self._job("DELETE", job_id, "?delete=1" if delete else "")

    def update(
        self,
        job_id: str,
        *,
        priority: int | None = None,
        max_download_speed: int | None = None,
        max_upload_speed: int | None = None,
        files: Iterable[str] | None = None,
        position: int | None = None,
        before: str | None = None,
    ) -> JobInfo:
        """Change what is given; None leaves it as it is.  `position` is the place in the queue, 1 is next
        and -1 the end; `before` names the job to come before.
        """
        patch = JobPatch(
            priority=priority,
            max_download_speed=max_download_speed,
            max_upload_speed=max_upload_speed,
            files=None if files is None else tuple(files),
            position=position,
            before=before,
        )
        return self._job("PATCH", job_id, body=body_of(patch))

    # Watching

    def stream(self, job_id: str, file: int | None = None) -> StreamInfo:
        """Where a file of a job, the main one where none is named, can be watched, and whether it can yet."""
        query = "" if file is None else f"?file={file}"
        return wire.stream_info(self._ask("GET", job_id, f"/stream{query}"))

    def preload(self, job_id: str, seconds: float = 0.0, file: int | None = None) -> Preload:
        """Have fetched before all else what plays at this time; ask again every few seconds to keep it so.
        A job whose turn has not come is begun, and the answer waits for that.
        """
        told = self._ask("POST", job_id, "/preload", {"seconds": seconds, "file": file})
        return Preload(**wire.known(Preload, told))

    # Of all downloads together

    def limits(self) -> SpeedLimits:
        """The speed limits that hold now, why, and the jobs that have some of their own."""
        return wire.speed_limits(self.request("GET", f"{wire.API}/limit")[0])

    def limit(
        self,
        *,
        max_download_speed: int | None = None,
        max_upload_speed: int | None = None,
        reset: bool = False,
    ) -> SpeedLimits:
        """Limit all downloads together, in bytes a second, -1 for none, until something else is configured;
        None leaves one as it is, and `reset` first goes back to what is configured.
        """
        from htdl.answers import LimitRequest

        request = LimitRequest(
            max_download_speed=max_download_speed, max_upload_speed=max_upload_speed, reset=reset
        )
        return wire.speed_limits(self.request("POST", f"{wire.API}/limit", body_of(request))[0])

    # The daemon itself

    def stats(self) -> Stats:
        from htdl.answers import Stats

        return Stats(**wire.known(Stats, self.request("GET", f"{wire.API}/stats")[0]))

    def health(self) -> Health:
        """An unhealthy daemon is an answer, not an error."""
        from htdl.answers import Health

        told = self._connection.exchange("GET", f"{wire.API}/health", None, accept=(200, 503))[0]
        return Health(**wire.known(Health, told))

    def doctor(self) -> list[Finding]:
        """What is well, what is not, and what to do about it."""
        known = self._connection
        patient = Connection(known.path, max(known.timeout, _DOCTOR_SECONDS), known.fallback)
        return [wire.finding(x) for x in patient.exchange("GET", f"{wire.API}/doctor")[0]]

    def config(self) -> dict[str, Any]:
        """The effective configuration: {"torrent.max_connections": 200, …}"""
        return dict(self.request("GET", f"{wire.API}/config")[0])

    def config_origins(self) -> dict[str, Any]:
        """Where it comes from: {"file": path, "values": {key: {"value", "source", "line", "variable"}}};
        `source` is "default", "file" or "environment".
        """
        return dict(self.request("GET", f"{wire.API}/config/origins")[0])

    def reload(self) -> dict[str, Any]:
        """{"changed": [keys], "needs_restart": [keys]}"""
        return dict(self.request("POST", f"{wire.API}/reload")[0])

    def log_level(self, level: str | None = None) -> str:
        """How much the daemon logs; with `level` from now on, until it ends or its configuration names
        another: "debug", "info", "warning" or "error".
        """
        path = f"{wire.API}/log-level"
        told = self.request("POST", path, {"level": level})[0] if level else self.request("GET", path)[0]
        return str(told["level"])

    def shutdown(self) -> None:
        """Ask the daemon to end; returns before it has."""
        self.request("POST", f"{wire.API}/shutdown")

    # Following

    def events(
        self,
        job_ids: Iterable[str] = (),
        *,
        reconnect_seconds: float = 0.0,
        since: Place | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The state now, {"event": "state", "seq", "instance", "jobs"}, then every change, {"event", "seq",
        "job"}, as `wire` writes them; only of `job_ids` where given.

        It ends when the daemon does.  With `reconnect_seconds` a daemon that was there may be away for so
        long: then it goes on where it was, or, if the daemon does not know any more what came since, with a
        fresh state; else it raises NoDaemon.  `since` goes on so where an earlier stream ended: its first
        line is {"event": "resumed", "seq", "instance"}, or the state.
        """
        if reconnect_seconds:
            return self._connection.follow(job_ids, reconnect_seconds, since=since)
        return self._connection.stream(job_ids, since or NOWHERE)

    def wait(self, job_id: str, until: Until = "completed", timeout: float | None = None) -> JobInfo:
        """Return when the job can be watched (`ready`), is whole (`downloaded`), or is whole and converted
        (`completed`).  A restart of the daemon does not disturb it.

        Raises TimedOut, ConversionFailed when its conversion failed, JobFailed when it ended otherwise, and
        NoSuchJob.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for event in self._connection.follow((job_id,), _PATIENCE_SECONDS, deadline):
            job = _job_in(event)
            if is_reached(job, until):
                return job
            if job.has_ended:
                raise end_of(job)
        raise AssertionError("a patient stream ends by an error")

    # For a video application

    def start_download(
        self,
        video_id: str | None,
        torrent_id: str | None,
        magnet_or_url: str,
        progress_callback: ProgressCallback | None = None,
    ) -> str:
        """Begin a download and return its job's id.  The callback is called from a thread of its own
        whenever progress comes, until the job ends.
        """
        job = self.add(magnet_or_url, video_id=video_id, torrent_id=torrent_id)
        if progress_callback is not None:
            threading.Thread(
                target=self._report, args=(job.id, progress_callback), name=f"htdl-{job.id[:8]}", daemon=True
            ).start()
        return job.id

    def is_ready_for_streaming(self, job_id: str) -> bool:
        """Whether the job's video can be watched now; False for a job that is not known."""
        try:
            return is_reached(self.job(job_id), "ready")
        except NoSuchJob:
            return False

    def get_file_path(self, job_id: str) -> str | None:
        """The job's main file, None unless it exists."""
        try:
            path = self.job(job_id).file_path
        except NoSuchJob:
            return None
        return path if path and Path(path).exists() else None

    def cancel_download(self, job_id: str) -> None:
        """End a job; one that has ended already is left as it is."""
        with contextlib.suppress(Refused):
            self.cancel(job_id)

    # The wire

    def request(self, method: str, path: str, body: object = None) -> tuple[Any, dict[str, str]]:
        """One exchange: the JSON value and the headers of its answer.  `path` is absolute, with any query."""
        return self._connection.exchange(method, path, body)

    def _job(self, method: str, job_id: str, rest: str = "", body: object = None) -> JobInfo:
        return wire.job_info(self._ask(method, job_id, rest, body))

    def _ask(self, method: str, job_id: str, rest: str = "", body: object = None) -> Any:
        path = f"{wire.API}/jobs/{quote(job_id, safe='', errors='replace')}{rest}"
        return self._connection.exchange(method, path, body)[0]

    def _report(self, job_id: str, callback: ProgressCallback) -> None:
        with contextlib.suppress(HtdlError):  # the job was removed, or the daemon is gone for good
            for event in self._connection.follow((job_id,), _PATIENCE_SECONDS):
                job = _job_in(event)
                callback(job.id, job.progress, job.download_speed, job.eta_seconds)
                if job.has_ended:
                    return


def file_request(path: Path, wanted: Wanted | None = None, priority: int = 0) -> FileRequest:
    """Of a path as seen from here."""
    asked = dataclasses.asdict(wanted or Wanted())
    return FileRequest(**asked, path=os.fspath(path.absolute()), priority=priority)


def body_of(request: AddRequest | JobPatch | LimitRequest | Wanted) -> dict[str, Any]:
    """A request as JSON: the fields that differ from their defaults, bytes as base64."""
    fields = {x.name: getattr(request, x.name) for x in dataclasses.fields(request)}
    body = {x.name: fields[x.name] for x in dataclasses.fields(request) if fields[x.name] != x.default}
    if isinstance(body.get("torrent"), bytes):
        body["torrent"] = binascii.b2a_base64(body["torrent"], newline=False).decode()
    return body


def _job_in(event: Mapping[str, Any]) -> JobInfo:
    """The one job that a stream of one job tells of.  Raises NoSuchJob when it is removed."""
    job = wire.job_info(event["job"] if "job" in event else event["jobs"][0])
    if event["event"] == Kind.REMOVED:
        raise NoSuchJob(f"job {job.id} was removed")
    return job
