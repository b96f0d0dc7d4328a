"""What is shown of a video while it is converted: a playlist that grows, and its segments (RFC 8216)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from htdl.api import local, texts
from htdl.errors import NoSuchJob
from htdl.stream.opening import open_regular

if TYPE_CHECKING:
    from htdl.core.service import Service

_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mp4": "video/mp4", ".m4s": "video/iso.segment"}

MOST_BYTES = 64 << 20  # of a part, which is held in memory: some seconds of 4K take 20 MB


class Hls:
    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/hls/{job}/{token}/{index:[0-9]{1,9}}/{name:[a-z0-9.]{1,40}}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        job, name = local.job_id(request, self._service), request.match_info["name"]
        try:
            path = await self._service.shown_part(job, int(request.match_info["index"]), name)
            body = await asyncio.to_thread(read_part, path)
        except NoSuchJob as exc:
            raise local.not_here() from exc
        headers = texts.PROTECTION | {"Content-Type": _TYPES[path.suffix], "Cache-Control": "no-store"}
        return web.Response(body=body, headers=headers)


def read_part(path: Path) -> bytes:
    """A few seconds of film.  Raises NoSuchJob, also for a part that is too large: a source with few key
    frames makes such ones.
    """
    try:
        with open_regular(path.parent, path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise NoSuchJob(f"{path.name} is too large to be shown")
            return file.read(size)
    except OSError as exc:
        raise NoSuchJob(f"{path.name} is not there") from exc
