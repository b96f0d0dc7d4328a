"""What systemd hears while the daemon runs: how much it does, and that it lives."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping

from htdl.answers import Health
from htdl.daemon.systemd import Notifier, watchdog_seconds
from htdl.errors import HtdlError
from htdl.jobs import Job, State

log = logging.getLogger("htdl.daemon")

STATUS_SECONDS = 5.0
VITAL = ("engine", "database")  # a restart may mend these; a full disk or a taken port it would not


class Reports:
    """`health` really looks; `jobs` are those that live."""

    def __init__(
        self,
        notifier: Notifier,
        health: Callable[[], Awaitable[Health]],
        jobs: Callable[[], Iterable[Job]],
    ) -> None:
        self._notifier = notifier
        self._health = health
        self._jobs = jobs

    async def tell_status(self) -> None:
        """Every few seconds, what the jobs do."""
        while self._notifier.is_heard:
            self._notifier.status(words(self._jobs()))
            await asyncio.sleep(STATUS_SECONDS)  # rates change all the time: people read no faster

    async def feed_watchdog(self, environ: Mapping[str, str]) -> None:
        """Twice in systemd's time, but only while the engine and the database answer."""
        seconds = watchdog_seconds(environ, os.getpid())
        while seconds and self._notifier.is_heard:
            trouble = await self._trouble(seconds / 4)
            if trouble:
                log.error("the watchdog is not fed why=%s", trouble)
            else:
                self._notifier.alive()
            # one slow disk is no reason to end everything: it is asked several times before systemd does that
            await asyncio.sleep(seconds / (10 if trouble else 2))

    async def _trouble(self, seconds: float) -> str:
        """What is wrong with the vital parts; nothing where they are well."""
        try:
            async with asyncio.timeout(seconds):  # wait_for may lose a cancellation
                health = await self._health()
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except HtdlError as exc:
            return exc.message
        found = {name: health.checks.get(name, "is not checked") for name in VITAL}
        return "; ".join(f"{name}: {said}" for name, said in found.items() if said != "ok")


def words(jobs: Iterable[Job]) -> str:
    """`2 downloading, 1 seeding; 3.1 MB/s down, 0.1 MB/s up`, in MB of 10**6 bytes."""
    living = list(jobs)
    counts = {
        "downloading": sum(job.status is State.DOWNLOADING for job in living),
        "converting": sum(job.status is State.CONVERTING for job in living),
        "waiting": sum(job.status is State.PENDING for job in living),
        "paused": sum(job.status is State.PAUSED for job in living),
        "seeding": sum(job.seeding for job in living),
    }
    doing = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    down, up = (sum(x) / 1e6 for x in ((j.download_speed for j in living), (j.upload_speed for j in living)))
    rates = f"; {down:.1f} MB/s down, {up:.1f} MB/s up" if down or up else ""
    return (doing or "idle") + rates
