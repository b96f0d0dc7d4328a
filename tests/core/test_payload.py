from __future__ import annotations

import os
from pathlib import Path

import pytest

from htdl.core import payload

HASH = "a" * 40


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads" / "video-1"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_and_the_folders_empty_then_are_removed(home: Path) -> None:
    paths = ["Film/a.mkv", "Film/Subs/en/a.srt"]
    for path in paths:
        write(home / path)
    assert payload.delete(home, paths, HASH) == 2
    assert not home.exists()
    assert home.parent.exists(), "only the job's own folder goes"


def test_the_part_file_goes_too(home: Path) -> None:
    write(home / f".{HASH}.parts")
    assert payload.delete(home, ["a.mkv"], HASH) == 1
    assert not home.exists()


def test_what_is_not_the_jobs_stays(home: Path) -> None:
    write(home / "Film" / "a.mkv")
    other = write(home / "Film" / "notes.txt", "mine")
    payload.delete(home, ["Film/a.mkv"], HASH)
    assert other.read_text() == "mine"
    assert not (home / "Film" / "a.mkv").exists()


def test_what_is_gone_already_is_no_fault(home: Path) -> None:
    write(home / "b.mkv")
    assert payload.delete(home, ["a.mkv", "b.mkv", "no/such/folder/c.mkv"], HASH) == 1
    assert payload.delete(home, ["a.mkv"], HASH) == 0


def test_a_link_is_removed_and_what_it_points_to_stays(home: Path, tmp_path: Path) -> None:
    precious = write(tmp_path / "precious.mkv", "mine")
    (home / "a.mkv").symlink_to(precious)
    payload.delete(home, ["a.mkv"], HASH)
    assert precious.read_text() == "mine"
    assert not (home / "a.mkv").is_symlink()


def test_a_folder_that_links_elsewhere_is_not_followed(home: Path, tmp_path: Path) -> None:
    precious = write(tmp_path / "elsewhere" / "a.mkv", "mine")
    (home / "Film").symlink_to(precious.parent)
    assert payload.delete(home, ["Film/a.mkv"], HASH) == 0
    assert precious.read_text() == "mine"


def test_an_empty_folder_behind_a_link_is_not_pruned(home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "elsewhere" / "Subs"
    empty.mkdir(parents=True)
    (home / "Film").symlink_to(empty.parent)
    payload.delete(home, ["Film/Subs/a.srt"], HASH)
    assert empty.is_dir()


@pytest.mark.parametrize("path", ["../other/a.mkv", "/{tmp}/other/a.mkv", "Film/../../other/a.mkv"])
def test_a_path_that_leads_out_is_not_followed(home: Path, path: str) -> None:
    other = write(home.parent / "other" / "a.mkv", "mine")
    (home / "Film").mkdir()
    payload.delete(home, [path.replace("/{tmp}", str(home.parent))], HASH)
    assert other.read_text() == "mine"


def test_a_link_that_goes_round_in_circles_is_left(home: Path) -> None:
    (home / "round").symlink_to(home / "round")
    payload.delete(home, ["round/a.mkv"], HASH)


def test_a_folder_in_the_place_of_a_file_stays(home: Path) -> None:
    kept = write(home / "a.mkv" / "inside.txt")
    assert payload.delete(home, ["a.mkv"], HASH) == 0
    assert kept.exists()


def test_sync_says_whether_all_is_on_the_disk(home: Path) -> None:
    write(home / "a.mkv")
    assert payload.sync(home, ["a.mkv"])
    assert not payload.sync(home, ["a.mkv", "b.mkv"])


def test_sync_follows_no_link(home: Path, tmp_path: Path) -> None:
    (home / "a.mkv").symlink_to(write(tmp_path / "precious.mkv"))
    assert not payload.sync(home, ["a.mkv"])


def test_a_file_is_filled_when_all_of_it_was_written(tmp_path: Path) -> None:
    written = tmp_path / "zeros"
    written.write_bytes(bytes(1 << 20))
    assert payload.is_filled(written, 1 << 20)
    assert not payload.is_filled(written, (1 << 20) + 1)
    with (tmp_path / "hole").open("wb") as file:
        file.write(b"x" * 4096)
        file.truncate(1 << 20)
    assert not payload.is_filled(tmp_path / "hole", 1 << 20)
    assert not payload.is_filled(tmp_path / "absent", 1)
    assert payload.is_filled(tmp_path / "absent", 0)


def test_a_pipe_in_place_of_a_file_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mkv")
    assert not payload.is_filled(tmp_path / "film.mkv", 10)
    payload.sync(tmp_path, ["film.mkv"])


@pytest.mark.parametrize("planted", ["vid", "vid/show", "vid/show/a.mkv"])
def test_a_link_anywhere_below_the_downloads_is_refused(tmp_path: Path, planted: str) -> None:
    root = tmp_path / "down"
    (root / "vid" / "show").mkdir(parents=True)
    place = root / planted
    if place.is_dir():
        place.rename(tmp_path / "aside")
    place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="symbolic link") as caught:
        payload.reject_links(root, root / "vid", ["show/a.mkv"])
    assert caught.value.filename == str(place)


def test_a_link_above_the_downloads_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "disk" / "vid" / "show").mkdir(parents=True)
    root = tmp_path / "down"
    root.symlink_to(tmp_path / "disk")
    payload.reject_links(root, root / "vid", ["show/a.mkv"])
    payload.reject_links(tmp_path / "elsewhere", root / "vid", ["show/a.mkv"])
