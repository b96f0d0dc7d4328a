"""The torrent engine: one libtorrent session, many torrents, nothing that blocks the event loop.

How it stays safe, in short (each point was measured, or kills the process when it is forgotten):

- libtorrent wakes us through a socket; alerts are read in one batch, and nothing of an alert is kept.
- No getter that waits for libtorrent's thread is called; numbers come by post_* and alerts.
- Indices from outside are checked here: some calls end the process for one that is out of range.
- A torrent is said to be finished only behind a flush: a finished piece may not be on disk yet.
- Flags are changed one by one: a torrent added without `apply_ip_filter` would slip past the filter.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from htdl.config import Torrent as TorrentConfig
from htdl.errors import BadSource, HtdlError, Refused
from htdl.torrent import fetch, inspection, order, resume, settings, sources
from htdl.torrent._lt import lt
from htdl.torrent.addresses import BLOCKED
from htdl.torrent.api import (
    Failed,
    Finished,
    GotMetadata,
    Listener,
    Metadata,
    NoRoom,
    Phase,
    Source,
    Status,
    TorrentEvent,
)
from htdl.torrent.status import is_whole, status_of

if TYPE_CHECKING:
    import libtorrent

log = logging.getLogger(__name__)
T = TypeVar("T")

UPDATE_SECONDS = 1.0
ANSWER_SECONDS = 10.0  # libtorrent answers in milliseconds, but for a disk that hangs
UTP_AFTER_UPDATES = 15  # of candidates, and no peer over TCP

_Handler = Callable[["LibtorrentEngine", Any], None]
_DUPLICATE = ("libtorrent", 19)  # error_code.hpp: duplicate_torrent
_SAVE = lt.torrent_handle.flush_disk_cache | lt.torrent_handle.save_info_dict
_SAVE_CHANGED = _SAVE | lt.torrent_handle.only_if_modified


@dataclass(slots=True, eq=False)
class _Torrent:
    key: str
    handle: libtorrent.torrent_handle
    metadata: Metadata | None = None
    wanted: frozenset[int] | None = None  # None: not selected yet
    peers: tuple[tuple[str, int], ...] = ()  # that it came with
    wanted_bytes: int = 0
    main: tuple[int, int] | None = None  # first and last piece of the main file
    due: set[int] = field(default_factory=set)  # pieces that were given a deadline
    done_bytes: int = 0  # at the last look
    is_selected: bool = False  # libtorrent has applied `wanted`
    is_finishing: bool = False  # behind the flush barrier, or through it
    is_flushing: bool = False  # behind it still
    status: Status | None = None
    tracker_errors: dict[str, str] = field(default_factory=dict)
    lonely_updates: int = 0
    saves: list[asyncio.Future[bytes | None]] = field(default_factory=list)
    removal: asyncio.Future[None] | None = None
    rival: _Torrent | None = None  # the same torrent, which waits until this one is gone
    rival_info: bytes = b""

    @property
    def empty(self) -> frozenset[int]:
        """The files without a byte.  libtorrent 2.1 stops a torrent ("file too short") when such a file is
        wanted after it was not, and there is a part file.
        """
        files = self.metadata.files if self.metadata else ()
        return frozenset(file.index for file in files if not file.size)

    @property
    def tracker_error(self) -> str | None:
        return next(iter(self.tracker_errors.values()), None)

    def tell_tracker_error(self) -> None:
        """A torrent that stands still gets no new numbers, and its trackers may be why."""
        if self.status:
            self.status = replace(self.status, tracker_error=self.tracker_error)

    def want(self, indices: Sequence[int]) -> frozenset[int]:
        """Note what is selected of the files there are."""
        files = self.metadata.files if self.metadata else ()
        self.wanted = frozenset(indices) & {file.index for file in files}
        self.wanted_bytes = sum(file.size for file in files if file.index in self.wanted)
        return self.wanted


@dataclass(slots=True, eq=False)
class _Addition:
    """A torrent that libtorrent has been asked to take."""

    key: str
    metadata: Metadata | None
    peers: tuple[tuple[str, int], ...]
    accepted: asyncio.Future[_Torrent]


class LibtorrentEngine:
    """`torrent.api.Engine` on libtorrent 2.1.  Create it, set `listener`, `start`, and `stop` it last."""

    def __init__(self, config: TorrentConfig, *, session_state: bytes | None = None) -> None:
        self.listener: Listener = lambda event: None
        self._config = config
        self._session_state = session_state
        self._torrents: dict[str, _Torrent] = {}
        self._by_handle: dict[libtorrent.torrent_handle, _Torrent] = {}
        self._adding: dict[tuple[str, str], _Addition] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_utp = False
        self.listening: set[str] = set()  # "tcp 127.0.0.1:6881"
        self.listen_errors: dict[str, str] = {}

    # --- life ---

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._session = await asyncio.to_thread(self._open_session)
        self._loop.add_reader(self._wake.fileno(), self._on_wake)
        self._session.set_alert_fd(self._waker.fileno())
        self._updates = self._loop.call_later(UPDATE_SECONDS, self._update)
        self._looks = self._loop.call_later(order.LOOK_SECONDS, self._look)

    def _open_session(self) -> libtorrent.session:
        params = lt.session_params()
        if self._session_state:
            try:
                params = lt.read_session_params(self._session_state)
            except RuntimeError as exc:
                log.warning("dht state is damaged, starting without: %s", exc)
        params.settings = {**params.settings, **settings.session_settings(self._config)}
        session = lt.session(params)
        self._filter(session)
        return session

    def _filter(self, session: libtorrent.session) -> None:
        blocked = lt.ip_filter()
        if not self._config.allow_lan:
            for network in BLOCKED:
                blocked.add_rule(str(network[0]), str(network[-1]), 1)
        session.set_ip_filter(blocked)
        # libtorrent spares peers of the local network every rate limit; a limit here means all of them
        everyone = lt.ip_filter()
        for first, last in (("0.0.0.0", "255.255.255.255"), ("::", "ffff:" * 7 + "ffff")):  # noqa: S104 - a range, not a bind
            everyone.add_rule(first, last, 1 << lt.session.global_peer_class_id)
        session.set_peer_class_filter(everyone)

    async def stop(self) -> bytes:
        """End the session within about a second; trackers are told `stopped`.  Returns the DHT's state."""
        self._updates.cancel()
        self._looks.cancel()
        for task in self._tasks:
            task.cancel()
        state = await asyncio.to_thread(lambda: lt.write_session_params_buf(self._session.session_state()))
        self._session.set_alert_fd(-1)
        self._loop.remove_reader(self._wake.fileno())
        self._torrents.clear()
        self._by_handle.clear()
        await asyncio.to_thread(self._close_session)
        self._wake.close()
        self._waker.close()
        return state

    def _close_session(self) -> None:
        del self._session

    def apply(self, config: TorrentConfig) -> None:
        """Take over a changed configuration; a change of port listens anew."""
        self._config = config
        self._has_utp = False
        self._session.apply_settings(settings.session_settings(config))
        self._filter(self._session)

    # --- torrents ---

    async def inspect(self, source: str | bytes) -> Source:
        allow_lan = self._config.allow_lan
        if isinstance(source, str) and sources.is_url(source):
            source = await fetch.fetch(source, allow_lan=allow_lan)
        return sources.parse(source, allow_lan=allow_lan)

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
        if key in self._torrents:
            raise ValueError(f"there is a torrent {key} already")
        params = await asyncio.to_thread(self._params, resume, save_path, wanted, recheck)
        params.download_limit = settings.rate(max_download_speed)
        params.upload_limit = settings.rate(max_upload_speed)
        metadata = self._judge(params.ti, params.renamed_files) if params.ti else None
        torrent = await self._accepted(key, params, metadata)
        if metadata and wanted is not None:
            torrent.want(wanted)
            self._apply_selection(torrent)
        elif metadata:
            self._tell(GotMetadata(key, metadata))
        self._session.post_torrent_updates(0)

    def _params(
        self, blob: bytes, save_path: Path, wanted: Sequence[int] | None, recheck: bool
    ) -> libtorrent.add_torrent_params:
        """Off the event loop: reading the data and looking at the files may take a while."""
        params = resume.load(blob)
        params.save_path = str(save_path)
        params.piece_priorities = []  # saved before a selection they say "nothing", and outweigh the files'
        if params.ti and wanted is not None:
            params.file_priorities = order.file_priorities(params.ti.layout().num_files(), wanted)
        if recheck or not resume.is_plausible(params, save_path):
            resume.distrust(params)
        flags = lt.torrent_flags
        params.flags &= ~(flags.auto_managed | flags.paused | flags.seed_mode | flags.upload_mode)
        params.flags &= ~(flags.share_mode | flags.default_dont_download)
        params.flags |= flags.update_subscribe | flags.apply_ip_filter | flags.duplicate_is_error
        params.flags |= flags.sequential_download
        if wanted is None:
            # share_mode until `select`: a torrent that wants nothing tells its peers that it only uploads;
            # every seed hangs up then, not to be tried again for a while
            params.flags |= flags.default_dont_download | flags.share_mode
            if params.ti:
                params.file_priorities = order.file_priorities(params.ti.layout().num_files(), ())
        if not self._config.pex_enabled:
            params.flags |= flags.disable_pex
        return params

    async def _accepted(
        self, key: str, params: libtorrent.add_torrent_params, metadata: Metadata | None
    ) -> _Torrent:
        future: asyncio.Future[_Torrent] = self._loop.create_future()
        identity = _identity(params.info_hashes)
        if identity in self._adding:
            raise Refused("this torrent is being added already")
        self._adding[identity] = _Addition(key, metadata, tuple(params.peers), future)
        try:
            self._session.async_add_torrent(params)
            async with asyncio.timeout(ANSWER_SECONDS):  # wait_for of Python 3.11 may swallow a cancel
                return await future
        except TimeoutError as exc:
            raise HtdlError("the torrent engine does not answer", hint="restart the daemon") from exc
        finally:
            del self._adding[identity]

    async def remove(self, key: str) -> bytes | None:
        torrent = self._torrents.get(key)
        if torrent is None:
            return None
        if torrent.removal:
            await asyncio.shield(torrent.removal)
            return None
        torrent.removal = self._loop.create_future()
        data = await self._save(torrent, _SAVE)
        self._session.remove_torrent(torrent.handle)
        await self._answer(torrent.removal, None)
        self._forget(torrent)
        if torrent.rival and torrent.rival.key in self._torrents:
            self._hand_on(torrent, torrent.rival)
        return data

    def _hand_on(self, torrent: _Torrent, rival: _Torrent) -> None:
        """What it had found is its rival's now."""
        rival.handle.clear_error()
        rival.handle.resume()
        if rival.metadata is None:
            rival.handle.set_metadata(torrent.rival_info)
        for peer in torrent.peers:
            rival.handle.connect_peer(peer)

    def select(self, key: str, wanted: Sequence[int]) -> None:
        torrent = self._torrents.get(key)
        if torrent is None or torrent.metadata is None:
            return
        before = torrent.wanted
        chosen = torrent.want(wanted)
        torrent.is_selected = torrent.is_finishing = torrent.is_flushing = False
        num_files = self._num_files(torrent)
        torrent.handle.unset_flags(lt.torrent_flags.share_mode)
        torrent.handle.clear_piece_deadlines()
        torrent.due.clear()
        fetched = chosen if before is None else chosen - (torrent.empty - before)
        torrent.handle.prioritize_files(order.file_priorities(num_files, fetched))

    def _num_files(self, torrent: _Torrent) -> int:
        info = torrent.handle.torrent_file()
        return info.layout().num_files() if info else 0

    def _apply_selection(self, torrent: _Torrent) -> None:
        """Once libtorrent has the files' priorities: the ends of the main file first, then in order."""
        torrent.is_selected = True
        metadata, wanted = torrent.metadata, torrent.wanted
        info = torrent.handle.torrent_file()
        if not (metadata and wanted and info):
            return
        main = order.main_file([file for file in metadata.files if file.index in wanted])
        if main:
            offset = info.layout().file_offset(main.index)
            urgent = order.edges(offset, main.size, metadata.piece_length, metadata.num_pieces)
            torrent.main = (urgent[0], urgent[-1]) if urgent else None
            torrent.handle.prioritize_pieces([(piece, order.FIRST) for piece in urgent])
        # libtorrent 2.1.1 picks at random once a torrent has had nothing to fetch.  Its flag still says
        # sequential, and to set what is set does nothing.
        torrent.handle.unset_flags(lt.torrent_flags.sequential_download)
        torrent.handle.set_flags(lt.torrent_flags.sequential_download)

    def set_limits(self, key: str, *, max_download_speed: int, max_upload_speed: int) -> None:
        if torrent := self._torrents.get(key):
            torrent.handle.set_download_limit(settings.rate(max_download_speed))
            torrent.handle.set_upload_limit(settings.rate(max_upload_speed))

    def reannounce(self, key: str) -> None:
        if torrent := self._torrents.get(key):
            torrent.handle.force_reannounce()
            torrent.handle.force_dht_announce()

    def status(self, key: str) -> Status | None:
        torrent = self._torrents.get(key)
        return torrent.status if torrent else None

    def held(self) -> set[str]:
        return set(self._torrents)

    async def file_progress(self, key: str) -> dict[int, int]:
        torrent = self._torrents.get(key)
        if torrent is None or torrent.metadata is None:
            return {}
        # post_file_progress would be the way, but the binding of 2.1.1 cannot read its alert
        done = await asyncio.to_thread(torrent.handle.file_progress, lt.torrent_handle.piece_granularity)
        return dict(enumerate(done))

    async def save(self, keys: Sequence[str]) -> dict[str, bytes]:
        torrents = [self._torrents[key] for key in keys if key in self._torrents]
        blobs = await asyncio.gather(*(self._save(torrent, _SAVE_CHANGED) for torrent in torrents))
        return {torrent.key: blob for torrent, blob in zip(torrents, blobs, strict=True) if blob}

    async def _save(self, torrent: _Torrent, flags: int) -> bytes | None:
        future: asyncio.Future[bytes | None] = self._loop.create_future()
        torrent.saves.append(future)
        torrent.handle.save_resume_data(flags)
        return await self._answer(future, None)

    async def _answer(self, future: asyncio.Future[T], otherwise: T) -> T:
        """What libtorrent answers, or `otherwise` when it does not, or the torrent goes."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):  # wait_for of Python 3.11 may swallow a cancel
                return await future
        except TimeoutError:
            log.warning("libtorrent did not answer within %d s", ANSWER_SECONDS)
            return otherwise

    def _forget(self, torrent: _Torrent) -> None:
        self._by_handle.pop(torrent.handle, None)
        self._torrents.pop(torrent.key, None)
        _resolve_all(torrent.saves, None)

    def _judge(self, info: libtorrent.torrent_info, renamed: dict[int, str]) -> Metadata:
        """The metadata, or BadSource: what peers send is checked as a .torrent of the user's is."""
        inspection.check_info(info.info_section())
        return inspection.metadata(info, renamed)

    # --- alerts ---

    def _on_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        for alert in self._session.pop_alerts():
            handler = _HANDLERS.get(type(alert))
            if handler:
                self._handle(handler, alert)

    def _handle(self, handler: _Handler, alert: libtorrent.alert) -> None:
        try:
            handler(self, alert)
        except Exception:  # a bug in one handler must not lose the alerts behind; it is logged whole
            log.exception("alert not understood: %s", type(alert).__name__)

    def _tell(self, event: TorrentEvent) -> None:
        self._loop.call_soon(self.listener, event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _update(self) -> None:
        self._session.post_torrent_updates(0)
        self._choose_protocol()
        self._updates = self._loop.call_later(UPDATE_SECONDS, self._update)

    def _look(self) -> None:
        """Ask which pieces are here, of torrents that may have to hurry; `_hurry` has the answer."""
        self._looks = self._loop.call_later(order.LOOK_SECONDS, self._look)
        for torrent in self._torrents.values():
            is_moving = torrent.is_selected and not torrent.is_finishing and not torrent.removal
            if is_moving and torrent.main and torrent.status and torrent.status.peers:
                torrent.handle.post_status(lt.torrent_handle.query_pieces)

    def _hurry(self, torrent: _Torrent, done_bytes: int, have: list[bool]) -> None:
        """Give the next pieces of the main file a deadline; each once, libtorrent keeps it."""
        speed, torrent.done_bytes = (done_bytes - torrent.done_bytes) / order.LOOK_SECONDS, done_bytes
        if torrent.status:  # a mean of several seconds, so that a short pause does not look slow
            speed = max(speed, torrent.status.download_speed)
        if torrent.main and torrent.metadata and torrent.is_selected and speed < order.DUE_BELOW:
            for piece in order.due(have, *torrent.main, torrent.metadata.piece_length):
                if piece not in torrent.due:
                    torrent.due.add(piece)
                    torrent.handle.set_piece_deadline(piece, 0, 0)

    def _choose_protocol(self) -> None:
        """Outgoing uTP is a setting of the whole session: on while a torrent finds nobody over TCP."""
        for torrent in self._torrents.values():
            status = torrent.status
            is_lonely = bool(
                status and status.candidates and not status.peers and status.phase is not Phase.FINISHED
            )
            torrent.lonely_updates = torrent.lonely_updates + 1 if is_lonely else 0
        wanted = any(torrent.lonely_updates >= UTP_AFTER_UPDATES for torrent in self._torrents.values())
        if wanted and not self._has_utp:
            self._has_utp = True
            self._session.apply_settings({"enable_outgoing_utp": True})
            log.info("no peer answers over tcp: trying utp too")

    def _on_added(self, alert: libtorrent.add_torrent_alert) -> None:
        """Known from here on, not from when `add` goes on: the next alert may be about it already."""
        addition = self._adding.get(_identity(alert.params.info_hashes))
        is_awaited = addition is not None and not addition.accepted.done()
        if alert.error.value():
            if addition and is_awaited:
                addition.accepted.set_exception(_add_error(alert.error.message()))
        elif addition and is_awaited:
            torrent = _Torrent(addition.key, alert.handle, metadata=addition.metadata, peers=addition.peers)
            self._torrents[torrent.key] = self._by_handle[torrent.handle] = torrent
            addition.accepted.set_result(torrent)
        else:  # who asked for it has given up
            self._session.remove_torrent(alert.handle)

    def _on_metadata(self, alert: libtorrent.metadata_received_alert) -> None:
        torrent = self._by_handle.get(alert.handle)
        info = alert.handle.torrent_file()
        if torrent is None or info is None:
            return
        try:
            renamed = alert.handle.get_renamed_files().export_filenames(info.layout())
            torrent.metadata = self._judge(info, renamed)
        except BadSource as exc:
            self._tell(Failed(torrent.key, "invalid_torrent", exc.message))
        else:
            self._tell(GotMetadata(torrent.key, torrent.metadata))

    def _on_file_priorities(self, alert: libtorrent.file_prio_alert) -> None:
        torrent = self._by_handle.get(alert.handle)
        if torrent and torrent.wanted is not None and not torrent.is_selected:
            self._apply_selection(torrent)
            self._session.post_torrent_updates(0)

    def _on_updates(self, alert: libtorrent.state_update_alert) -> None:
        for update in alert.status:
            torrent = self._by_handle.get(update.handle)
            if torrent:
                self._on_update(torrent, update)

    def _on_update(self, torrent: _Torrent, update: libtorrent.torrent_status) -> None:
        wanted_bytes = torrent.wanted_bytes if torrent.is_selected else None
        torrent.status = status_of(update, wanted_bytes=wanted_bytes, tracker_error=torrent.tracker_error)
        if torrent.is_selected and not torrent.is_finishing and is_whole(torrent.status):
            torrent.is_finishing = torrent.is_flushing = True
            torrent.handle.flush_cache()
        elif have := update.pieces:
            self._hurry(torrent, update.total_done, have)

    def _on_finished(self, alert: libtorrent.torrent_alert) -> None:
        """Only says that the wanted set is done, which may be empty: ask for the numbers at once."""
        self._session.post_torrent_updates(0)

    def _on_flushed(self, alert: libtorrent.cache_flushed_alert) -> None:
        """libtorrent flushes for reasons of its own as well; what is finished is said once."""
        torrent = self._by_handle.get(alert.handle)
        if torrent and torrent.is_flushing:
            torrent.is_flushing = False
            self._spawn(self._announce_finish(torrent))

    async def _announce_finish(self, torrent: _Torrent) -> None:
        """What libtorrent calls finished may be the selection before, or a moment of its start: only pieces
        count.
        """
        wanted = torrent.wanted or frozenset()
        blob = await self._save(torrent, _SAVE)
        is_whole = blob is not None and await asyncio.to_thread(resume.has_all, blob, wanted)
        if torrent.removal or torrent.wanted != wanted:
            return
        if blob and is_whole:
            self._tell(Finished(torrent.key, torrent.wanted or frozenset(), blob))
        else:
            torrent.is_finishing = False  # tried again with the next numbers

    def _on_saved(self, alert: libtorrent.save_resume_data_alert) -> None:
        if torrent := self._by_handle.get(alert.handle):
            params = alert.params
            # libtorrent leaves out peers of the local network, and those that did not answer for now
            params.peers = list(dict.fromkeys((*params.peers, *torrent.peers)))
            _resolve(torrent.saves, lt.write_resume_data_buf(params))

    def _on_not_saved(self, alert: libtorrent.save_resume_data_failed_alert) -> None:
        if torrent := self._by_handle.get(alert.handle):
            _resolve(torrent.saves, None)  # nothing changed, or it is being removed

    def _on_removed(self, alert: libtorrent.torrent_removed_alert) -> None:
        torrent = self._by_handle.get(alert.handle)
        if torrent and torrent.removal and not torrent.removal.done():
            torrent.removal.set_result(None)

    def _on_file_error(self, alert: libtorrent.file_error_alert) -> None:
        self._fault(alert.handle, alert.error, alert.filename())

    def _on_torrent_error(self, alert: libtorrent.torrent_error_alert) -> None:
        if (
            alert.error.category().name(),
            alert.error.value(),
        ) != _DUPLICATE:  # `_on_conflict` knows more of that
            self._fault(alert.handle, alert.error, "")

    def _fault(self, handle: libtorrent.torrent_handle, error: libtorrent.error_code, file: str) -> None:
        torrent = self._by_handle.get(handle)
        if torrent is None:
            return
        message = f"{error.message()}: {file}" if file else error.message()
        if error.category().name() in {"system", "generic"} and error.value() in {errno.ENOSPC, errno.EDQUOT}:
            self._tell(NoRoom(torrent.key, message))
        else:
            self._tell(Failed(torrent.key, "io_error", message))

    def _on_conflict(self, alert: libtorrent.torrent_conflict_alert) -> None:
        """Two magnets named one torrent by its two hashes, and libtorrent stopped both.  One goes on: that
        which has the metadata, else the older.
        """
        pair = [self._by_handle.get(handle) for handle in (alert.handle, alert.conflicting_torrent)]
        order_of_age = [torrent for torrent in self._torrents.values() if torrent in pair]
        if len(order_of_age) < 2 or order_of_age[1].rival:
            return
        older, newer = sorted(order_of_age, key=lambda torrent: torrent.metadata is None)
        newer.rival, newer.rival_info = older, alert.metadata.info_section()
        message = "this is the same torrent as another job's, under its other hash"
        self._tell(Failed(newer.key, "duplicate", message))

    def _on_tracker_error(self, alert: libtorrent.tracker_error_alert) -> None:
        if torrent := self._by_handle.get(alert.handle):
            torrent.tracker_errors[alert.url] = alert.failure_reason() or alert.error.message()
            torrent.tell_tracker_error()

    def _on_tracker_reply(self, alert: libtorrent.tracker_reply_alert) -> None:
        if torrent := self._by_handle.get(alert.handle):
            torrent.tracker_errors.clear()
            torrent.tell_tracker_error()

    def _on_listening(self, alert: libtorrent.listen_succeeded_alert) -> None:
        place = f"{alert.socket_type} {alert.address}:{alert.port}"
        self.listening.add(place)
        self.listen_errors.clear()
        log.debug("listening on=%s", place)

    def _on_not_listening(self, alert: libtorrent.listen_failed_alert) -> None:
        self.listen_errors[alert.listen_interface()] = alert.error.message()
        log.warning(
            "cannot listen interface=%s port=%d: %s",
            alert.listen_interface(),
            alert.port,
            alert.error.message(),
        )

    def _on_dropped(self, alert: libtorrent.alerts_dropped_alert) -> None:
        log.warning("libtorrent dropped alerts; numbers may lag")
        self._session.post_torrent_updates(0)


_HANDLERS: dict[type, _Handler] = {
    lt.add_torrent_alert: LibtorrentEngine._on_added,
    lt.metadata_received_alert: LibtorrentEngine._on_metadata,
    lt.file_prio_alert: LibtorrentEngine._on_file_priorities,
    lt.state_update_alert: LibtorrentEngine._on_updates,
    lt.torrent_finished_alert: LibtorrentEngine._on_finished,
    lt.torrent_checked_alert: LibtorrentEngine._on_finished,
    lt.cache_flushed_alert: LibtorrentEngine._on_flushed,
    lt.save_resume_data_alert: LibtorrentEngine._on_saved,
    lt.save_resume_data_failed_alert: LibtorrentEngine._on_not_saved,
    lt.torrent_removed_alert: LibtorrentEngine._on_removed,
    lt.file_error_alert: LibtorrentEngine._on_file_error,
    lt.torrent_error_alert: LibtorrentEngine._on_torrent_error,
    lt.torrent_conflict_alert: LibtorrentEngine._on_conflict,
    lt.tracker_error_alert: LibtorrentEngine._on_tracker_error,
    lt.tracker_reply_alert: LibtorrentEngine._on_tracker_reply,
    lt.listen_succeeded_alert: LibtorrentEngine._on_listening,
    lt.listen_failed_alert: LibtorrentEngine._on_not_listening,
    lt.alerts_dropped_alert: LibtorrentEngine._on_dropped,
}


def _identity(hashes: libtorrent.info_hash_t) -> tuple[str, str]:
    return str(hashes.v1), str(hashes.v2)


def _add_error(message: str) -> HtdlError:
    if "already" in message:
        return Refused("this torrent is in the session already")
    return BadSource(f"libtorrent refuses this torrent: {message}", hint="try another source")


def _resolve(waiting: list[asyncio.Future[T]], value: T) -> None:
    """Answer the oldest who waits."""
    while waiting:
        future = waiting.pop(0)
        if not future.done():
            future.set_result(value)
            return


def _resolve_all(waiting: list[asyncio.Future[T]], value: T) -> None:
    while waiting:
        _resolve(waiting, value)
