"""One daemon for all tests of a file, in which each finds no job: to start one takes longer than most."""

from __future__ import annotations

import pytest

from tests.conftest import LOGS
from tests.daemons import Daemon


@pytest.fixture
def daemon(kept: Daemon, request: pytest.FixtureRequest) -> Daemon:
    """A file that imports it takes it instead of a daemon each.  Tests may kill it, but not configure it."""
    request.node.stash.setdefault(LOGS, []).append(kept)
    assert kept.process
    if kept.process.poll() is not None:
        kept.start()
    for job in kept.client.jobs():
        kept.client.cancel(job.id, delete=True)
        kept.client.remove(job.id, delete=True)
    return kept
