"""Where the socket may stand, and who can reach it."""

from __future__ import annotations

import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from htdl.api import listener
from htdl.errors import BadConfig, HtdlError, Refused


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_socket_and_its_folder_are_this_user_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "htdl.sock"
    old = os.umask(0)
    try:
        sock = listener.listen(path)
    finally:
        os.umask(old)
    with sock:
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_a_dead_daemon_s_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "htdl.sock"
    listener.listen(path).close()
    assert path.exists()
    with listener.listen(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_living_daemon_s_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "htdl.sock"
    with listener.listen(path), pytest.raises(Refused, match="already running") as caught:
        listener.listen(path)
    assert caught.value.code == "already_running"


def test_a_living_daemon_that_is_too_busy_to_answer_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "htdl.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        with pytest.raises(Refused, match="already running"):
            listener.listen(path)


def test_a_file_of_somebody_s_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "htdl.sock"
    path.write_text("precious")
    with pytest.raises(Refused, match="is not a socket"):
        listener.listen(path)
    assert path.read_text() == "precious"


def test_a_path_that_no_socket_can_have_is_told_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 60) / "htdl.sock"
    with pytest.raises(BadConfig, match="too long") as caught:
        listener.listen(path)
    assert "HTDL_SOCKET" in str(caught.value.hint)
    assert not path.parent.exists()


def test_the_longest_path_that_fits_is_taken(tmp_path: Path) -> None:
    room = listener.MAX_PATH_BYTES - len(str(tmp_path)) - 1
    with listener.listen(tmp_path / ("x" * room)):
        pass


@pytest.mark.parametrize("open_mode", [0o755, 0o777])
def test_an_open_folder_that_holds_nothing_else_is_closed(tmp_path: Path, open_mode: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(open_mode)
    with listener.listen(folder / "htdl.sock"):
        assert mode(folder) == 0o700


def test_a_folder_of_other_things_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    tmp_path.chmod(0o755)
    with listener.listen(tmp_path / "htdl.sock"):
        assert (mode(tmp_path), mode(tmp_path / "htdl.sock")) == (0o755, 0o600)


@pytest.mark.parametrize(("open_mode", "other"), [(0o777, "other"), (0o1777, "htdl.sock")])
def test_a_shared_folder_is_refused(tmp_path: Path, open_mode: int, other: str) -> None:
    (tmp_path / other).touch()
    tmp_path.chmod(open_mode)
    with pytest.raises(Refused, match="other users can write") as caught:
        listener.listen(tmp_path / "htdl.sock")
    assert "chmod 700" in str(caught.value.hint)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(Refused, match="belongs to another user"):
        listener.listen(folder / "htdl.sock")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HtdlError, match="cannot listen on"):
        listener.listen(tmp_path / "file" / "run" / "htdl.sock")


# for a group


def test_a_group_may_connect_and_nobody_else(tmp_path: Path) -> None:
    path, group = tmp_path / "run" / "htdl.sock", os.getegid()
    with listener.listen(path, group):
        assert (mode(path), mode(path.parent)) == (0o660, 0o750)
        assert {path.stat().st_gid, path.parent.stat().st_gid} == {group}
    with listener.listen(path):
        assert (mode(path), mode(path.parent)) == (0o600, 0o700), "and no longer when it is not wanted"


def test_root_may_name_any_group_and_others_only_their_own(tmp_path: Path) -> None:
    path, other = tmp_path / "run" / "htdl.sock", 65534
    if os.geteuid() == 0:
        with listener.listen(path, other):
            assert {path.stat().st_gid, path.parent.stat().st_gid} == {other}
    else:
        with pytest.raises(BadConfig, match="this user is not in it"):
            listener.listen(path, other)


def test_a_group_by_its_name() -> None:
    assert listener.group_id("") is None
    assert listener.group_id(grp.getgrgid(0).gr_name) == 0
    with pytest.raises(BadConfig, match="there is no group 'no such one'"):
        listener.group_id("no such one")


@pytest.mark.parametrize(("open_mode", "is_shared"), [(0o600, False), (0o640, False), (0o660, True)])
def test_whom_a_socket_that_is_there_already_lets_in(tmp_path: Path, open_mode: int, is_shared: bool) -> None:
    path = tmp_path / "htdl.sock"
    with listener.listen(path) as sock:
        path.chmod(open_mode)
        assert listener.group_of(sock) == (path.stat().st_gid if is_shared else None)
        path.chmod(0o666)
        with pytest.raises(BadConfig, match="everybody may use"):
            listener.group_of(sock)


def test_only_its_own_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "run" / "htdl.sock"
    with listener.listen(path):
        listener.remove(path, path.stat().st_ino + 1)
        assert path.exists()
        listener.remove(path, path.stat().st_ino)
        assert not path.exists()
        listener.remove(path, 1)
