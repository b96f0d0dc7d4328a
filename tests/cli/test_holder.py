from __future__ import annotations

from pathlib import Path

import pytest

from htdl import paths
from htdl.cli.app import App
from htdl.cli.holder import Holder, holder, parse
from htdl.daemon.lock import Lock


def app(folder: Path) -> App:
    return App({"HTDL_STATE_DIR": str(folder)}, config=None, socket=folder / "s")


def test_the_holder_of_a_lock_is_read_while_it_is_held(tmp_path: Path) -> None:
    ours, socket = app(tmp_path), tmp_path / "other, socket"
    assert holder(ours) is None
    with Lock(paths.lock(tmp_path), socket):
        found = holder(ours)
        assert found
        assert found.socket == socket
        assert found.is_elsewhere(ours)
    assert holder(ours) is None


def test_one_socket_by_two_names_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert not Holder(1, tmp_path / "link" / "s").is_elsewhere(app(tmp_path))


@pytest.mark.parametrize("text", ["", "pid 1", "pid x, socket y\n", "\0"])
def test_a_lock_that_does_not_tell_yet_is_nowhere_else(tmp_path: Path, text: str) -> None:
    assert not parse(text).is_elsewhere(app(tmp_path))
