"""How long whole files play, as their containers say: read once, and kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from htdl.core.torrents import read_container
from htdl.errors import Refused
from htdl.stream.container.container import Container

MOST_KNOWN = 2000  # files; beyond, those that were read first are read anew


class Lengths:
    def __init__(self) -> None:
        self._known: dict[tuple[Path, int], float] = {}

    async def of(self, folder: Path, path: Path, size: int) -> float | None:
        """In seconds; None where the container does not say, or the file below `folder` is gone."""
        known = self._known.get((path, size))
        if known is None:
            known = length(await asyncio.to_thread(read_container, folder, path, size, _all_of_it))
            if known is not None:
                self._known[path, size] = known
                while len(self._known) > MOST_KNOWN:
                    del self._known[next(iter(self._known))]
        return known


def length(container: Container | None) -> float | None:
    """What a container says of how long it plays, in seconds."""
    if container is None:
        return None
    return container.points[-1][0] if container.duration is None and container.points else container.duration


def check_within(name: str, seconds: float, length: float | None) -> None:
    """Raises Refused for a time that the video `name` does not have."""
    if length is not None and seconds > 0 and int(seconds) >= int(length):  # as `clock` tells it
        raise Refused(f"{name} ends at {clock(length)}", hint="give an earlier time")


def clock(seconds: float) -> str:
    """0:03:00"""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _all_of_it(offset: int, count: int) -> bool:
    return True
