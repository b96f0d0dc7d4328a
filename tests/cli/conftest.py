from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import LOGS
from tests.daemons import Daemon
from tests.waiting import until


@pytest.fixture
def offline(make_daemon: Callable[..., Daemon]) -> Daemon:
    """The folders and the environment of a daemon that does not run."""
    return make_daemon("offline", start=False)


@pytest.fixture
def emptied(kept: Daemon, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """The one for the tests of a file, which each find without a job."""
    request.node.stash.setdefault(LOGS, []).append(kept)
    yield kept
    until(kept.answers)
    for job in kept.client.jobs():
        if not job.has_ended:
            kept.client.cancel(job.id)
        until(lambda job=job: kept.client.job(job.id).has_ended)
        kept.client.remove(job.id)
