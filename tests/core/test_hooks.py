"""What a hook is told, which one is next, and how many run at once: with real programs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.core import hooks
from htdl.core.hooks import HOOKED, Due, Hooks
from htdl.events import Kind
from htdl.media import process
from tests.core.examples import new_job
from tests.core.world import World, open_world


@asynccontextmanager
async def hooked(world: World, **settings: object) -> AsyncIterator[Hooks]:
    world.configure(hooks=settings)
    running = Hooks(world.db, world.book, world.bus, lambda: world.config.hooks, os.environ)
    task = asyncio.create_task(running.run())
    await asyncio.sleep(0)  # it listens from its first step on
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        await world.book.load()
        yield world


# what it is told


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_name_and_error_is_a_variable(name: str, error: str) -> None:
    told = hooks.environment(Due(Kind.FAILED, new_job(1, name=name, error_message=error)), {})
    for text in told.values():
        assert b"\0" not in os.fsencode(text)


async def test_an_absurd_name_harms_no_start() -> None:
    job = new_job(1, name="\ud800\0\n" + "ä" * 1_000_000, file_path="/caf\udce9.mkv", total_bytes=7)
    told = hooks.environment(
        Due(Kind.COMPLETED, job), {"PATH": os.environ["PATH"], "HTDL_SOCKET": "/s", "KEY": "k"}
    )
    said: list[str] = []
    code = "import os; print(len(os.environ['HTDL_JOB_NAME'])); print(os.environb[b'HTDL_FILE_PATH']);"
    code += "print([x for x in os.environ if x in ('HTDL_SOCKET', 'KEY')])"
    done = await process.run([sys.executable, "-c", code], environment=told, on_line=said.append)
    assert done.is_good, done
    assert said == ["8000", r"b'/caf\xe9.mkv'", "[]"]


# which is next


def test_the_hooks_of_one_job_run_one_after_the_other() -> None:
    first, second = new_job(1), new_job(2)
    waiting = [Due(Kind.ADDED, first), Due(Kind.READY, first), Due(Kind.ADDED, second)]
    assert hooks.next_due(waiting, set()) is waiting[0]
    assert hooks.next_due(waiting[1:], {first.id}) is waiting[2]
    assert hooks.next_due(waiting[1:2], {first.id}) is None


@given(
    st.lists(st.tuples(st.sampled_from(HOOKED), st.integers(1, 99)), max_size=20),
    st.dictionaries(st.uuids().map(str), st.integers(1, 99), max_size=9),
)
def test_what_is_due_is_written_down_and_read_again(
    some: list[tuple[Kind, int]], told: dict[str, int]
) -> None:
    due = [Due(kind, new_job(number)) for kind, number in some]
    assert hooks.unpacked(hooks.packed(due, told)) == ([(x.kind, x.job.id) for x in due], told)


@given(st.binary(max_size=100))
def test_what_somebody_else_wrote_there_is_left_out(data: bytes) -> None:
    assert all(kind in HOOKED for kind, _ in hooks.unpacked(data)[0])


# the whole


def touches(folder: Path, then: str = "") -> list[str]:
    """A program that says when it begins."""
    begins = f"import os, time; open({str(folder)!r} + '/began-' + os.environ['HTDL_JOB_ID'], 'w').close()"
    return [sys.executable, "-I", "-S", "-c", f"{begins}\n{then}"]


def begun(folder: Path) -> int:
    return len(list(folder.glob("began-*")))


async def test_few_run_at_once_and_none_is_forgotten(world: World, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    async with hooked(world, on_added=touches(tmp_path, waits)):
        for number in range(7):
            await world.add(f"film {number}")
        await world.until(lambda: begun(tmp_path) == hooks.AT_ONCE)
        go.touch()
        await world.until(lambda: begun(tmp_path) == 7)


async def test_that_it_can_be_watched_is_told_once_in_an_attempt(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The runner says it again after each start of the daemon."""
    caplog.set_level("INFO")
    says = f"open({str(tmp_path)!r} + '/told', 'a').write(os.environ['HTDL_EVENT'] + ' ')"
    job = await world.add("film")

    async def told(*events: Kind) -> str:
        """What the hooks of one life of the daemon say, to the end of the last: one cut off runs again."""
        caplog.clear()
        program = touches(tmp_path, says)
        async with hooked(world, on_ready=program, on_failed=program, on_added=program):
            for event in [*events, Kind.ADDED]:
                world.bus.publish(event, world.book.living[job.id])
            await world.until(lambda: "event=added code=0" in caplog.text)
        said = (tmp_path / "told").read_text()
        (tmp_path / "told").unlink()
        return said

    assert await told(Kind.READY, Kind.READY) == "ready added "
    assert await told(Kind.READY, Kind.FAILED) == "failed added "
    assert await told(Kind.READY) == "ready added ", "it was tried again"


async def test_none_is_run_for_what_came_before_there_was_one(world: World, tmp_path: Path) -> None:
    async with hooked(world):
        await world.add("film")
        await world.until(lambda: world.told() == [Kind.ADDED])
    async with hooked(world, on_added=touches(tmp_path)):
        job = await world.add("another film")
        await world.until(lambda: (tmp_path / f"began-{job.id}").exists())
    assert begun(tmp_path) == 1


async def test_too_many_that_wait_are_left_out_and_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with hooked(world, on_added=["/bin/sleep", "600"], timeout_seconds=600) as running:
        await world.until(
            lambda: running._is_taken_up
        )  # else all of it is in the bus's queue, which ends at it
        for number in range(hooks.AT_ONCE + hooks.MAX_WAITING + 2):
            world.bus.publish(Kind.ADDED, new_job(number))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await world.until(lambda: caplog.text.count("too many wait") == 2)
