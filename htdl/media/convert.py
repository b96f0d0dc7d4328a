"""Runs a plan: one ffmpeg, watched, its result checked and put in place.

That ffmpeg ends with 0 proves nothing: it does so too when its input broke off half-way (measured).  So a
result is compared with what was to come out before it gets its name.  It is written beside that name, or in
the folder for such files where that is on the same file system, for a film is renamed and never copied.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from htdl.errors import ConversionFailed, DiskFull, HtdlError
from htdl.media import placing
from htdl.media.plan import Plan
from htdl.media.probe import Probe, probe, words_about
from htdl.media.process import Finished, Limits, run
from htdl.media.progress import Course, Progress
from htdl.media.source import Source
from htdl.media.tools import Tools

MEMORY = 16 << 30  # of address space; a 1080p encoding takes 0.5 GB of memory, 8K some 16 times that
SLACK_SECONDS, SLACK_SHARE = 2.0, 0.01  # by which a result may be longer or shorter than its source

Place = Callable[[Path], Awaitable[Path]]  # puts a whole file in its place, and says where that is

_SPARE_BYTES = 1 << 30
_HINT = "the source is untouched: `htdl retry` tries once more"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = tuple(os.strerror(number) for number in _FULL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """`probe` is what the result holds; `seconds` is how long it took to make."""

    path: Path
    bytes: int
    seconds: float
    probe: Probe


def part_for(target: Path, temp: Path, name: str) -> Path:
    """Where to write what becomes `target`: in the folder `temp` if a rename leads from there, else beside.

    Both folders exist.  `name` makes it unique; who records it can remove it after a crash.
    """
    folder = temp if placing.mount_of(temp) == placing.mount_of(target.parent) else target.parent
    return folder / f".htdl-{name}.part{target.suffix}"


async def convert(
    tools: Tools,
    source: Source,
    plan: Plan,
    part: Path,
    place: Place,
    *,
    duration: float | None,
    progress: Callable[[Progress], None],
    stall_seconds: float,
    is_waiting: Callable[[], bool] = lambda: False,
    hls: Path | None = None,
) -> Converted:
    """Makes `part` of `source`; and for who watches meanwhile the playlist `hls`, its segments beside it.

    `part` (see `part_for`) is overwritten, and never left behind: once it is whole, right and on the disk,
    `place` gives it its name.  The playlist stays as far as it came; its folder, made if need be, has no % in
    its name.  `duration` is the source's, None where it is not known.  Without a step forward for
    `stall_seconds` it hangs, and is ended; the time while `is_waiting` (for bytes to arrive) does not count.
    Of one that has no room `progress` hears at last how many bytes were made.

    Raises ConversionFailed (conversion_failed), DiskFull, and what `place` raises.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    watch = _Watch(part, duration, progress, stall_seconds, is_waiting)
    try:
        done = await _run(tools, source, plan, part, hls, watch)
        if not done.is_good:
            failure = _failure(done, source)
            if isinstance(failure, DiskFull):
                watch.tell_size(await asyncio.to_thread(_size, part, hls))
            raise failure
        made = await _checked(tools, source, plan, part, duration)
        await asyncio.to_thread(placing.flush, part)
        size = part.stat().st_size
        path = await place(part)
    except OSError as exc:
        raise _mapped(exc, source) from exc
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return Converted(path=path, bytes=size, seconds=clock() - began, probe=made)


