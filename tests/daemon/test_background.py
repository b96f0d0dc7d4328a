"""What goes on for as long as the daemon runs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from htdl.daemon import background


async def test_work_ends_with_the_parts() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as what tidies up
            ended.set()

    async with AsyncExitStack() as parts:
        background.begin(parts, work())
        await asyncio.sleep(0)  # it has begun
    assert ended.is_set()


async def test_an_error_that_ends_work_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    told = asyncio.Event()

    async def work() -> None:
        asyncio.get_running_loop().call_soon(told.set)  # after this turn of the loop
        raise ValueError("never thought of")

    async with AsyncExitStack() as parts:
        background.begin(parts, work())
        await told.wait()
        await asyncio.sleep(0)  # callbacks of the task's end have had their turn
        assert "work has ended" in caplog.text
        assert "ValueError: never thought of" in caplog.text


async def test_work_that_is_done_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as parts:
        background.begin(parts, asyncio.sleep(0))
        await asyncio.sleep(0)
    assert not caplog.text
