"""The watch page: its static files, what they ask of the daemon, and the playlist for other players.

The page itself holds nothing of a job: it asks `status` for all it shows.  Who may ask is the local server's
guard to say; that the address holds the job's token is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aiohttp import web

from htdl.api import answers, local, playlist, texts, watched
from htdl.errors import NoSuchJob
from htdl.jobs import JobView

if TYPE_CHECKING:
    from htdl.core.service import Service

MOST_TIMED = 200  # videos of a playlist whose length is told: each may have to be opened and read

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_LIVE = texts.PROTECTION | _POLICY
_STATIC = _LIVE | {"Cache-Control": "no-cache"}  # asked for again each time, and answered by 304
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request, JobView], Awaitable[web.StreamResponse]]


def routes(service: Service) -> list[web.RouteDef]:
    """For the local server, beside those of the videos."""
    static = _static()
    page = static.pop("watch.html")
    pages, job = _Pages(service, page), "/watch/{job}/{token}"
    return [
        web.get(f"{job}/", pages.of_job(pages.show)),
        web.get(f"{job}/status", pages.of_job(pages.status)),
        web.get(f"{job}/job.m3u", pages.of_job(pages.playlist)),
        web.get(job + r"/subtitle/{index:\d{1,9}}/{name}", pages.of_job(pages.subtitle)),
        *(web.get(f"/static/{name}", file.serve) for name, file in static.items()),
    ]


@dataclass(frozen=True, slots=True)
class _Static:
    body: bytes
    kind: str
    etag: str

    async def serve(self, request: web.Request) -> web.Response:
        response = web.Response(headers=_STATIC | {"ETag": f'"{self.etag}"'})
        if any(tag.value in {self.etag, "*"} for tag in request.if_none_match or ()):
            response.set_status(304)
        else:
            response.content_type, response.charset, response.body = self.kind, "utf-8", self.body
        return response


def _static() -> dict[str, _Static]:
    """The page's files by name, read once."""
    found = {}
    for file in (resources.files("htdl") / "data").iterdir():
        kind = _TYPES.get(PurePosixPath(file.name).suffix)
        if kind:
            body = file.read_bytes()
            found[file.name] = _Static(body, kind, hashlib.sha256(body).hexdigest()[:32])
    return found


class _Pages:
    def __init__(self, service: Service, page: _Static) -> None:
        self._service = service
        self._page = page

    def of_job(self, answer: Answer) -> Handler:
        """The same 404 for a wrong token as for a job that is not there."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                view = await self._service.get(local.job_id(request, self._service))
            except NoSuchJob as exc:
                raise local.not_here() from exc
            return await answer(request, view)

        return handle

    async def show(self, request: web.Request, view: JobView) -> web.StreamResponse:
        return await self._page.serve(request)

    async def status(self, request: web.Request, view: JobView) -> web.StreamResponse:
        index = request.query.get("file", "")
        wanted = int(index) if index.isascii() and index.isdecimal() and len(index) < 10 else None
        self._service.streams.visit(view.job.id)
        return answers.json(await watched.status_object(self._service, view, wanted), headers=_LIVE)

    async def playlist(self, request: web.Request, view: JobView) -> web.StreamResponse:
        links, job_id = self._service.links, view.job.id
        videos = watched.listed([file for file in view.files if file.wanted])
        said = await self._service.subtitling.kept(view.job)
        entries = [
            playlist.Entry(
                PurePosixPath(video.path).name,
                links.video(job_id, video) or "",
                await self._service.streams.length(view.job, video) if place < MOST_TIMED else None,
                tuple(one.url for one in links.subtitles(job_id, video, said) if one.url),
            )
            for place, video in enumerate(videos)
        ]
        return web.Response(
            body=playlist.m3u(entries).encode(),
            headers=_LIVE | {"Content-Type": playlist.CONTENT_TYPE},
        )

    async def subtitle(self, request: web.Request, view: JobView) -> web.StreamResponse:
        """One that still arrives is waited for."""
        index, name = int(request.match_info["index"]), request.match_info["name"]
        patience = self._service.config.stream.wait_seconds
        data = await self._service.subtitling.file(view.job, index, name, patience)
        if data is None:
            raise local.not_here()
        return web.Response(body=data, content_type="text/vtt", charset="utf-8", headers=_LIVE)
