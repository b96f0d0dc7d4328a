"""The real daemon as a process, in a temp folder, on loopback; and the guard that keeps tests there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

# What is tried with made-up input is tried so often; for a long run by hand, HTDL_TEST_EXAMPLES=100000.
# That it takes long to make some up says that the machine is busy.
settings.register_profile(
    "htdl",
    max_examples=int(os.environ.get("HTDL_TEST_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("htdl")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home folder: HOME and the XDG folders lie in the test's own."""
    for name in (
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
        "XDG_RUNTIME_DIR",
    ):
        monkeypatch.setenv(name, str(tmp_path / "home" / name.lower()))
    for name in [x for x in os.environ if x.startswith("HTDL_")]:
        monkeypatch.delenv(name)


LOGS = pytest.StashKey[list[Daemon]]()  # the daemons that a test has made; a failure shows their logs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        given = getattr(item, "funcargs", {}).values()
        for daemon in dict.fromkeys(
            [*item.stash.get(LOGS, []), *(x for x in given if isinstance(x, Daemon))]
        ):
            report.sections.append((f"log of {daemon.home.name}", daemon.log()[-8000:]))
    return report


@pytest.fixture
def make_daemon(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons: make_daemon(torrent={"max_active_downloads": 1}, ...); all end with the test."""
    running = request.node.stash.setdefault(LOGS, [])

    def make(name: str = "daemon", *, start: bool = True, **sections: dict[str, object]) -> Daemon:
        daemon = Daemon(tmp_path / name, sections)
        running.append(daemon)
        if start:
            daemon.start()
        return daemon

    yield make
    for daemon in running:
        daemon.end()


@pytest.fixture
def daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    return make_daemon()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for the tests of a file that leave it as it was, but for jobs of their own."""
    daemon = Daemon(tmp_path_factory.mktemp("kept"))
    daemon.start()
    yield daemon
    daemon.end()


@pytest.fixture
def emptied(kept: Daemon) -> Daemon:
    """The same, once it has forgotten the jobs of the tests before, and what was made of them; they may have
    killed it, but not configured it.
    """
    assert kept.process
    if kept.process.poll() is not None:
        kept.start()
    until(kept.answers)
    for job in kept.client.jobs():
        if not job.has_ended:
            kept.client.cancel(job.id)
        kept.client.remove(job.id)
    shutil.rmtree(kept.home / "videos", ignore_errors=True)  # there is none
    return kept


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Swarm]:
    """Seeders in this process: swarm.seed({...}) -> Torrent with .magnet, .data, .bytes."""
    with Swarm(tmp_path / "swarm") as swarm:
        yield swarm
