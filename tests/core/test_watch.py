"""What is put into a folder: when it is taken, what it asks for, and where it is put away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.core import dropped, inbox
from htdl.core.dropped import Dropped, Look, Step
from htdl.core.watch import Watch
from htdl.errors import BadSource
from htdl.jobs import AddRequest, Wish
from htdl.torrent.api import Source
from tests.core.world import World, open_world
from tests.torrents import make_info, make_torrent

A, B = "magnet:?xt=urn:btih:" + "a" * 40, "magnet:?xt=urn:btih:" + "b" * 40
LOOK = Look("film.torrent", (1, 2, 3), is_file=True)


# what is meant, and when it is whole


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("film.torrent", ".torrent"),
        ("FILM.Torrent", ".torrent"),
        ("a.b.magnet", ".magnet"),
        ("film.torrent.part", None),
        (".film.torrent", None),
        ("._film.torrent", None),
        (".torrent", None),
        ("torrent", None),
    ],
)
def test_what_is_meant_is_told_by_the_end_of_its_name(name: str, kind: str | None) -> None:
    assert dropped.kind(name) == kind


def step(file: Dropped, now: float) -> Step:
    return dropped.step(file, now, settle=1.0, patience=15.0)


def test_a_file_is_taken_once_it_is_unchanged_for_a_moment() -> None:
    known = dropped.follow({}, [LOOK], 10.0)
    assert step(known[LOOK.name], 10.9) is Step.WAIT
    known = dropped.follow(known, [LOOK], 11.0)
    assert step(known[LOOK.name], 11.0) is Step.TAKE
    known = dropped.follow(known, [replace(LOOK, stamp=(1, 2, 4))], 11.5)
    assert step(known[LOOK.name], 12.4) is Step.WAIT


def test_one_that_cannot_be_taken_is_given_up_unless_it_changes() -> None:
    file = dropped.faulty(Dropped(LOOK, 10.0), ["it is half a torrent"])
    assert step(file, 24.9) is Step.WAIT
    assert step(file, 25.0) is Step.GIVE_UP
    changed = dropped.follow({LOOK.name: file}, [replace(LOOK, stamp=(9,))], 24.0)[LOOK.name]
    assert (changed.fault, step(changed, 25.0)) == (None, Step.TAKE)


def test_one_that_could_not_be_put_away_is_left_alone() -> None:
    assert step(Dropped(LOOK, 0.0, is_left=True), 1e9) is Step.WAIT


# magnets


def test_a_magnet_file_holds_one_or_several_a_line_and_comments() -> None:
    text = f"\ufeff# films\r\n\r\n  {A}&dn=a film\t of mine {B}\n #{A}\n{B.upper()}"
    assert dropped.magnets(text.encode()) == [f"{A}&dn=a film of mine", B, B.upper()]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no magnet link"),
        (b"# nothing\n", "no magnet link"),
        (A.encode() + b"\nhttp://example.org/a.torrent\n", "line 2 is no magnet link"),
        (b"\xff\xfe\x00", "line 1 is no magnet link"),
        ((A + "\n").encode() * 1001, "more than 1,000"),
        ((A + " ").encode() * 1001, "more than 1,000"),
    ],
)
def test_what_is_no_magnet_file_is_refused_with_its_line(data: bytes, words: str) -> None:
    with pytest.raises(BadSource, match=words):
        dropped.magnets(data)


@given(st.binary(max_size=300), st.sampled_from(["a.magnet", "a.torrent"]))
def test_any_bytes_are_requests_or_refused(data: bytes, name: str) -> None:
    try:
        found = dropped.requests(name, data, paused=True)
    except BadSource:
        return
    assert found
    assert all((x.source is None) != (x.torrent is None) and x.paused for x in found)


def test_a_long_line_of_spaces_takes_no_time() -> None:
    assert dropped.magnets(A.encode() + b" " * 900_000 + B.encode()) == [A, B]


# where it is put away


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=300), st.integers(1, 9999))
def test_a_name_has_room_for_its_number_and_its_reason(stem: str, number: int) -> None:
    try:
        name = f"{stem}.torrent"
        os.fsencode(name)
    except UnicodeEncodeError:  # half a character: no file has such a name
        return
    new = dropped.put_away_as(name, number)
    assert len(os.fsencode(new + dropped.REASON)) <= 255
    assert dropped.kind(new) or name.startswith(".")
    assert new.startswith(stem[:50])
    assert (new == name) == (number == 1 and len(os.fsencode(name)) <= 255 - len(dropped.REASON))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        (tmp_path / "film.torrent").write_text(text)
        inbox.put_away(tmp_path, inbox.look(tmp_path)[0], inbox.ADDED)
    put = {x.name: x.read_text() for x in (tmp_path / "added").iterdir()}
    assert put == {"film.torrent": "first", "film.2.torrent": "second", "film.3.torrent": "third"}


def test_what_was_changed_meanwhile_is_neither_read_nor_moved(tmp_path: Path) -> None:
    (tmp_path / "film.torrent").write_text("first")
    (look,) = inbox.look(tmp_path)
    (tmp_path / "film.torrent").write_text("another one")
    assert inbox.read(tmp_path, look) is None
    assert inbox.put_away(tmp_path, look, inbox.ADDED) is None
    assert (tmp_path / "film.torrent").read_text() == "another one"


def test_a_link_to_elsewhere_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    watched, elsewhere = tmp_path / "watched", tmp_path / "elsewhere"
    watched.mkdir()
    elsewhere.mkdir()
    (watched / "added").symlink_to(elsewhere)
    (watched / "film.torrent").write_text("x")
    with pytest.raises(OSError, match="added"):
        inbox.check(watched)
    with pytest.raises(OSError, match="added"):
        inbox.put_away(watched, inbox.look(watched)[0], inbox.ADDED)
    assert not list(elsewhere.iterdir())


def test_only_the_folder_itself_is_looked_at_oldest_first(tmp_path: Path) -> None:
    for number, name in enumerate(["b.torrent", "a.magnet", "c.txt"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    (tmp_path / "folder.torrent").mkdir()
    (tmp_path / "folder.torrent" / "d.torrent").touch()
    assert [x.name for x in inbox.look(tmp_path)] == ["b.torrent", "a.magnet"]


# the whole, on a real folder and a real database


@asynccontextmanager
async def watching(world: World, *folders: Path, **options: float) -> AsyncIterator[Watch]:
    world.configure(watch={"paths": [str(x) for x in folders], "poll_seconds": 1})
    waits = {"settle": 0.02, "patience": 0.2} | options
    watch = Watch(world.service.add, lambda: world.config.watch, **waits)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    return tmp_path / "watched"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        await world.book.load()
        yield world


def names(folder: Path) -> set[str]:
    """Of all files in it and below."""
    return {str(x.relative_to(folder)) for x in folder.rglob("*") if not x.is_dir()}


async def test_what_lay_there_before_is_taken_too_once(world: World, folder: Path) -> None:
    raw = make_torrent(make_info("video.mkv"))
    world.engine.sources[raw] = Source("f" * 40, None, "video.mkv", None, b"")
    world.knows(A)
    world.knows(B)
    (folder / "film.torrent").write_bytes(raw)
    (folder / "two.magnet").write_text(f"{A}\n{B}\n")
    async with watching(world, folder):
        await world.until(lambda: names(folder) == {"added/film.torrent", "added/two.magnet"})
    assert len(world.book.living) == 3

    (folder / "again.torrent").write_bytes(raw)
    async with watching(world, folder) as watch:
        await world.until(lambda: "added/again.torrent" in names(folder))
        (folder / "later.magnet").write_text(A)
        watch.look()
        await world.until(lambda: "added/later.magnet" in names(folder))
    assert len(world.book.living) == 3


async def test_a_copy_that_is_slow_is_waited_for(world: World, folder: Path) -> None:
    raw = make_torrent(make_info("video.mkv"))
    world.engine.sources[raw] = Source("f" * 40, None, "video.mkv", None, b"")
    async with watching(world, folder, patience=60.0) as watch:
        with (folder / "film.torrent").open("wb") as file:
            for start in range(0, len(raw), 50):
                file.write(raw[start : start + 50])
                file.flush()
                watch.look()
                await asyncio.sleep(0.03)  # longer than it must be unchanged
        watch.look()
        await world.until(lambda: names(folder) == {"added/film.torrent"})
    assert len(world.book.living) == 1


async def test_what_cannot_be_taken_is_put_away_with_the_reason(world: World, folder: Path) -> None:
    world.knows(A)
    (folder / "page.torrent").write_text("<html>")
    (folder / "empty.torrent").touch()
    with (folder / "huge.torrent").open("wb") as file:
        file.truncate(dropped.MAX_BYTES[dropped.TORRENT] + 1)
    (folder / "half.magnet").write_text(f"{A}\n{B}\n")
    secret = folder.parent / "secret"
    secret.write_text(A)
    (folder / "link.magnet").symlink_to(secret)
    os.mkfifo(folder / "pipe.torrent")
    (folder / ("n" * 247 + ".torrent")).write_text("a long name")
    async with watching(world, folder):
        await world.until(lambda: not [x for x in names(folder) if not x.startswith("failed/")])
    reasons = {x.name[:4]: x.read_text() for x in (folder / "failed").glob("*.reason.txt")}
    assert reasons.keys() == {"page", "empt", "huge", "half", "link", "pipe", "nnnn"}
    assert reasons["empt"] == "the file is empty\n"
    assert reasons["huge"] == "the file is larger than 10 MiB\n"
    assert reasons["half"] == f"1 of 2 added\nmagnet 2: not a source: {B!r}\n"
    assert reasons["link"] == reasons["pipe"] == "it is a link, a pipe or a device, and no file\n"
    assert len(names(folder)) == 14
    assert secret.read_text() == A
    assert [x.source for x in world.book.living.values()] == [A], "what is good of it is added"


async def test_a_folder_may_come_late_and_vanish(world: World, folder: Path) -> None:
    world.knows(A)
    world.knows(B)
    late, other = folder / "late", folder / "other"
    other.mkdir()
    async with watching(world, late, other) as watch:
        (other / "a.magnet").write_text(A)
        watch.look()
        await world.until(lambda: "other/added/a.magnet" in names(folder))
        late.mkdir()
        (late / "b.magnet").write_text(B)
        await world.until(lambda: "late/added/b.magnet" in names(folder))
    assert len(world.book.living) == 2


async def test_other_folders_and_options_are_taken_over(world: World, folder: Path) -> None:
    world.knows(A)
    async with watching(world) as watch:
        (folder / "a.magnet").write_text(A)
        world.configure(watch={"paths": [str(folder)], "start_paused": True})
        watch.look()
        await world.until(lambda: names(folder) == {"added/a.magnet"})
    (job,) = world.book.living.values()
    assert job.wish is Wish.PAUSE


async def test_a_file_that_cannot_be_put_away_is_not_taken(
    world: World, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else each start would add it again, also after its owner has removed the job."""
    world.knows(A)
    (folder / "added").write_text("a file where the folder is to be")
    (folder / "a.magnet").write_text(A)
    async with watching(world, folder) as watch:
        await world.until(lambda: "cannot be watched" in caplog.text)
        assert not world.book.living
        (folder / "added").unlink()
        watch.look()
        await world.until(lambda: names(folder) == {"added/a.magnet"})
    assert len(world.book.living) == 1


async def test_what_is_no_fault_of_the_file_is_tried_again(
    world: World, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world.knows(A)
    job = await world.add(A)
    await world.book.change(job.id, wish=Wish.CANCEL)  # and no runner ends it yet
    (folder / "a.magnet").write_text(A)
    async with watching(world, folder) as watch:
        await world.until(lambda: "cannot take it now" in caplog.text)
        assert names(folder) == {"a.magnet"}
        await world.book.change(job.id, wish=Wish.RUN)
        watch.look()
        await world.until(lambda: names(folder) == {"added/a.magnet"})
    assert world.book.living.keys() == {job.id}


def test_a_request_is_of_one_torrent() -> None:
    assert dropped.requests("a.torrent", b"d", paused=False) == [AddRequest(torrent=b"d")]
