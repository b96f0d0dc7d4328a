from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs
import pytest

from htdl import paths

Place = Callable[[Mapping[str, str]], Path]


@pytest.mark.parametrize(
    ("place", "variable"),
    [
        (paths.socket_path, "HTDL_SOCKET"),
        (paths.state_dir, "HTDL_STATE_DIR"),
        (paths.config_path, "HTDL_CONFIG"),
    ],
)
def test_an_explicit_variable_wins(place: Place, variable: str) -> None:
    environ = {"XDG_RUNTIME_DIR": "/x", "XDG_STATE_HOME": "/x", "XDG_CONFIG_HOME": "/x"}
    assert place({**environ, variable: "/here/it/is"}) == Path("/here/it/is")


@pytest.mark.parametrize(
    ("place", "variable", "rest"),
    [
        (paths.socket_path, "XDG_RUNTIME_DIR", "htdl/htdl.sock"),
        (paths.state_dir, "XDG_STATE_HOME", "htdl"),
        (paths.data_dir, "XDG_DATA_HOME", "htdl"),
        (paths.cache_dir, "XDG_CACHE_HOME", "htdl"),
    ],
)
def test_the_xdg_folders_are_used(place: Place, variable: str, rest: str) -> None:
    assert place({variable: "/xdg"}) == Path("/xdg") / rest


@pytest.mark.parametrize(
    ("place", "variable", "rest"),
    [
        (paths.socket_path, "RUNTIME_DIRECTORY", "htdl.sock"),
        (paths.config_path, "CONFIGURATION_DIRECTORY", "config.toml"),
        (paths.state_dir, "STATE_DIRECTORY", ""),
        (paths.data_dir, "STATE_DIRECTORY", ""),
        (paths.cache_dir, "CACHE_DIRECTORY", ""),
    ],
)
def test_a_units_folders_go_before_those_of_a_user(place: Place, variable: str, rest: str) -> None:
    users = dict.fromkeys(("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"), "/user")
    assert place({**users, variable: "/var/x/other:/var/x/htdl"}) == Path("/var/x/htdl") / rest
    if place is not paths.data_dir and place is not paths.cache_dir:
        explicit = f"HTDL_{place.__name__.upper().removesuffix('_PATH')}"
        assert place({variable: "/var/x/htdl", explicit: "/mine"}) == Path("/mine")


@pytest.mark.parametrize("value", ["/var/lib/jukebox", "htdl", ":", "/a/htdl/b"])
def test_the_folders_of_another_programs_unit_are_left_to_it(value: str) -> None:
    environ = {"STATE_DIRECTORY": value, "XDG_STATE_HOME": "/xdg"}
    assert paths.state_dir(environ) == Path("/xdg/htdl")


@pytest.mark.parametrize("value", ["", "relative/folder", "."])
def test_a_relative_xdg_folder_is_ignored(value: str) -> None:
    """The specification: "If an implementation encounters a relative path [...] ignore it"."""
    assert paths.data_dir({"XDG_DATA_HOME": value}) == platformdirs.user_data_path() / "htdl"


def test_the_users_config_goes_before_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, system = tmp_path / "htdl" / "config.toml", tmp_path / "etc.toml"
    monkeypatch.setattr(paths, "SYSTEM_CONFIG", system)
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert paths.config_path(environ) == own, "neither exists: the one to create"
    system.touch()
    assert paths.config_path(environ) == system
    own.parent.mkdir()
    own.touch()
    assert paths.config_path(environ) == own


def test_what_lies_in_the_state_folder() -> None:
    state = Path("/state")
    assert paths.database(state) == Path("/state/htdl.db")
    assert paths.lock(state) == Path("/state/htdl.lock")
    assert paths.background_log(state) == Path("/state/daemon.log")