class _Watch:
    """Hears what ffmpeg says of its progress, and knows when it hangs."""

    def __init__(
        self,
        part: Path,
        duration: float | None,
        progress: Callable[[Progress], None],
        stall_seconds: float,
        is_waiting: Callable[[], bool],
    ) -> None:
        self._clock = asyncio.get_running_loop().time
        self._course = Course(duration, self._clock())
        self._part, self._tell = part, progress
        self._duration, self._step = duration, Progress(seconds=0.0)
        self._stall_seconds, self._is_waiting = stall_seconds, is_waiting
        self._at: tuple[float, int | None] = (0.0, None)
        self._written = self._last_write()
        self._moved = self._clock()

    def hear(self, line: str) -> None:
        now = self._clock()
        step = self._course.read(line, now)
        if step is None:
            return
        if (step.seconds, step.bytes) != self._at:
            self._at, self._moved = (step.seconds, step.bytes), now
        self._step = step if step.bytes is not None else replace(step, bytes=self._part_size())
        self._tell(self._step)

    def tell_size(self, count: int) -> None:
        """It ended early and took so many bytes.  At its end ffmpeg calls all done, also of a part."""
        seconds, duration = self._step.seconds, self._duration
        share = min(1.0, seconds / duration) if duration else None
        self._tell(replace(self._step, bytes=count, fraction=share))

    def should_stop(self) -> str | None:
        """At its end ffmpeg rewrites the whole file to bring the index forward, and is silent meanwhile: then
        the file tells whether it works.
        """
        now = self._clock()
        if self._is_waiting():
            self._moved = now
        if now - self._moved < self._stall_seconds:
            return None
        written, self._written = self._written, self._last_write()
        if written == self._written:
            return f"it hung: nothing came out of it for {self._stall_seconds:g} s"
        self._moved = now
        return None

    def _last_write(self) -> int:
        return self._part.stat().st_mtime_ns if self._part.exists() else 0

    def _part_size(self) -> int | None:
        return self._part.stat().st_size if self._part.exists() else None


async def _run(
    tools: Tools, source: Source, plan: Plan, part: Path, hls: Path | None, watch: _Watch
) -> Finished:
    """ffmpeg runs above the playlist's folder: a % in a longer path would be a number's place."""
    if hls:
        hls.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(tools.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *("-nostats", "-progress", "pipe:1", "-stats_period", "1"),
        *plan.input_arguments,
        *source.arguments,
        *plan.outputs(part, Path(hls.parent.name, hls.name) if hls else None),
    ]
    limits = Limits(memory=MEMORY, file_bytes=4 * plan.bytes + _SPARE_BYTES if plan.bytes else None)
    folder = str(hls.parent.parent) if hls else "/"
    return await run(command, limits, folder=folder, on_line=watch.hear, should_stop=watch.should_stop)


def _size(part: Path, hls: Path | None) -> int:
    """Bytes of all that is made."""
    files = [part, *(hls.parent.glob("*") if hls else ())]
    return sum(x.stat().st_size for x in files if x.exists())


async def _checked(tools: Tools, source: Source, plan: Plan, part: Path, duration: float | None) -> Probe:
    """What came out.  Raises ConversionFailed where it is not what was to come out."""
    try:
        made = await probe(tools, Source(str(part)), seconds=60)
    except HtdlError as exc:
        raise _failed(source, "what came out cannot be read") from exc
    fault = difference(made, plan, duration)
    if fault:
        raise _failed(source, fault)
    return made


def difference(made: Probe, plan: Plan, duration: float | None) -> str | None:
    """What the result lacks, in words; None when it is right."""
    wanted = Counter((x.kind, x.becomes) for x in plan.streams if x.becomes)
    got = Counter((x.kind, x.codec) for x in made.streams if x.kind in {"video", "audio"})
    if got != wanted:
        names = ", ".join(f"{kind} {codec}" for kind, codec in (wanted - got or got - wanted).elements())
        return (
            f"{names} is missing from what came out"
            if wanted - got
            else f"what came out has {names} too much"
        )
    if duration is None:
        return None
    if abs((made.duration or 0.0) - duration) > max(SLACK_SECONDS, duration * SLACK_SHARE):
        return f"{time_of(made.duration or 0.0)} of {time_of(duration)} came out"
    return None


def time_of(seconds: float) -> str:
    """ "0:31", "1:02:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _failure(done: Finished, source: Source) -> HtdlError:
    if done.stopped is None and any(words in line for line in done.stderr for words in _FULL_WORDS):
        return _disk_full(source)
    if done.code == -signal.SIGXFSZ:
        return _failed(source, "what came out grew far larger than it should")
    return _failed(source, words_about(done, source))


def _mapped(exc: OSError, source: Source) -> HtdlError:
    return _disk_full(source) if exc.errno in _FULL else _failed(source, exc.strerror or str(exc))


def _failed(source: Source, why: str) -> ConversionFailed:
    return ConversionFailed(f"{source.name} could not be converted: {why}", hint=_HINT)


def _disk_full(source: Source) -> DiskFull:
    return DiskFull(
        f"the disk is full: there is no room for the conversion of {source.name}",
        hint="free some space: it begins again by itself",
    )
