"""Where a job can be watched, as the daemon says it: jobs.StreamInfo as JSON."""

from __future__ import annotations

from typing import Any, Literal

from htdl.cli import many
from htdl.cli.app import App, job_path
from htdl.cli.words import JobObject, printable
from htdl.errors import Refused

Stream = dict[str, Any]
Kind = Literal["url", "page_url", "m3u_url"]


def of(app: App, job: JobObject, index: int | None) -> Stream:
    """Of this file, the main one where None."""
    query = "" if index is None else f"?file={index}"
    stream: Stream = app.call("GET", f"{job_path(job['id'])}/stream{query}")
    return stream


def address(stream: Stream, job: JobObject, kind: Kind) -> str:
    """Raises Refused where there is nothing to watch, or no video server."""
    if stream["page_url"] is None:
        raise Refused("the daemon's video server does not run", hint="its log says why")
    url: str | None = stream[kind]
    if url is None:
        raise Refused(
            f"{many.called(job)} cannot be watched: {printable(stream['readiness']['reason'])}",
            hint=many.next_step(job),
        )
    return url
