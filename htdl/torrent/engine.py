"""The torrent engine: one libtorrent session, many torrents, nothing that blocks the event loop.

How it stays safe, in short (each point was measured, or kills the process when it is forgotten):

- No getter that waits for libtorrent's thread is called on the event loop; numbers come by alerts.
- Indices from outside are checked here: some calls end the process for one that is out of range.
- A torrent is said to be finished only behind a flush: a finished piece may not be on disk yet.
- Flags are changed one by one: a torrent added without `apply_ip_filter` would slip past the filter.
- A torrent on its way out is not touched: its handle may be invalid from one moment to the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from htdl.config import Torrent as TorrentConfig
from htdl.errors import HtdlError, Refused
from htdl.torrent import fetch, inspection, network, order, resume, settings, sources
from htdl.torrent._lt import lt
from htdl.torrent.alerts import Alerts
from htdl.torrent.api import GotMetadata, Listener, Metadata, Network, Source, Status, TorrentEvent
from htdl.torrent.held import SAVE, SAVE_CHANGED, Addition, Held, Torrents, identity
from htdl.torrent.pieces import Pieces
from htdl.torrent.session import Session

if TYPE_CHECKING:
    import libtorrent

log = logging.getLogger(__name__)
T = TypeVar("T")

UPDATE_SECONDS = 1.0
ANSWER_SECONDS = 10.0  # libtorrent answers in milliseconds, but for a disk that hangs
SEEK_AFTER_UPDATES, SEEK_EVERY_UPDATES = (3, 10, 30), 60
UTP_AFTER_UPDATES = 15  # of candidates, and no peer over TCP


class LibtorrentEngine:
    """`torrent.api.Engine` on libtorrent 2.1.  Create it, set `listener`, `start`, and `stop` it last."""

    def __init__(self, config: TorrentConfig, *, session_state: bytes | None = None) -> None:
        self.listener: Listener = lambda event: None
        self._config = config
        self._torrents = Torrents()
        self._alerts = Alerts(
            self._torrents, tell=self._tell, begin=self._begin, ask=self._ask, reject=self._reject
        )
        self._session = Session(config, session_state, self._alerts.handle)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._has_utp = False

    # --- life ---

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._session.open()
        self._updates = self._loop.call_later(UPDATE_SECONDS, self._update)
        self._looks = self._loop.call_later(order.LOOK_SECONDS, self._look)

    async def stop(self) -> bytes:
        """End the session within about a second; trackers are told `stopped`.  Returns the DHT's state."""
        self._updates.cancel()
        self._looks.cancel()
        for task in self._tasks:
            task.cancel()
        self._torrents.clear()
        return await self._session.close()

    def apply(self, config: TorrentConfig) -> None:
        """Take over a changed configuration."""
        self._config = config
        self._has_utp = False
        self._session.apply(config)

    # --- torrents ---

    async def inspect(self, source: str | bytes) -> Source:
        allow_lan = self._config.allow_lan
        if isinstance(source, str) and sources.is_url(source):
            source = await fetch.fetch(source, allow_lan=allow_lan)
        return await asyncio.to_thread(sources.parse, source, allow_lan=allow_lan)

    async def add(
        self,
        key: str,
        resume: bytes,
        save_path: Path,
        *,
        wanted: Sequence[int] | None,
        max_download_speed: int = -1,
        max_upload_speed: int = -1,
        recheck: bool = False,
    ) -> None:
        if self._torrents.get(key):
            raise ValueError(f"there is a torrent {key} already")
        params, metadata = await asyncio.to_thread(self._prepare, resume, save_path, wanted, recheck)
        params.download_limit = settings.rate(max_download_speed)
        params.upload_limit = settings.rate(max_upload_speed)
        torrent = await self._accepted(key, params, metadata)
        if metadata and wanted is not None:
            torrent.want(wanted)
            torrent.apply_selection()
        elif metadata:
            self._tell(GotMetadata(key, metadata))
        self._ask()

    def _prepare(
        self, blob: bytes, save_path: Path, wanted: Sequence[int] | None, recheck: bool
    ) -> tuple[libtorrent.add_torrent_params, Metadata | None]:
        """Off the event loop: reading the data and looking at the files may take a while."""
        params = resume.load(blob)
        params.save_path = str(save_path)
        params.piece_priorities = []  # saved before a selection they say "nothing", and outweigh the files'
        if recheck or not resume.is_plausible(params, save_path):
            resume.distrust(params)
        flags = lt.torrent_flags
        params.flags &= ~(flags.auto_managed | flags.paused | flags.seed_mode | flags.upload_mode)
        params.flags &= ~(flags.share_mode | flags.default_dont_download)
        params.flags |= flags.update_subscribe | flags.apply_ip_filter | flags.duplicate_is_error
        params.flags |= flags.sequential_download
        if wanted is None:
            # share_mode until the selection is applied: a torrent that wants nothing tells its peers that it
            # only uploads; every seed hangs up then, not to be tried again for a while
            params.flags |= flags.default_dont_download | flags.share_mode
        if not self._config.pex_enabled:
            params.flags |= flags.disable_pex
        if params.ti is None:
            return params, None
        params.file_priorities = order.file_priorities(params.ti.layout().num_files(), wanted or ())
        return params, inspection.judge(params.ti, params.renamed_files)

    async def _accepted(
        self, key: str, params: libtorrent.add_torrent_params, metadata: Metadata | None
    ) -> Held:
        future: asyncio.Future[Held] = self._loop.create_future()
        additions, hashes = self._torrents.additions, identity(params.info_hashes)
        if hashes in additions:
            raise Refused("this torrent is being added already")
        additions[hashes] = Addition(key, metadata, tuple(params.peers), future)
        try:
            self._session.lt.async_add_torrent(params)
            async with asyncio.timeout(ANSWER_SECONDS):  # wait_for of Python 3.11 may swallow a cancel
                return await future
        except TimeoutError as exc:
            raise HtdlError("the torrent engine does not answer", hint="restart the daemon") from exc
        finally:
            del additions[hashes]

    async def remove(self, key: str) -> bytes | None:
        torrent = self._torrents.get(key)
        if torrent is None:
            return None
        if torrent.removal is None:
            torrent.removal = self._begin(self._let_go(torrent))
            if torrent.course:
                torrent.course.end()
        return await asyncio.shield(torrent.removal)  # once begun, it is not left half done

    async def _let_go(self, torrent: Held) -> bytes | None:
        data = await self._answer(torrent.save(SAVE), torrent.key)
        self._session.lt.remove_torrent(torrent.handle)
        await self._answer(self._begin(torrent.gone.wait()), torrent.key)
        self._torrents.drop(torrent)
        if torrent.rival and self._torrents.standing(torrent.rival.key) is torrent.rival:
            _hand_on(torrent, torrent.rival)
        return data

    def select(self, key: str, wanted: Sequence[int]) -> None:
        if torrent := self._torrents.standing(key):
            torrent.select(wanted)

    def set_limits(self, key: str, *, max_download_speed: int, max_upload_speed: int) -> None:
        if torrent := self._torrents.standing(key):
            torrent.handle.set_download_limit(settings.rate(max_download_speed))
            torrent.handle.set_upload_limit(settings.rate(max_upload_speed))

    def limit(self, *, max_download_speed: int, max_upload_speed: int) -> None:
        self._session.limit(settings.session_limits(max_download_speed, max_upload_speed))

    def reannounce(self, key: str) -> None:
        if torrent := self._torrents.standing(key):
            torrent.handle.force_reannounce()
            torrent.handle.force_dht_announce()

    def status(self, key: str) -> Status | None:
        torrent = self._torrents.get(key)
        return torrent.status if torrent else None

    def metadata(self, key: str) -> Metadata | None:
        torrent = self._torrents.get(key)
        return torrent.metadata if torrent else None

    def pieces(self, key: str) -> Pieces | None:
        torrent = self._torrents.get(key)
        return torrent.course.pieces if torrent and torrent.course else None

    def want(self, key: str, pieces: Sequence[int]) -> None:
        torrent = self._torrents.standing(key)
        if torrent and torrent.course:
            torrent.course.ask(pieces)
        self._session.watch(any(torrent.is_watched for torrent in self._torrents))

    def trouble(self) -> str | None:
        return self._alerts.listen_trouble

    async def network(self) -> Network:
        if not self._session.is_open:
            raise HtdlError("the torrent engine does not run", hint="the daemon starts or stops just now")
        counted: asyncio.Future[dict[str, int]] = self._loop.create_future()
        self._alerts.counted.append(counted)
        self._session.lt.post_session_stats()
        port = await asyncio.to_thread(self._session.lt.listen_port)
        answers = [answer for torrent in self._torrents for answer in torrent.tracker_answers.items()]
        counters = await self._answer(counted)
        return replace(
            network.of(counters or {}, port, list(self._alerts.listening), answers),
            alerts=self._session.alerts,
            alerts_dropped=self._alerts.dropped,
            alert_seconds=self._session.alert_seconds,
        )

    def held(self) -> set[str]:
        return self._torrents.keys()

    async def file_progress(self, key: str) -> dict[int, int]:
        torrent = self._torrents.standing(key)
        if torrent is None or torrent.metadata is None:
            return {}
        # post_file_progress would be the way, but the binding of 2.1.1 cannot read its alert
        done = await asyncio.to_thread(_file_progress, torrent.handle)
        return dict(enumerate(done))

    async def save(self, keys: Sequence[str]) -> dict[str, bytes]:
        torrents = [torrent for key in keys if (torrent := self._torrents.standing(key))]
        blobs = await asyncio.gather(
            *(self._answer(torrent.save(SAVE_CHANGED), torrent.key) for torrent in torrents)
        )
        return {torrent.key: blob for torrent, blob in zip(torrents, blobs, strict=True) if blob}

    async def _answer(self, future: asyncio.Future[T], key: str = "none") -> T | None:
        """What libtorrent answers of this torrent, or None when it does not."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):  # wait_for of Python 3.11 may swallow a cancel
                return await future
        except TimeoutError:
            log.warning("libtorrent did not answer within %d s job=%s", ANSWER_SECONDS, key)
            return None

    # --- the clock, and what alerts ask for ---

    def _update(self) -> None:
        self._updates = self._loop.call_later(UPDATE_SECONDS, self._update)
        self._ask()
        unfinished = self._unfinished()
        self._choose_protocol(unfinished)
        self._seek(unfinished)

    def _look(self) -> None:
        self._looks = self._loop.call_later(order.LOOK_SECONDS, self._look)
        for torrent in self._unfinished():
            torrent.look()

    def _unfinished(self) -> list[Held]:
        """Of thousands nearly all only seed."""
        return [torrent for torrent in self._torrents if torrent.is_flushing or not torrent.is_finishing]

    def _choose_protocol(self, torrents: list[Held]) -> None:
        """Outgoing uTP is a setting of the whole session: on while a torrent finds nobody over TCP."""
        for torrent in torrents:
            torrent.lonely_updates = torrent.lonely_updates + 1 if torrent.is_lonely else 0
        is_wanted = any(torrent.lonely_updates >= UTP_AFTER_UPDATES for torrent in torrents)
        if is_wanted and not self._has_utp:
            self._has_utp = True
            self._session.lt.apply_settings({"enable_outgoing_utp": True})
            log.info("no peer answers over tcp: trying utp too")

    def _seek(self, torrents: list[Held]) -> None:
        """Ask the DHT again for a torrent that nobody knows.  libtorrent asks when it is added, which may be
        before the DHT knows anyone itself, and then not for a quarter of an hour.
        """
        for torrent in torrents:
            torrent.unknown_updates = torrent.unknown_updates + 1 if torrent.is_unknown else 0
            updates = torrent.unknown_updates
            is_due = updates in SEEK_AFTER_UPDATES or updates % SEEK_EVERY_UPDATES == 0
            if updates and is_due and not torrent.removal:
                torrent.handle.force_dht_announce()

    def _ask(self) -> None:
        self._session.lt.post_torrent_updates(0)

    def _reject(self, handle: libtorrent.torrent_handle) -> None:
        self._session.lt.remove_torrent(handle)

    def _tell(self, event: TorrentEvent) -> None:
        self._loop.call_soon(self.listener, event)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)
        return task


def _hand_on(torrent: Held, rival: Held) -> None:
    """What a torrent had found is its rival's now."""
    rival.handle.clear_error()
    rival.handle.resume()
    if rival.metadata is None:
        rival.handle.set_metadata(torrent.rival_info)
    for peer in torrent.peers:
        rival.handle.connect_peer(peer)


def _file_progress(handle: libtorrent.torrent_handle) -> list[int]:
    try:
        return handle.file_progress(lt.torrent_handle.piece_granularity)
    except RuntimeError:  # it was removed meanwhile
        return []
