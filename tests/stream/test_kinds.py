from __future__ import annotations

import pytest

from htdl.stream.kinds import OCTETS, VIDEO, is_video, media_type, natural


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mp4", "video/mp4"),
        ("A Film (2020).MKV", "video/x-matroska"),
        ("00001.m2ts", "video/mp2t"),
        ("a.ts", "video/mp2t"),
        ("de.vtt", "text/vtt; charset=utf-8"),
        ("film.en.srt", "application/x-subrip"),
        ("page.html", "application/octet-stream"),
        ("cover.svg", "application/octet-stream"),
        ("mkv", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_types(name: str, kind: str) -> None:
    assert media_type(name) == kind


def test_each_video_has_a_media_type() -> None:
    assert [ending for ending in VIDEO if media_type(f"a{ending}") == OCTETS] == []


def test_names_are_sorted_as_people_number_them() -> None:
    names = ["S10E1", "s1e10", "x" + "9" * 5000, "S2E01", "S1E2"]
    assert sorted(names, key=natural) == ["S1E2", "s1e10", "S2E01", "S10E1", names[2]]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.MKV", True),
        ("b.webm", True),
        ("b.rmvb", True),
        ("mkv", False),
        ("a.mkv/b", False),
        ("a.mka", False),
    ],
)
def test_a_video_is_told_by_its_ending(path: str, expected: bool) -> None:
    assert is_video(path) is expected
