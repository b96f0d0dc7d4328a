"""What goes, in which order and why: no file and no clock is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.core.cleaning import (
    VIDEOS,
    Holding,
    Kept,
    Kind,
    Removal,
    decide,
    holding,
    missing_bytes,
    size,
    used,
)

NOW = datetime(2024, 5, 31, 12, tzinfo=UTC)
GIB = 1 << 30


def kept(name: str, days: float = 0, **changes: Any) -> Kept:
    """A result of 1 GiB in a job of its own, last watched so many days ago."""
    values: dict[str, Any] = {
        "path": f"/v/{name}",
        "home": "/v",
        "kind": Kind.RESULT,
        "job": name,
        "file": 0,
        "bytes": GIB,
        "data": (1, hash(name)),
        "last_access": NOW - timedelta(days=days),
    }
    return Kept(**(values | changes))


def gone(*videos: Kept, ttl_days: int = 0, max_size: int = 0) -> dict[str, str]:
    """The names of what goes, in order, with the reasons."""
    removals = decide(videos, now=NOW, ttl_days=ttl_days, max_size=max_size, used=used(videos))
    return {x.video.path.removeprefix("/v/"): x.reason for x in removals}


def test_what_was_not_watched_for_too_long_goes_the_oldest_first() -> None:
    assert gone(kept("a", 31), kept("new", 29.9), kept("b", 400), kept("c", 30), ttl_days=30) == {
        "b": "not watched for 400 days",
        "a": "not watched for 31 days",
        "c": "not watched for 30 days",
    }
    assert list(gone(kept("a", 31), kept("b", 400), kept("c", 30), ttl_days=30)) == ["b", "a", "c"]
    assert gone(kept("a", 1), ttl_days=1) == {"a": "not watched for 1 day"}


def test_without_limits_nothing_goes() -> None:
    assert not gone(kept("a", 9999))


def test_over_the_quota_the_least_recently_watched_go_until_it_holds() -> None:
    videos = [kept("c", 1), kept("a", 3), kept("b", 2)]
    why = "the cache is over its 1.5 GiB: least recently watched"
    assert gone(*videos, max_size=GIB * 3 // 2) == {"a": why, "b": why}
    assert not gone(*videos, max_size=3 * GIB)


def test_what_went_by_age_makes_room_already() -> None:
    assert list(gone(kept("a", 40), kept("b", 2), ttl_days=30, max_size=GIB)) == ["a"]


@pytest.mark.parametrize("why", ["pinned", "in_use"])
def test_what_is_pinned_or_in_use_stays_and_still_takes_its_room(why: str) -> None:
    stays = kept("a", 99, **{why: True})
    assert list(gone(stays, kept("b", 1), ttl_days=30, max_size=GIB)) == ["b"]
    assert not gone(stays, ttl_days=30, max_size=1)


def test_where_room_is_short_the_spare_sources_go_first() -> None:
    old = kept("old", 20)
    source = kept("source", 1, kind=Kind.SOURCE, spare=True)
    result = kept("result", 1, job="source")
    assert gone(old, source, result, max_size=2 * GIB) == {
        "source": "the cache is over its 2 GiB: source of what is converted"
    }
    assert list(gone(old, source, result, max_size=GIB)) == ["source", "old"]
    assert list(gone(old, replace(source, spare=False), result, max_size=2 * GIB)) == ["old"]


def test_two_names_of_the_same_bytes_count_once_and_free_nothing_alone() -> None:
    result = kept("result", 9, job="j", data=(1, 1))
    source = kept("source", 9, job="j", data=(1, 1), kind=Kind.SOURCE, spare=True)
    assert used([result, source]) == GIB
    assert list(gone(result, source, kept("new"), max_size=GIB)) == ["result", "source"]
    assert list(gone(result, replace(source, in_use=True), kept("new", 1), max_size=GIB)) == ["new"]
    assert list(gone(result, replace(source, in_use=True), ttl_days=9)) == ["result"]


def test_a_file_that_is_not_there_frees_nothing() -> None:
    assert list(gone(kept("lost", 9, bytes=0, data=None), kept("b", 2), kept("c", 1), max_size=GIB)) == ["b"]


def test_subtitles_go_with_the_last_of_their_video() -> None:
    subtitle = kept("en.vtt", 99, job="j", kind=Kind.SUBTITLE, bytes=10)
    result = kept("result", 40, job="j")
    source = kept("source", 1, job="j", kind=Kind.SOURCE)
    other = kept("other.vtt", 99, job="j", file=1, kind=Kind.SUBTITLE, bytes=10)
    assert list(gone(subtitle, result, source, other, ttl_days=30)) == ["result"]
    assert gone(subtitle, result, other, ttl_days=30) == {
        "result": "not watched for 40 days",
        "en.vtt": "its video is removed",
    }
    assert not gone(subtitle, ttl_days=30, max_size=1)


def test_side_files_go_with_the_last_video_of_their_job() -> None:
    side = kept("side", 99, job="j", kind=Kind.SIDE)
    one, two = kept("one", 40, job="j"), kept("two", 1, job="j", file=1)
    assert list(gone(side, one, two, ttl_days=30)) == ["one"]
    assert list(gone(side, one, replace(two, job="other"), ttl_days=30)) == ["one", "side"]
    assert not gone(replace(side, spare=True), max_size=1)


def test_a_clock_that_was_set_back_removes_nothing_by_age() -> None:
    assert not gone(kept("a", -400), ttl_days=1)


def short(*videos: Kept, missing: int) -> list[str]:
    """The names of what goes where so many bytes are missing on device 1."""
    removals = decide(videos, now=NOW, ttl_days=30, max_size=0, used=used(videos), missing=missing, disk=1)
    return [x.video.path.removeprefix("/v/") for x in removals]


def test_where_the_disk_is_short_no_video_goes_of_which_nothing_else_is_there() -> None:
    old = kept("old", 29)
    source = kept("source", 3, kind=Kind.SOURCE, spare=True)
    older = kept("older", 4, kind=Kind.SOURCE, spare=True)
    only = kept("only", 20, kind=Kind.SOURCE)
    away = replace(older, path="/v/away", data=(2, 7))
    linked = replace(source, path="/v/linked", data=(1, 8))
    videos = [old, source, older, only, away, linked, kept("link", 3, data=(1, 8))]
    assert not short(*videos, missing=0)
    assert short(*videos, missing=1) == ["older"]
    assert short(*videos, missing=GIB + 1) == short(*videos, missing=99 * GIB) == ["older", "source"]
    assert short(kept("expired", 30), older, missing=GIB) == ["expired"]
    assert short(replace(source, pinned=True), replace(older, in_use=True), missing=1) == []
    assert short(kept("result", 30, job="source"), source, missing=2 * GIB) == ["result"]


@pytest.mark.parametrize(
    ("room", "needs", "missing"),
    [
        (GIB, [GIB], 0),
        (0, [], 0),
        (-5, [], 5),
        (-9 * GIB, [1], 9 * GIB),  # as much as can be had
        (GIB, [3 * GIB], 2 * GIB),
        (GIB, [3 * GIB + 1], 0),  # in vain
        (GIB, [4 * GIB, 2 * GIB, 1, GIB], GIB + 1),
    ],
)
def test_bytes_that_are_missing(room: int, needs: list[int], missing: int) -> None:
    spare = [kept(x, kind=Kind.SOURCE, spare=True) for x in ("a", "b")]
    videos = [*spare, kept("c"), replace(spare[0], path="/v/d", data=(2, 1))]
    assert missing_bytes(videos, room, needs, 1) == missing


def test_what_is_kept_is_summed_up_with_what_would_go() -> None:
    both = [kept("a", 40, job="j"), kept("b", 40, job="j", kind=Kind.SOURCE, data=(1, 2), bytes=2 * GIB)]
    linked = [kept("c", 1, data=(1, 1)), kept("d", 1, data=(1, 1), job="c", kind=Kind.SOURCE, pinned=True)]
    videos = [*both, *linked, kept("e", 50, pinned=True), kept("lost", 50, bytes=0, data=None)]
    removals = decide(videos, now=NOW, ttl_days=30, max_size=0, used=used(videos))
    assert holding(videos, removals) == Holding(
        videos=3, bytes=5 * GIB, pinned_bytes=2 * GIB, removable_bytes=3 * GIB
    )
    assert holding([], []) == Holding()


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (20 * GIB, "20 GiB"),
        (3 * GIB // 2, "1.5 GiB"),
        (300 << 20, "300 MiB"),
        (12, "12 bytes"),
        (8 << 63, "67,108,864 TiB"),
    ],
)
def test_sizes_are_told_as_people_write_them(count: int, words: str) -> None:
    assert size(count) == words


def kept_ones() -> st.SearchStrategy[list[Kept]]:
    one = st.builds(
        Kept,
        path=st.uuids().map(str),
        home=st.just("/v"),
        kind=st.sampled_from(Kind),
        job=st.sampled_from(["a", "b", None]),
        file=st.integers(0, 2),
        bytes=st.just(5),
        data=st.integers(0, 6).map(lambda x: (1, x)),
        last_access=st.integers(0, 50).map(lambda x: NOW - timedelta(days=x)),
        pinned=st.booleans(),
        in_use=st.booleans(),
        spare=st.booleans(),
    )
    return st.lists(one, max_size=12)


def decided(videos: list[Kept], ttl_days: int, max_size: int) -> list[Removal]:
    return decide(videos, now=NOW, ttl_days=ttl_days, max_size=max_size, used=used(videos))


@given(kept_ones(), st.integers(0, 60), st.integers(0, 40))
def test_nothing_protected_goes_and_nothing_goes_twice(
    videos: list[Kept], ttl_days: int, max_size: int
) -> None:
    removals = decided(videos, ttl_days, max_size)
    paths = [x.video.path for x in removals]
    assert len(paths) == len(set(paths))
    assert all(x.reason for x in removals)
    assert not any(x.video.kind in VIDEOS and (x.video.pinned or x.video.in_use) for x in removals)


@given(kept_ones(), st.integers(1, 40))
def test_the_quota_holds_then_or_what_is_left_frees_nothing(videos: list[Kept], max_size: int) -> None:
    paths = {x.video.path for x in decided(videos, 0, max_size)}
    left = [x for x in videos if x.path not in paths]
    held = {x.data for x in videos if x.pinned or x.in_use or x.kind not in VIDEOS}
    assert used(left) <= max_size or all(x.data in held for x in left)
