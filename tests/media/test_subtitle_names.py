"""What a name says of a subtitle, and what ours is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.media.probe import Stream
from htdl.media.subtitle_names import Kind, file_names, of_file, of_stream


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Film.2020.srt", Kind()),
        ("Film.2020.en.srt", Kind("en")),
        ("Film.2020.pt-BR.srt", Kind("pt-BR")),
        ("Film.2020.pt_BR.srt", Kind("pt-BR")),
        ("Film.2020.ENG.forced.srt", Kind("eng", is_forced=True)),
        ("Film.2020.en.sdh.srt", Kind("en", is_hearing_impaired=True)),
        ("Film.2020.en.hi.srt", Kind("en", is_hearing_impaired=True)),
        ("Film.2020.hi.srt", Kind("hi")),
        ("Film.2020[German].ass", Kind("de")),
        ("Film (2020) English [SDH].srt", Kind("en", is_hearing_impaired=True)),
        ("2_English.srt", Kind("en")),
        ("English.srt", Kind("en")),
        ("It.srt", Kind()),
        ("The.End.srt", Kind()),
        ("forced.srt", Kind()),
        ("...srt", Kind()),
    ],
)
def test_the_end_of_a_files_name(name: str, kind: Kind) -> None:
    assert of_file(name) == kind


def test_a_track_says_it_by_flags_or_title() -> None:
    track = Stream(index=1, kind="subtitle", language="en", title="English [SDH]")
    assert of_stream(track) == Kind("en", is_hearing_impaired=True)
    assert of_stream(Stream(index=1, kind="subtitle", title="Forced")) == Kind(is_forced=True)
    assert of_stream(Stream(index=1, kind="subtitle", is_forced=True)) == Kind(is_forced=True)


def test_several_of_one_language_are_counted() -> None:
    kinds = [Kind("en"), Kind("en"), Kind("en", is_forced=True), Kind("en", is_hearing_impaired=True), Kind()]
    assert file_names(kinds, ["en.vtt"]) == ["en.2.vtt", "en.3.vtt", "en.forced.vtt", "en.sdh.vtt", "und.vtt"]


@given(st.lists(st.text(max_size=12), max_size=6))
def test_a_strangers_word_never_leaves_the_folder(languages: list[str]) -> None:
    names = file_names([*map(Kind, languages), Kind("../../etc"), Kind("EN"), Kind("e" * 30), Kind("en\n")])
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*(\.\d+)?\.vtt", x) for x in names)


@given(st.text(max_size=40))
def test_nothing_makes_it_fail(name: str) -> None:
    assert of_file(name)
