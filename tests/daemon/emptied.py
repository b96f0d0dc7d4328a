"""One daemon for all tests of a file."""

from __future__ import annotations

from tests.daemons import Daemon


def emptied(daemon: Daemon) -> Daemon:
    """The daemon, once it has forgotten the jobs of the tests before; their data stay."""
    for job in daemon.client.jobs():
        if not job.has_ended:
            daemon.client.cancel(job.id)
        daemon.client.remove(job.id)
    return daemon
