"""Who may use the socket of a daemon that serves a group, tried as other users."""

from __future__ import annotations

import grp
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Daemon
from tests.tools import require

NOBODY = 65534
CANNOT_CONNECT = 7  # of curl(1)


@pytest.fixture(scope="module")
def group() -> grp.struct_group:
    if os.geteuid() != 0:
        pytest.skip("only root can ask as another user")
    return next(x for x in grp.getgrall() if x.gr_gid not in {0, NOBODY})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, group: grp.struct_group) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("shared"), {"daemon": {"socket_group": group.gr_name}})
    daemon.socket.parent.parent.chmod(0o711)
    daemon.start()
    yield daemon
    daemon.end()


def ask(socket: Path, *, first: int, others: tuple[int, ...] = ()) -> tuple[int, str]:
    """curl's exit code and the status, as a user with these groups."""
    done = subprocess.run(
        [
            require("curl"),
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--unix-socket",
            socket,
            "http://x/health",
        ],
        user=NOBODY,
        group=first,
        extra_groups=others,
        env={},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout


def test_members_may_ask(shared: Daemon, group: grp.struct_group) -> None:
    assert ask(shared.socket, first=group.gr_gid) == (0, "200")
    assert ask(shared.socket, first=NOBODY, others=(NOBODY, group.gr_gid)) == (0, "200")


def test_nobody_else_can_connect(shared: Daemon) -> None:
    assert ask(shared.socket, first=NOBODY, others=(NOBODY,))[0] == CANNOT_CONNECT


def test_who_came_in_all_the_same_is_refused(shared: Daemon, group: grp.struct_group) -> None:
    """By what the kernel says of them: modes are a first door, which a person may have opened."""
    folder = shared.socket.parent
    shared.socket.chmod(0o666)
    folder.chmod(0o755)
    try:
        assert ask(shared.socket, first=NOBODY, others=(NOBODY,)) == (0, "403")
        assert ask(shared.socket, first=group.gr_gid) == (0, "200")
    finally:
        shared.socket.chmod(0o660)
        folder.chmod(0o750)


def test_a_group_that_is_not_there_is_told(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home", {"daemon": {"socket_group": "no-such-group"}})
    try:
        told = daemon.htdl("daemon", "run")
        assert told.returncode == 2
        assert "there is no group 'no-such-group'" in told.stderr
        assert "groupadd no-such-group" in told.stderr
    finally:
        daemon.end()
