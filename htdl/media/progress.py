"""How far ffmpeg is, by what it prints for `-progress`: lines of key=value, a block each second.  Pure.

A block ends with `progress=continue`, the last with `progress=end`.  Values may be "N/A" for a while, and
`total_size` always where the result goes through the tee muxer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 30.0  # speed is that of so long; a download that stood still must not count for ever

_MICRO = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`seconds` of film are done, at `speed` times its own; `eta` is in seconds.  None is not known.

    `fraction` is 0.0 to 1.0; `bytes` are those of the result.
    """

    seconds: float
    speed: float | None = None
    bytes: int | None = None
    fraction: float | None = None
    eta: float | None = None


class Course:
    """The progress of a run that began at the time `began`; times are of any one clock, in seconds."""

    def __init__(self, duration: float | None, began: float) -> None:
        self._duration = duration
        self._block: dict[str, str] = {}
        self._seen: deque[tuple[float, float]] = deque(
            [(began, 0.0)]
        )  # (time, seconds of film), of the window

    def read(self, line: str, now: float) -> Progress | None:
        """The progress that this line completes, if it does."""
        key, _, value = line.partition("=")
        if key != "progress":
            self._block[key] = value.strip()
            return None
        block, self._block = self._block, {}
        seconds = _number(block.get("out_time_us")) / _MICRO
        size = int(_number(block.get("total_size"))) or None
        speed = self._speed(seconds, now)
        if value.strip() == "end":
            return Progress(seconds=seconds, speed=speed, bytes=size, fraction=1.0, eta=0.0)
        if not self._duration:
            return Progress(seconds=seconds, speed=speed, bytes=size)
        left = max(0.0, self._duration - seconds)
        return Progress(
            seconds=seconds,
            speed=speed,
            bytes=size,
            fraction=min(1.0, seconds / self._duration),
            eta=left / speed if speed else None,
        )

    def _speed(self, seconds: float, now: float) -> float | None:
        self._seen.append((now, seconds))
        while self._seen[0][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        begun, before = self._seen[0]
        return max(0.0, seconds - before) / (now - begun) if now > begun else None


def _number(text: str | None) -> float:
    """Zero for what is none, and before the beginning."""
    try:
        return max(0.0, float(int(text or "")))
    except (ValueError, OverflowError):
        return 0.0
