"""The verbs, as routes.  Each asks the service and shows what it says; nothing is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web

from htdl import wire
from htdl.answers import LimitRequest
from htdl.api import answers, bodies
from htdl.api.connection import until_gone
from htdl.errors import BadRequest
from htdl.jobs import AddRequest, FileRequest, JobPatch, JobQuery, JobView, Narrow, Sort, State, Wanted

if TYPE_CHECKING:
    from htdl.core.service import Service

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_NAME = 200  # characters of a name to look for

_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the daemon lets clients do to itself.

    `reload` reads the configuration again: {"changed": [keys], "needs_restart": [keys]}, or BadConfig.
    `shutdown` only asks for the end and returns at once.  `config` is the effective configuration, flat,
    `origins` where it comes from: {"file": path, "values": {key: {"value", "source", "line", "variable"}}}.
    `set_log_level` holds until the daemon ends, or the configuration names another.  `metrics` is Prometheus'
    text, format 0.0.4.
    """

    reload: Callable[[], Awaitable[dict[str, Any]]]
    shutdown: Callable[[], None]
    config: Callable[[], dict[str, Any]]
    origins: Callable[[], dict[str, Any]]
    log_level: Callable[[], str]
    set_log_level: Callable[[str], None]
    metrics: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    delete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLevelRequest:
    level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreloadRequest:
    """`file` is an index; None is the main one."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=10**6)] = 0.0
    file: int | None = None


class Control:
    """`seconds` is how long a request's body may take to arrive."""

    def __init__(self, service: Service, controls: Controls, seconds: float) -> None:
        self._service = service
        self._controls = controls
        self._bodies = bodies.Reader(seconds)

    def routes(self) -> list[web.RouteDef]:
        service, jobs, videos = self._service, f"{wire.API}/jobs", f"{wire.API}/videos/{{video_id}}"
        return [
            web.post(jobs, self._add),
            web.get(jobs, self._list),
            web.get(f"{jobs}/{{id}}", self._verb(service.get)),
            web.get(f"{jobs}/{{id}}/stream", self._stream),
            web.post(f"{jobs}/{{id}}/preload", self._preload),
            web.patch(f"{jobs}/{{id}}", self._update),
            web.delete(f"{jobs}/{{id}}", self._remove),
            web.post(f"{jobs}/{{id}}/cancel", self._cancel),
            web.post(f"{jobs}/{{id}}/pause", self._verb(service.pause)),
            web.post(f"{jobs}/{{id}}/resume", self._verb(service.resume)),
            web.post(f"{jobs}/{{id}}/retry", self._verb(service.retry)),
            web.post(f"{jobs}/{{id}}/pin", self._verb(service.pin)),
            web.post(f"{jobs}/{{id}}/unpin", self._verb(service.unpin)),
            web.post(f"{jobs}/{{id}}/convert", self._convert),
            web.get(f"{jobs}/{{id}}/plan", self._plan),
            web.post(f"{wire.API}/conversions", self._convert_file),
            web.post(f"{wire.API}/plans", self._plan_file),
            web.get(f"{videos}/stream/status", self._video_status),
            web.post(f"{videos}/download/cancel", self._video_cancel),
            web.get(f"{wire.API}/limit", self._limits),
            web.post(f"{wire.API}/limit", self._limit),
            web.get(f"{wire.API}/stats", self._stats),
            web.get(f"{wire.API}/doctor", self._doctor),
            web.get(f"{wire.API}/config", self._config),
            web.get(f"{wire.API}/config/origins", self._origins),
            web.post(f"{wire.API}/reload", self._reload),
            web.get(f"{wire.API}/log-level", self._log_level),
            web.post(f"{wire.API}/log-level", self._set_log_level),
            web.post(f"{wire.API}/shutdown", self._shutdown),
            web.get(f"{wire.API}/health", self._health),
            web.get("/health", self._health),
            web.get("/metrics", self._metrics),
        ]

    async def _add(self, request: web.Request) -> web.Response:
        return _added(*await self._service.add(await self._body(request, AddRequest)))

    async def _list(self, request: web.Request) -> web.Response:
        wanted = _job_query(
            bodies.query(request, "status", "limit", "ids", "name", "ready", "sort", "reverse")
        )
        views, total = await self._service.jobs(wanted)
        return answers.json(await answers.job_array(views), headers={wire.TOTAL_HEADER: str(total)})

    def _verb(self, verb: Callable[[str], Awaitable[JobView]]) -> Handler:
        """A verb that takes a job's id and nothing else."""

        async def handle(request: web.Request) -> web.Response:
            return _job(await verb(request.match_info["id"]))

        return handle

    async def _update(self, request: web.Request) -> web.Response:
        patch = await self._body(request, JobPatch)
        return _job(await self._service.update(request.match_info["id"], patch))

    async def _cancel(self, request: web.Request) -> web.Response:
        asked = await self._body(request, CancelRequest)
        return _job(await self._service.cancel(request.match_info["id"], delete=asked.delete))

    async def _convert(self, request: web.Request) -> web.Response:
        wanted = await self._body(request, Wanted)
        return _job(await self._service.convert(request.match_info["id"], wanted))

    async def _convert_file(self, request: web.Request) -> web.Response:
        return _added(*await self._service.convert_file(await self._body(request, FileRequest)))

    async def _plan(self, request: web.Request) -> web.Response:
        """?file=N&format=webm&codec=av1&audio=eng,deu"""
        given = bodies.query(request, "file", "format", "codec", "audio")
        audio = tuple(x for x in given.get("audio", "").split(",") if x)
        wanted = Wanted(format=given.get("format", ""), codec=given.get("codec", ""), audio=audio)
        index = _number("file", given.get("file"))
        return answers.json(await self._service.converting.plan(request.match_info["id"], index, wanted))

    async def _plan_file(self, request: web.Request) -> web.Response:
        return answers.json(await self._service.converting.plan_file(await self._body(request, FileRequest)))

    async def _remove(self, request: web.Request) -> web.Response:
        delete = _boolean("delete", bodies.query(request, "delete").get("delete", "0"))
        return _job(await self._service.remove(request.match_info["id"], delete=delete))

    async def _stream(self, request: web.Request) -> web.Response:
        index = _number("file", bodies.query(request, "file").get("file"))
        return answers.json(await self._service.stream(request.match_info["id"], index))

    async def _preload(self, request: web.Request) -> web.Response:
        asked = await self._body(request, PreloadRequest)
        job = request.match_info["id"]
        preload = asyncio.create_task(self._service.streams.preload(job, asked.file, asked.seconds))
        await until_gone(request, preload)  # a job goes first for as long as somebody waits for it
        if preload.cancelled():
            raise ConnectionResetError("the client has hung up")
        return answers.json(preload.result())

    async def _video_status(self, request: web.Request) -> web.Response:
        view = await self._service.by_video(request.match_info["video_id"])
        return answers.json(
            {
                "ready": view.readiness.ready,
                "progress": view.job.progress,
                "downloadSpeed": view.job.download_speed,
                "eta": view.job.eta_seconds,
                "filePath": view.job.file_path,
            }
        )

    async def _video_cancel(self, request: web.Request) -> web.Response:
        view = await self._service.by_video(request.match_info["video_id"])
        if not view.job.has_ended:  # a video application may cancel once too often
            await self._service.cancel(view.job.id)
        return answers.json({})

    async def _limits(self, request: web.Request) -> web.Response:
        return answers.json(await self._service.limits())

    async def _limit(self, request: web.Request) -> web.Response:
        return answers.json(await self._service.limit(await self._body(request, LimitRequest)))

    async def _stats(self, request: web.Request) -> web.Response:
        return answers.json(await self._service.stats())

    async def _doctor(self, request: web.Request) -> web.Response:
        return answers.json(await self._service.doctor())

    async def _health(self, request: web.Request) -> web.Response:
        health = await self._service.health()
        return answers.json(health, status=200 if health.ok else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        text = await self._controls.metrics()
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _config(self, request: web.Request) -> web.Response:
        return answers.json(self._controls.config())

    async def _origins(self, request: web.Request) -> web.Response:
        return answers.json(self._controls.origins())

    async def _reload(self, request: web.Request) -> web.Response:
        return answers.json(await self._controls.reload())

    async def _log_level(self, request: web.Request) -> web.Response:
        return answers.json({"level": self._controls.log_level()})

    async def _set_log_level(self, request: web.Request) -> web.Response:
        self._controls.set_log_level((await self._body(request, LogLevelRequest)).level)
        return await self._log_level(request)

    async def _shutdown(self, request: web.Request) -> web.Response:
        self._controls.shutdown()
        return answers.json({}, status=202)

    async def _body(self, request: web.Request, kind: type[T]) -> T:
        return await self._bodies.read(request, kind)


def _added(view: JobView, is_new: bool) -> web.Response:
    if is_new:
        return _job(view, status=201)
    return _job(view, headers={wire.EXISTING_HEADER: "true"})


def _job(view: JobView, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return answers.json(wire.job_object(view), status=status, headers=headers)


def _job_query(given: dict[str, str]) -> JobQuery:
    """?status=PENDING,PAUSED&limit=10&name=S01*&ready=1&sort=speed&reverse=1&ids=…,…"""
    words = [x.upper() for x in given.get("status", "").split(",") if x]
    bodies.reject_unknown(words, [*State, *Narrow], "status")
    sort = given.get("sort", "")
    bodies.reject_unknown([sort] if sort else [], list(Sort), "sort")
    name = given.get("name", "")
    if len(name) > MAX_NAME:
        raise BadRequest(f"the name to look for is longer than {MAX_NAME} characters")
    return JobQuery(
        status=tuple(State(x) if x in list(State) else Narrow(x) for x in words),
        limit=_number("limit", given.get("limit")),
        ids=tuple(x for x in given.get("ids", "").split(",") if x),
        name=name.encode("utf-8", "replace").decode(),  # bytes that are not UTF-8 are in no name
        ready=_boolean("ready", given.get("ready", "0")),
        sort=Sort(sort) if sort else None,
        reverse=_boolean("reverse", given.get("reverse", "0")),
    )


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"{name}={text[:100]!r} is not a number")
    return int(text)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise BadRequest(f"{name}={text[:100]!r} is neither 1 nor 0")
    return _BOOLEANS[text.lower()]
