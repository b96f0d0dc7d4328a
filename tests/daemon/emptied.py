"""One daemon for all tests of a file, in which each finds no job: to start one takes longer than most."""

from __future__ import annotations

import pytest

from tests.daemons import Daemon


def emptied(daemon: Daemon) -> Daemon:
    """The daemon, once it has forgotten the jobs of the tests before, with their data.  They may have killed
    it, but not configured it.
    """
    assert daemon.process
    if daemon.process.poll() is not None:
        daemon.start()
    for job in daemon.client.jobs():
        daemon.client.cancel(job.id, delete=True)
        daemon.client.remove(job.id, delete=True)
    return daemon


@pytest.fixture
def daemon(kept: Daemon) -> Daemon:
    return emptied(kept)
