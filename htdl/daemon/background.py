"""Work that goes on for as long as the daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

log = logging.getLogger("htdl.daemon")


def begin(parts: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until `parts` close, or it ends by itself.  What ends by an error is logged with its trace
    at once: nobody waits for it, so nobody else would tell.
    """
    task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
    task.add_done_callback(_tell)
    parts.push_async_callback(_end, task)


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.critical("bug: work=%s has ended and is not begun again", task.get_name(), exc_info=error)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
