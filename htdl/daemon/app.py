"""The daemon's process: the one place that builds the parts.

They start in the order of the source and stop in reverse.  The socket answers before the jobs are loaded, so
that a client never waits for a long list; verbs wait for it inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import secrets
import signal
import socket as sockets
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from htdl import __version__, config, paths
from htdl.api import listener
from htdl.api.server import Controls, Server, VideoServer
from htdl.config import Config
from htdl.core.book import Book, utc_now
from htdl.core.hooks import Hooks
from htdl.core.metrics import Metrics
from htdl.core.runner import Runner
from htdl.core.service import Service
from htdl.core.watch import Watch
from htdl.daemon import background, folders, logs, systemd
from htdl.daemon.configuration import Configuration
from htdl.daemon.lock import Lock
from htdl.daemon.reports import Reports
from htdl.errors import HtdlError
from htdl.events import Bus
from htdl.store import resume as resumes
from htdl.store.db import Database
from htdl.torrent.engine import LibtorrentEngine

log = logging.getLogger("htdl.daemon")

DHT_STATE, STREAM_SECRET = "dht", "stream_secret"
SAVE_SECONDS = 2.5  # of the five that a stop may take


def main(config_path: Path, socket: Path, state_dir: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM, SIGINT or a request to shut down.  Raises HtdlError when it cannot start."""
    config_path, socket, state_dir = config_path.absolute(), socket.absolute(), state_dir.absolute()
    notifier = systemd.Notifier(environ)
    configuration = Configuration(config_path, environ, notifier)
    logs.set_up(configuration.now.log, environ)
    inherited = systemd.listening(environ, os.getpid())
    socket = Path(inherited.getsockname()) if inherited else socket
    os.chdir("/")  # keeps no file system from being unmounted
    _allow_many_files()
    sys.setswitchinterval(0.001)  # else the event loop waits 5 ms for a thread that is busy in Python
    with Lock(paths.lock(state_dir), socket):
        asyncio.run(Daemon(configuration, notifier, socket, state_dir, environ, inherited).run())
    return 0


