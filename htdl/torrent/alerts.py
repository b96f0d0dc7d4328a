"""What libtorrent says, and what follows.  One method an alert; each copies what it needs and returns."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from htdl.errors import BadSource, HtdlError, Refused
from htdl.torrent import inspection, resume
from htdl.torrent._lt import lt
from htdl.torrent.api import Failed, Finished, GotMetadata, Lost, NoRoom, TorrentEvent
from htdl.torrent.held import SAVE, Held, Torrents, identity

if TYPE_CHECKING:
    import libtorrent

log = logging.getLogger(__name__)

_DUPLICATE = ("libtorrent", 19)  # error_code.hpp: duplicate_torrent
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_LOST = {errno.ENOENT, errno.ENOTDIR}


class Alerts:
    """`tell` hands an event on; `begin` runs a coroutine beside; `ask` wants new numbers of all torrents;
    `reject` lets go of a torrent that nobody waits for.
    """

    def __init__(
        self,
        torrents: Torrents,
        *,
        tell: Callable[[TorrentEvent], None],
        begin: Callable[[Coroutine[Any, Any, None]], object],
        ask: Callable[[], None],
        reject: Callable[[libtorrent.torrent_handle], None],
    ) -> None:
        self._torrents = torrents
        self._tell = tell
        self._begin = begin
        self._ask = ask
        self._reject = reject
        self.listen_trouble: str | None = None  # while it listens nowhere
        self.dropped = 0
        self.listening: dict[tuple[str, int], None] = {}  # addresses and ports, oldest first
        self.counted: list[asyncio.Future[dict[str, int]]] = []  # who waits for the session's counters

    def handle(self, alert: libtorrent.alert) -> None:
        handler = _HANDLERS.get(type(alert))
        if handler:
            handler(self, alert)

    # --- coming and going ---

    def _on_added(self, alert: libtorrent.add_torrent_alert) -> None:
        """Known from here on, not from when `add` goes on: the next alert may be about it already."""
        addition = self._torrents.additions.get(identity(alert.params.info_hashes))
        is_awaited = addition is not None and not addition.accepted.done()
        if alert.error.value():
            if addition and is_awaited:
                addition.accepted.set_exception(_add_error(alert.error.message()))
        elif addition and is_awaited:
            torrent = Held(addition.key, alert.handle, addition.metadata, addition.peers)
            self._torrents.put(torrent)
            addition.accepted.set_result(torrent)
        else:  # who asked for it has given up
            self._reject(alert.handle)

    def _on_removed(self, alert: libtorrent.torrent_removed_alert) -> None:
        if torrent := self._torrents.of(alert.handle):
            self._torrents.drop(torrent)

    def _on_conflict(self, alert: libtorrent.torrent_conflict_alert) -> None:
        """Two magnets named one torrent by its two hashes, and libtorrent stopped both.  One goes on: that
        which has the metadata, else the older.
        """
        pair = [self._torrents.of(handle) for handle in (alert.handle, alert.conflicting_torrent)]
        by_age = [torrent for torrent in self._torrents if torrent in pair]
        if len(by_age) < 2 or by_age[1].rival:
            return
        keeps, goes = sorted(by_age, key=lambda torrent: torrent.metadata is None)
        goes.rival, goes.rival_info = keeps, alert.metadata.info_section()
        message = "this is the same torrent as another job's, under its other hash"
        self._tell(Failed(goes.key, "duplicate", message))

    # --- metadata and selection ---

    def _on_metadata(self, alert: libtorrent.metadata_received_alert) -> None:
        torrent, info = self._torrents.of(alert.handle), alert.handle.torrent_file()
        if torrent and info:
            if info.priv():  # BEP 27: libtorrent looks only at what it knew when the torrent was added
                alert.handle.set_flags(lt.torrent_flags.disable_pex)
            renamed = alert.handle.get_renamed_files().export_filenames(info.layout())
            self._begin(self._learn(torrent, info, renamed))

    async def _learn(self, torrent: Held, info: libtorrent.torrent_info, renamed: dict[int, str]) -> None:
        try:
            metadata = await asyncio.to_thread(inspection.judge, info, renamed)
        except BadSource as exc:
            self._tell(Failed(torrent.key, "invalid_torrent", exc.message))
        else:
            torrent.learn(metadata)
            self._tell(GotMetadata(torrent.key, metadata))

    def _on_file_priorities(self, alert: libtorrent.file_prio_alert) -> None:
        torrent = self._torrents.of(alert.handle)
        if torrent and torrent.wanted is not None and not torrent.is_selected:
            torrent.apply_selection()
            self._ask()

    # --- progress ---

    def _on_updates(self, alert: libtorrent.state_update_alert) -> None:
        for update in alert.status:
            torrent = self._torrents.of(update.handle)
            if torrent is None or torrent.removal:
                continue
            if update.pieces:  # the answer to a look
                if torrent.see(update):
                    self._ask()
            elif torrent.take(update):
                torrent.is_flushing = True
                torrent.look()

    def _on_piece(self, alert: libtorrent.piece_finished_alert) -> None:
        torrent = self._torrents.of(alert.handle)
        if torrent and torrent.course and torrent.is_watched and not torrent.removal:
            torrent.course.finished(alert.piece_index)

    def _on_finished(self, alert: libtorrent.torrent_alert) -> None:
        """Only says that the wanted set is done, which may be empty: ask for the numbers at once."""
        if torrent := self._torrents.of(alert.handle):
            torrent.barrier.expect_stray()
        self._ask()

    def _on_checked(self, alert: libtorrent.torrent_checked_alert) -> None:
        self._ask()

    def _on_flushed(self, alert: libtorrent.cache_flushed_alert) -> None:
        torrent = self._torrents.of(alert.handle)
        if torrent and not torrent.removal and torrent.flushed():
            self._begin(self._announce_finish(torrent))

    async def _announce_finish(self, torrent: Held) -> None:
        """What libtorrent calls finished may be the selection before, or a moment of its start: only pieces
        count.
        """
        wanted = torrent.wanted or frozenset()
        blob = await torrent.save(SAVE)
        is_whole = blob is not None and await asyncio.to_thread(resume.has_all, blob, wanted)
        if torrent.removal or torrent.wanted != wanted:
            return
        if blob and is_whole:
            self._tell(Finished(torrent.key, wanted, blob))
        else:
            torrent.is_finishing = False  # tried again with the next numbers

    def _on_saved(self, alert: libtorrent.save_resume_data_alert) -> None:
        if torrent := self._torrents.of(alert.handle):
            params = alert.params
            # libtorrent leaves out peers of the local network, and those that did not answer for now
            params.peers = list(dict.fromkeys((*params.peers, *torrent.peers)))
            torrent.saved(lt.write_resume_data_buf(params))

    def _on_not_saved(self, alert: libtorrent.save_resume_data_failed_alert) -> None:
        if torrent := self._torrents.of(alert.handle):
            torrent.saved(None)  # nothing changed, or it is being removed

    # --- trouble ---

    def _on_file_error(self, alert: libtorrent.file_error_alert) -> None:
        self._fault(alert.handle, alert.error, alert.filename())

    def _on_torrent_error(self, alert: libtorrent.torrent_error_alert) -> None:
        if (alert.error.category().name(), alert.error.value()) != _DUPLICATE:  # `_on_conflict` knows more
            self._fault(alert.handle, alert.error, "")

    def _fault(self, handle: libtorrent.torrent_handle, error: libtorrent.error_code, file: str) -> None:
        torrent = self._torrents.of(handle)
        if torrent is None:
            return
        message = f"{error.message()}: {file}" if file else error.message()
        number = error.value() if error.category().name() in {"system", "generic"} else 0
        if number in _NO_ROOM:
            self._tell(NoRoom(torrent.key, message))
        elif number in _LOST:
            self._tell(Lost(torrent.key, message))
        else:
            self._tell(Failed(torrent.key, "io_error", message))

    def _on_tracker_error(self, alert: libtorrent.tracker_error_alert) -> None:
        if torrent := self._torrents.of(alert.handle):
            error = alert.failure_reason() or alert.error.message()
            torrent.tracker_answered((alert.url, alert.local_endpoint), error)

    def _on_tracker_reply(self, alert: libtorrent.tracker_reply_alert) -> None:
        if torrent := self._torrents.of(alert.handle):
            torrent.tracker_answered((alert.url, alert.local_endpoint), None)

    def _on_listening(self, alert: libtorrent.listen_succeeded_alert) -> None:
        self.listen_trouble = None
        self.listening[alert.address, alert.port] = None
        log.debug("listening on=%s %s:%d", alert.socket_type, alert.address, alert.port)

    def _on_not_listening(self, alert: libtorrent.listen_failed_alert) -> None:
        interface, why = alert.listen_interface(), alert.error.message()
        self.listen_trouble = f"cannot listen on {interface or 'any interface'}, port {alert.port}: {why}"
        log.warning("cannot listen interface=%s port=%d: %s", interface, alert.port, why)

    def _on_stats(self, alert: libtorrent.session_stats_alert) -> None:
        waiting, self.counted = [x for x in self.counted if not x.done()], []
        counters = dict(alert.values) if waiting else {}
        for future in waiting:
            future.set_result(counters)

    def _on_dropped(self, alert: libtorrent.alerts_dropped_alert) -> None:
        self.dropped += 1
        log.warning("libtorrent dropped alerts; numbers may lag")
        self._ask()


def _add_error(message: str) -> HtdlError:
    if "already" in message:
        return Refused("this torrent is in the session already")
    return BadSource(f"libtorrent refuses this torrent: {message}", hint="try another source")


_HANDLERS: dict[type, Callable[[Alerts, Any], None]] = {
    lt.add_torrent_alert: Alerts._on_added,
    lt.torrent_removed_alert: Alerts._on_removed,
    lt.torrent_conflict_alert: Alerts._on_conflict,
    lt.metadata_received_alert: Alerts._on_metadata,
    lt.file_prio_alert: Alerts._on_file_priorities,
    lt.state_update_alert: Alerts._on_updates,
    lt.piece_finished_alert: Alerts._on_piece,
    lt.torrent_finished_alert: Alerts._on_finished,
    lt.torrent_checked_alert: Alerts._on_checked,
    lt.cache_flushed_alert: Alerts._on_flushed,
    lt.save_resume_data_alert: Alerts._on_saved,
    lt.save_resume_data_failed_alert: Alerts._on_not_saved,
    lt.file_error_alert: Alerts._on_file_error,
    lt.torrent_error_alert: Alerts._on_torrent_error,
    lt.tracker_error_alert: Alerts._on_tracker_error,
    lt.tracker_reply_alert: Alerts._on_tracker_reply,
    lt.listen_succeeded_alert: Alerts._on_listening,
    lt.listen_failed_alert: Alerts._on_not_listening,
    lt.session_stats_alert: Alerts._on_stats,
    lt.alerts_dropped_alert: Alerts._on_dropped,
}
