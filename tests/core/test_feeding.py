"""Who waits for bytes, and who lets them lie."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from htdl.core.feeding import Feeding
from htdl.stream.video import Reading, Video, WholeReader

KEY = ("job", 0)


class Arriving(Reading):
    """Has one byte each time that `more` is set."""

    def __init__(self, start: int, stop: int) -> None:
        self.more = asyncio.Event()
        self._at = start

    async def next(self, patience: float) -> range | None:
        await self.more.wait()
        self.more.clear()
        self._at += 1
        return range(self._at - 1, self._at)

    def close(self) -> None:
        pass


def video(*, is_whole: bool) -> Video:
    made: list[Arriving] = []

    def reader(start: int, stop: int) -> Reading:
        made.append(Arriving(start, stop))
        return made[-1]

    return Video(
        job_id="job", index=0, path=Path("/d/film.mkv"), folder=Path("/d"), size=9, etag="", modified=None,
        is_whole=is_whole, reader=reader,
    )  # fmt: skip


async def feeding(*, is_whole: bool = False) -> tuple[Feeding, Video]:
    async def opener(prefix: str, index: int) -> Video:
        return video(is_whole=is_whole)

    some = Feeding(opener)
    return some, await some.open("jo", 0)


async def test_one_waits_from_when_it_has_taken_all_until_more_comes() -> None:
    some, film = await feeding()
    assert not some.is_hungry(*KEY), "nobody reads"
    with film.read(0, 9) as reader:
        assert not some.is_hungry(*KEY), "it has asked for nothing"
        asked = asyncio.create_task(reader.next(60))
        await asyncio.sleep(0)
        assert some.is_hungry(*KEY)
        assert not some.is_hungry("job", 1)
        reader._reader.more.set()  # type: ignore[attr-defined]
        assert await asked == range(1)
        assert not some.is_hungry(*KEY), "it has not come back for more"
        asked = asyncio.create_task(reader.next(60))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not some.is_hungry(*KEY)
    assert not some.is_hungry(*KEY)


async def test_one_that_lets_bytes_lie_is_seen_beside_one_that_waits() -> None:
    some, film = await feeding()
    with film.read(0, 9) as waiting:
        asked = asyncio.create_task(waiting.next(60))
        with film.read(0, 9):
            await asyncio.sleep(0)
            assert not some.is_hungry(*KEY)
        assert some.is_hungry(*KEY)
        asked.cancel()


async def test_who_converts_a_whole_file_is_no_viewer_of_it() -> None:
    _, film = await feeding(is_whole=True)
    with film.read(0, 9) as reader:
        assert isinstance(reader, WholeReader)
        assert await reader.next(60) == range(9)