def _allow_many_files() -> None:
    """A socket a peer and a file a torrent: as many as the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS names a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Threads(ThreadPoolExecutor):
    """For what may block.  `asyncio.run` ends with its shutdown, which waits for no disk that hangs."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class Daemon:
    """It answers at `socket`, on which systemd may listen already: that is `inherited`."""

    def __init__(
        self,
        configuration: Configuration,
        notifier: systemd.Notifier,
        socket: Path,
        state_dir: Path,
        environ: Mapping[str, str],
        inherited: sockets.socket | None,
    ) -> None:
        self._configuration = configuration
        self._notifier = notifier
        self._inherited = inherited
        self._socket = socket
        self._state_dir = state_dir
        self._environ = environ
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(_Threads(thread_name_prefix="htdl"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._configuration.hang_up)
        stop = asyncio.create_task(self._notifier.tell_stop(self._stopping))
        async with AsyncExitStack() as parts:
            await self._start(parts)
            await self._stopping.wait()
        stop.cancel()
        log.info("stopped pid=%d", os.getpid())

    async def _start(self, parts: AsyncExitStack) -> None:
        self._log_settings()
        db = await Database.open(paths.database(self._state_dir), now=utc_now().isoformat(timespec="seconds"))
        parts.push_async_callback(db.close)
        bus = Bus(secrets.token_hex(4))
        parts.callback(bus.close)
        book = Book(db, bus)
        self._engine = LibtorrentEngine(
            self._settings().torrent, session_state=await db.run(resumes.get_session, DHT_STATE)
        )
        self._service = Service(self._settings(), db, book, bus, self._engine, await _stream_secret(db))
        self._runner = Runner(book, self._service, self._engine, boot_id())
        self._service.last_tick_seconds = self._runner.last_tick_seconds
        self._metrics = self._measured(db, book, bus)
        self._watch = Watch(self._service.add, lambda: self._settings().watch)
        self._configuration.listener = self._take_over

        server = self._server()
        await server.start()
        parts.push_async_callback(server.stop)
        self._notifier.ready()
        self._notifier.status("loading the jobs")
        log.info("answering socket=%s pid=%d", self._socket, os.getpid())
        videos = VideoServer(self._service, port=self._settings().stream.port)
        await videos.start()
        parts.push_async_callback(videos.stop)
        log.info("serving videos at=%s", self._service.links.base_url)

        await self._engine.start()
        parts.push_async_callback(self._stop_engine, db)
        hooks = Hooks(db, book, bus, lambda: self._settings().hooks, self._environ)
        background.begin(parts, hooks.run())
        await book.load()
        self._metrics.know(book.living.values())
        log.info("jobs loaded living=%d", len(book.living))
        parts.push_async_callback(self._save_all)
        background.begin(parts, self._runner.run())
        background.begin(parts, self._service.conversions.warm_up())
        background.begin(parts, self._service.cleaner.run())
        background.begin(parts, self._watch.run())
        background.begin(parts, folders.notice(lambda: self._settings().watch.paths, self._watch.look))
        background.begin(parts, self._configuration.watch())
        background.begin(parts, self._configuration.heed_hangups())
        reports = Reports(self._notifier, self._service.health, lambda: book.living.values())
        background.begin(parts, reports.tell_status())
        background.begin(parts, reports.feed_watchdog(self._environ))
        self._started.set()

    def _server(self) -> Server:
        """On the socket that systemd made, else on one of our own."""
        group = listener.group_id(self._settings().daemon.socket_group)
        if self._inherited:
            if group is not None and group != listener.group_of(self._inherited):
                log.warning("daemon.socket_group is not in effect: run htdl service install --system again")
            return Server(self._service, control=self._controls(), inherited=self._inherited)
        return Server(self._service, control=self._controls(), socket=self._socket, group=group)

    def _measured(self, db: Database, book: Book, bus: Bus) -> Metrics:
        """What is counted, once each part tells of it."""
        service = self._service
        metrics = Metrics(db, book, bus, self._settings, service.health, service.network)
        bus.observer = metrics.on_event
        db.observer = metrics.on_operation
        self._runner.observer = metrics.on_turn
        service.conversions.shop.observer = metrics.on_conversion
        return metrics

    async def _save_all(self) -> None:
        try:
            await asyncio.wait_for(self._runner.stop(), SAVE_SECONDS)
        except (TimeoutError, HtdlError) as exc:  # what was saved before stands, at most some seconds old
            log.warning("not all progress could be saved: %s", exc or "the disk is slow")

    async def _stop_engine(self, db: Database) -> None:
        state = await self._engine.stop()
        try:
            await db.run(resumes.put_session, DHT_STATE, state)
        except HtdlError as exc:  # a full disk, say; it is found again
            log.warning("the dht's state could not be saved: %s", exc)

    def _log_settings(self) -> None:
        torrent, stream = self._settings().torrent, self._settings().stream
        log.info(
            "starting version=%s config=%s download_path=%s ports=%d-%d max_connections=%d dht=%s"
            " buffer_threshold=%g%%",
            __version__,
            self._configuration.path,
            torrent.download_path,
            torrent.port_range_start,
            torrent.port_range_end,
            torrent.max_connections,
            torrent.dht_enabled,
            stream.buffer_threshold_percent,
        )

    def _stop(self, why: str) -> None:
        log.info("stopping why=%s", why)
        self._stopping.set()

    # --- configuration ---

    def _settings(self) -> Config:
        """Those that hold now."""
        return self._configuration.now

    def _controls(self) -> Controls:
        return Controls(
            reload=self._reload,
            shutdown=lambda: self._stop("asked to"),
            config=lambda: config.flat(self._settings()),
            origins=self._configuration.shown,
            log_level=logs.level,
            set_log_level=self._set_log_level,
            metrics=self._metrics.text,
        )

    def _set_log_level(self, level: str) -> None:
        logs.set_level(level)
        log.log(logging.getLogger().level, "log level=%s", level)

    async def _reload(self) -> dict[str, Any]:
        await self._started.wait()  # the socket answers before the parts stand that take it over
        return await self._configuration.reload()

    def _take_over(self, new: Config) -> None:
        self._service.config = new
        self._engine.apply(new.torrent)
        self._service.shelf.listener()
        self._watch.look()


async def _stream_secret(db: Database) -> bytes:
    """What the tokens of video URLs are made from: kept, so that a player's URL outlives a restart."""
    if secret := await db.run(resumes.get_session, STREAM_SECRET):
        return secret
    secret = secrets.token_bytes(32)
    await db.run(resumes.put_session, STREAM_SECRET, secret)
    return secret


def boot_id() -> str:
    """Names this boot of the machine, proc_sys_kernel(5); where there is none, every start is a new boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process {os.getpid()} {utc_now().isoformat()}"
