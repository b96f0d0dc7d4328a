"""Tells at once what the kernel sees of the watched folders.

Only to be quick: what it does not see, as what another machine puts on a network share, is found when the
folders are looked at the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import watchfiles

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks at whether the folders are the same ones still
STEP_MILLISECONDS = 200  # how long what happens is gathered


async def notice(paths: Callable[[], Sequence[Path]], changed: Callable[[], None]) -> None:
    """Until it is cancelled: call `changed` when something changes in one of the folders that `paths` names
    then.  One that is away, or replaced by another, is watched once it is there.
    """
    told = ""
    while True:
        there = await asyncio.to_thread(_there, paths())
        try:
            if there:
                await _until_others(there, paths, changed)
                continue
        except FileNotFoundError:  # it went away just now
            pass
        except (OSError, RuntimeError) as exc:  # no inotify watches left, say
            if str(exc) != told:
                log.warning("watched folders are looked at only now and then: %s", exc)
            told = str(exc)
        await asyncio.sleep(LOOK_SECONDS)  # nothing tells of a folder that comes back


async def _until_others(
    there: dict[Path, tuple[int, int]], paths: Callable[[], Sequence[Path]], changed: Callable[[], None]
) -> None:
    """Returns when other folders are to be watched, or other ones are in their places."""
    changed()  # one that is back, say
    watching = watchfiles.awatch(
        *there,
        watch_filter=None,
        recursive=False,
        step=STEP_MILLISECONDS,
        rust_timeout=int(LOOK_SECONDS * 1000),
        yield_on_timeout=True,
    )
    async with contextlib.aclosing(watching):
        async for changes in watching:
            if changes:
                changed()
            if await asyncio.to_thread(_there, paths()) != there:
                return


def _there(paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Those that are there, with what makes them the same ones: device and number."""
    found = {}
    for path in paths:
        try:
            known = path.stat()
        except OSError:  # it is away
            continue
        found[path] = known.st_dev, known.st_ino
    return found
