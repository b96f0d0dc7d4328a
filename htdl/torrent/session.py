"""One libtorrent session, opened from the configuration, and its alerts on the event loop.

libtorrent writes a byte into a socket when there are alerts again; they are taken in one batch, and nothing
of an alert may be kept beyond it: the next batch frees it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from htdl.config import Torrent as TorrentConfig
from htdl.torrent import settings
from htdl.torrent._lt import lt
from htdl.torrent.addresses import BLOCKED

if TYPE_CHECKING:
    import libtorrent

log = logging.getLogger(__name__)


class Session:
    """`state` is what `close` returned the last time, or None; `on_alert` is called on the event loop."""

    lt: libtorrent.session  # between `open` and `close`

    def __init__(
        self, config: TorrentConfig, state: bytes | None, on_alert: Callable[[libtorrent.alert], None]
    ) -> None:
        self._config = config
        self._state = state
        self._on_alert = on_alert
        self._is_watched = False
        self._limits: libtorrent.settings_pack = {}  # in place of the configuration's
        self.alerts = 0  # heard since it was opened
        self.alert_seconds = 0.0  # spent with them

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self.lt = await asyncio.to_thread(self._open)
        self._loop.add_reader(self._wake.fileno(), self._on_wake)
        self.lt.set_alert_fd(self._waker.fileno())

    def _open(self) -> libtorrent.session:
        params = lt.session_params()
        if self._state:
            try:
                params = lt.read_session_params(self._state)
            except RuntimeError as exc:
                log.warning("dht state is damaged, starting without: %s", exc)
        params.settings = {**params.settings, **settings.session_settings(self._config)}
        session = lt.session(params)
        block(session, allow_lan=self._config.allow_lan)
        limit_everyone(session)
        return session

    @property
    def is_open(self) -> bool:
        return hasattr(self, "lt")

    async def close(self) -> bytes:
        """End it within about a second; trackers are told `stopped`.  Returns the DHT's state."""
        state = await asyncio.to_thread(lambda: lt.write_session_params_buf(self.lt.session_state()))
        self.lt.set_alert_fd(-1)
        self._loop.remove_reader(self._wake.fileno())
        await asyncio.to_thread(self._close)
        self._wake.close()  # only now: until its end the session writes there
        self._waker.close()
        return state

    def _close(self) -> None:
        """Destroying it waits for the trackers, holding the GIL; so it comes last."""
        del self.lt

    def apply(self, config: TorrentConfig) -> None:
        """Take over a changed configuration; a change of port listens anew."""
        self._config = config
        watching = settings.watch_settings(is_watched=self._is_watched)
        self.lt.apply_settings({**settings.session_settings(config), **watching, **self._limits})
        block(self.lt, allow_lan=config.allow_lan)

    def limit(self, limits: libtorrent.settings_pack) -> None:
        self._limits = limits
        self.lt.apply_settings(limits)

    def watch(self, is_watched: bool) -> None:
        """Whether somebody waits for single pieces of any torrent."""
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self.lt.apply_settings(settings.watch_settings(is_watched=is_watched))

    def _on_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        began, alerts = self._loop.time(), self.lt.pop_alerts()
        for alert in alerts:
            try:
                self._on_alert(alert)
            except Exception:  # a bug in one handler must not lose the alerts behind; it is logged whole
                log.exception("alert not understood: %s", type(alert).__name__)
        self.alerts += len(alerts)
        self.alert_seconds += self._loop.time() - began


def block(session: libtorrent.session, *, allow_lan: bool) -> None:
    """Keep peers, trackers and web seeds off private addresses.  It holds only for torrents that are added
    with `apply_ip_filter`.
    """
    blocked = lt.ip_filter()
    for network in () if allow_lan else BLOCKED:
        blocked.add_rule(str(network[0]), str(network[-1]), 1)
    session.set_ip_filter(blocked)


def limit_everyone(session: libtorrent.session) -> None:
    """libtorrent spares peers of the local network every rate limit; a limit here means all of them."""
    everyone = lt.ip_filter()
    for first, last in (("0.0.0.0", "255.255.255.255"), ("::", "ffff:" * 7 + "ffff")):  # noqa: S104  a range
        everyone.add_rule(first, last, 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everyone)
