"""The configuration that holds now, and how another takes its place while the daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import watchfiles

from htdl import config, origins
from htdl.config import Config
from htdl.daemon import logs
from htdl.daemon.systemd import Notifier
from htdl.errors import BadConfig

log = logging.getLogger("htdl.daemon")


class Configuration:
    """Reads the file at once: BadConfig where it has faults.  `listener` is told of each that takes the place
    of another, which is then `now`.
    """

    def __init__(self, path: Path, environ: Mapping[str, str], notifier: Notifier) -> None:
        self.path = path
        self.listener: Callable[[Config], None] = lambda new: None
        self._environ = environ
        self._notifier = notifier
        self._turn = asyncio.Lock()  # two at once could end with what the first of them has read
        self._hangup = asyncio.Event()  # one that comes while the parts start is not lost
        self.now, self._origins = self._loaded(config.read(path, environ))

    def shown(self) -> dict[str, Any]:
        """{"file": path, "values": {key: {"value", "source", "line", "variable"}}}"""
        return {
            "file": str(self.path),
            "values": origins.shown(config.flat(self.now), self._origins),
        }

    async def reload(self) -> dict[str, Any]:
        """Read it again: {"changed": [keys], "needs_restart": [keys]}.  A faulty one changes nothing and
        raises BadConfig.
        """
        async with self._turn:
            self._notifier.reloading()
            try:
                return self._take_over(await asyncio.to_thread(config.read, self.path, self._environ))
            finally:  # a faulty configuration leaves it as ready as it was
                self._notifier.ready()

    def hang_up(self) -> None:
        """Have it read again, by `heed_hangups`."""
        self._hangup.set()

    async def heed_hangups(self) -> None:
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            await self._try_reload()

    async def watch(self) -> None:
        """Reload when the file changes; its folder is watched, since editors put a new file in its place."""
        folder, name = self.path.parent, self.path.name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # for the file that is not there yet
            changes = watchfiles.awatch(folder, recursive=False, watch_filter=None, yield_on_timeout=True)
            is_sure = False  # that no change was missed between the first reading and the start of the watch
            async for changed in changes:
                if not is_sure or any(Path(path).name == name for _, path in changed):
                    is_sure = True
                    await self._try_reload()
        except (OSError, RuntimeError) as exc:  # no inotify watches left, say
            log.warning("configuration is not watched, use SIGHUP: %s", exc)

    def _loaded(self, text: str) -> tuple[Config, dict[str, origins.Origin]]:
        return config.load(text, self._environ, origin=str(self.path)), origins.of(text, self._environ)

    def _take_over(self, text: str) -> dict[str, Any]:
        old = self.now
        new, found = self._loaded(text)
        self.now, self._origins = new, found
        changed = config.changed(old, new)
        needs_restart = [key for key in changed if key in config.NEEDS_RESTART]
        if new.log != old.log:  # else a level that was set meanwhile stays
            logs.apply(new.log, self._environ)
        if changed:
            self.listener(new)
            log.info("configuration reloaded changed=%s", ",".join(changed))
        for key in needs_restart:
            log.warning("needs a restart to take effect: %s", key)
        return {"changed": changed, "needs_restart": needs_restart}

    async def _try_reload(self) -> None:
        try:
            await self.reload()
        except BadConfig as exc:
            log.error("configuration kept as it was: %s", exc.message)
        except Exception:  # a bug in one reload must not end all others; it is logged whole
            log.exception("reload failed")
