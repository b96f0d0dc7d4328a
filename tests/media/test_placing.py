"""What was made gets its name, and takes nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from htdl.media import placing


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / ".htdl-7.part.mp4"
    path.write_text("made")
    return path


def test_a_free_name_is_taken(part: Path) -> None:
    placing.put(part, part.with_name("film.mp4"))
    assert [(x.name, x.read_text()) for x in part.parent.iterdir()] == [("film.mp4", "made")]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_name_that_is_taken_is_left(part: Path, kind: str) -> None:
    target = part.with_name("film.mp4")
    make = {
        "file": lambda: target.write_text("theirs"),
        "folder": target.mkdir,
        "link": lambda: target.symlink_to("nowhere"),
    }
    make[kind]()
    before = target.lstat()
    with pytest.raises(FileExistsError):
        placing.put(part, target)
    assert target.lstat() == before
    assert part.read_text() == "made"


def test_where_it_cannot_be_put_no_name_is_left(part: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == part.stat().st_dev:
        pytest.skip("there is no second file system")
    target = elsewhere / f"htdl-{part.parent.name}-{part.stat().st_ino}.mp4"
    with pytest.raises(OSError, match="cross-device"):
        placing.put(part, target)
    assert not target.exists()
    assert part.read_text() == "made"


def test_an_older_one_is_replaced(part: Path) -> None:
    target = part.with_name("film.mp4")
    target.write_text("older")
    placing.put_over(part, target)
    assert [(x.name, x.read_text()) for x in part.parent.iterdir()] == [("film.mp4", "made")]
