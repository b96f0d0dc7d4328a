from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.daemons import Daemon


@pytest.fixture
def offline(make_daemon: Callable[..., Daemon]) -> Daemon:
    """The folders and the environment of a daemon that does not run."""
    return make_daemon("offline", start=False)
