"""A child is bounded, and gone when `run` is over, however it ends.  The children are small programs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import htdl
from htdl.media import process
from htdl.media.process import LINE_CHARACTERS, TAIL_LINES, Finished, Limits, run
from tests.processes import exists, lives
from tests.waiting import until


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def pid_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text().strip()))


async def begun(path: Path) -> int:
    return await asyncio.to_thread(pid_in, path)


async def test_output_code_and_words() -> None:
    done = await run(shell("echo out; echo '[mov @ 0x55d0] moov atom not found' >&2; exit 3"))
    assert (done.code, done.stdout, done.stopped) == (3, b"out\n", None)
    assert done.last_words == "moov atom not found"
    assert not done.is_good


async def test_a_program_that_is_not_there_says_so() -> None:
    done = await run(["/nowhere/ffmpeg"])
    assert not done.is_good
    assert done.last_words == "/nowhere/ffmpeg cannot be started: No such file or directory"


async def test_lines_are_given_as_they_come() -> None:
    lines: list[str] = []
    done = await run(shell("printf 'one\\ntwo\\rthree\\033[2J'"), on_line=lines.append)
    assert lines == ["one", "two", "three [2J"]
    assert done.stdout == b""


async def test_what_it_says_is_bounded() -> None:
    done = await run(
        [sys.executable, "-c", "import sys\nfor n in range(500): print(n, 'x' * 9000, file=sys.stderr)"]
    )
    assert len(done.stderr) == TAIL_LINES
    assert done.stderr[-1].startswith("499 x")
    assert max(map(len, done.stderr)) == LINE_CHARACTERS


async def test_one_that_prints_without_end_is_ended() -> None:
    done = await run(["/usr/bin/yes"], Limits(stdout_bytes=1000, seconds=30))
    assert len(done.stdout) == 1000
    assert done.last_words == "it printed more than 1000 bytes"


async def test_a_time_limit() -> None:
    async with asyncio.timeout(30):
        done = await run(shell("sleep 60"), Limits(seconds=0.2))
    assert done.stopped == "it took longer than 0.2 s"


async def test_a_reason_to_stop_is_its_last_word() -> None:
    done = await run(shell("sleep 60"), should_stop=lambda: "it hangs")
    assert (done.stopped, done.last_words, done.code) == ("it hangs", "it hangs", -signal.SIGTERM)


async def test_what_it_started_ends_too_and_what_ignores_a_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", (0.1, 0.1))  # it ignores what it is told
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/inner; echo $$ > {tmp_path}/outer; wait; wait"
    done = await run(shell(script), should_stop=lambda: "enough" if (tmp_path / "outer").exists() else None)
    assert done.code == -signal.SIGKILL
    assert not exists(pid_in(tmp_path / "outer"))
    until(lambda: not lives(pid_in(tmp_path / "inner")))


async def test_a_cancelled_task_leaves_nothing_behind(tmp_path: Path) -> None:
    task = asyncio.create_task(run(shell(f"echo $$ > {tmp_path}/pid; exec sleep 60")))
    pid = await begun(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not exists(pid)


async def test_cancelled_twice_it_is_killed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", (600.0,))
    script = f"trap 'echo $$ > {tmp_path}/asked' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done"
    task = asyncio.create_task(run(shell(script)))
    pid = await begun(tmp_path / "pid")
    task.cancel()
    await begun(tmp_path / "asked")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await task
    assert not exists(pid)


async def test_an_error_of_who_listens_ends_the_child(tmp_path: Path) -> None:
    def refuse(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError):
        await run(shell(f"echo $$ > {tmp_path}/pid; echo word; exec sleep 60"), on_line=refuse)
    assert not exists(pid_in(tmp_path / "pid"))


async def test_limits_priority_session_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFREPORT", "file=/tmp/log")
    code = (
        "import os, resource as r, sys\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0) - int(sys.argv[1]), os.getsid(0) == os.getpid())\n"
        "print([r.getrlimit(x)[0] for x in (r.RLIMIT_CORE, r.RLIMIT_AS, r.RLIMIT_FSIZE)])\n"
        "print('FFREPORT' in os.environ, sys.stdin.read() == '', os.getcwd())\n"
    )
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    done = await run(
        [sys.executable, "-c", code, str(ours)], Limits(memory=2 << 30, file_bytes=1 << 20, nice=5)
    )
    assert done.stdout.decode().splitlines() == [
        f"{min(5, 19 - ours)} True",
        f"[0, {2 << 30}, {1 << 20}]",
        "False True /",
    ]


async def test_a_file_that_grows_too_large_ends_it(tmp_path: Path) -> None:
    done = await run(shell(f"exec cat /dev/zero > {tmp_path}/big"), Limits(file_bytes=5000, seconds=30))
    assert done.last_words == "it was ended by SIGXFSZ"
    assert (tmp_path / "big").stat().st_size == 5000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child may outlive a killed daemon")
def test_children_die_with_the_one_who_started_them(tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom htdl.media.process import run\n"
        f"asyncio.run(run(['/bin/sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 60']))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(htdl.__file__).parents[1])
    child = pid_in(tmp_path / "pid")
    parent.kill()
    parent.wait()
    until(lambda: not lives(child))


async def test_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"for n in $(seq 600); do [ -e {go} ] && exit 0; sleep 0.05; done; exit 1"
    task = asyncio.create_task(run(shell(waits)))
    for _ in range(10):
        await asyncio.sleep(0.005)
        assert not task.done()
    go.touch()
    assert (await task).code == 0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("[in#0 @ 0x1f] Error opening input: Invalid data", "Error opening input files:"), None),
        (("No space left on device", "Conversion failed!"), "No space left on device"),
        (("[a @ 0x1] [b @ 0x2] words", "Exiting normally, received signal 15."), "words"),
        ((), "it ended with 1"),
    ],
)
def test_last_words_say_something(lines: tuple[str, ...], words: str | None) -> None:
    done = Finished(code=1, stdout=b"", stderr=lines)
    assert done.last_words == (words or "Error opening input: Invalid data")


async def test_what_outlives_it_and_holds_its_pipes_ends_too(tmp_path: Path) -> None:
    """A wrapper that ends at once, and leaves another behind."""
    inner = tmp_path / "inner"
    done = await run(
        shell(f"sleep 60 & echo $! > {inner}"),
        should_stop=lambda: "enough" if inner.exists() and inner.read_text() else None,
    )
    assert done.stopped == "enough"
    until(lambda: not lives(pid_in(inner)))
