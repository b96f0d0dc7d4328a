"""The words and times of every text format."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.media.cues import MAX_CHARACTERS, Cue, read

ASS = r"""[Script Info]
Title: Film
[V4+ Styles]
Style: Default,Arial,20,broken,,,,
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,a note
Dialogue: 0,0:00:01.50,0:00:04.00,Default,,0,0,0,,{\i1\bord2}Oui{\i0}, {\b700}non{\r}\Nun, deux{a remark}\hfin
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\an8\pos(3,4)}En haut
Dialogue: 0,0:00:05.00,0:00:06.00,Sign,,0,0,0,,{\p1}m 0 0 l 100 0{\p0}{\iclip(m 0 0)}mot
Dialogue: nonsense
Dialogue: 0,late,0:00:06.00,Default,,0,0,0,,x
Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,{never closed
"""


def cues(text: str, frame_rate: float | None = None) -> list[Cue]:
    return list(read(text, frame_rate).cues)


def test_subrip_as_it_is_found() -> None:
    text = (
        "\ufeff1\r\n00:00:01,5 --> 00:00:04,000\r\nCafé <i>noir</i>\r\n1984\r\n\r\n"
        "2\r\n1:02:03,004 --> 1:02:05,006 X1:40 Y1:3\r\n{\\an8}Oui\r\n\r\net non\r\n\r\n"
        "3\r\n00:00:09,000 -> 00:00:10,000\r\n3\r\n"
    )
    assert cues(text) == [
        Cue(1500, 4000, "Café <i>noir</i>\n1984\n"),
        Cue(3723004, 3725006, "Oui\n\net non\n", "line:0"),
        Cue(9000, 10000, "3"),
    ]


def test_subrip_without_numbers_or_with_an_empty_line_after_each() -> None:
    assert [
        x.text.strip() for x in cues("00:00:01,000 --> 00:00:02,000\nA\n00:00:03,000 --> 00:00:04,000\nB")
    ] == [
        "A",
        "B",
    ]
    spaced = "1\n\n00:00:01,000 --> 00:00:02,000\n\nA\n\n2\n\n00:00:03,000 --> 00:00:04,000\n\nB\n"
    assert [x.text.strip() for x in cues(spaced)] == ["A", "B"]


def test_what_only_looks_like_times_are_words() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nAt 00:00:01,000 sharp, 3 --> 4\n"
    assert cues(text) == [Cue(1000, 2000, "At 00:00:01,000 sharp, 3 --> 4")]


def test_webvtt_keeps_its_places_and_loses_its_notes() -> None:
    text = (
        "WEBVTT - Film\nKind: captions\n\nSTYLE\n::cue{color:red}\n\nNOTE 1 --> 2\nnot said\n\n"
        "intro\n00:01.000 --> 00:02.000 line:0 region:x position:10%,line-left onload:1\n42\n\nnot said\n"
    )
    assert cues(text) == [Cue(1000, 2000, "42", "line:0 position:10%,line-left")]


def test_substation_without_its_styles_and_drawings() -> None:
    found = read(ASS)
    assert found.lost == "styles are lost"
    assert list(found.cues) == [
        Cue(1500, 4000, "<i>Oui</i>, <b>non</b>\nun, deux\u00a0fin"),
        Cue(5000, 6000, "En haut", "line:0"),
        Cue(5000, 6000, "mot"),
        Cue(7000, 8000, "{never closed"),
    ]


def test_substation_reads_its_fields_as_it_says() -> None:
    text = "[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,a, b\n"
    assert cues(text) == [Cue(1000, 2000, "a, b")]


def test_subviewer() -> None:
    text = "[INFORMATION]\n[TITLE]Film\n[END INFORMATION]\n00:00:01.50,00:00:03.00\nUn[br]deux\n\n"
    assert cues(text) == [Cue(1500, 3000, "Un\ndeux\n")]


@pytest.mark.parametrize(
    ("head", "frame_rate", "lost", "begin"),
    [
        ("{1}{1}25.000\n", None, "", 1000),
        ("{0}{0}25\n", 50.0, "", 1000),
        ("", 12.5, "", 2000),
        ("", None, "its frame rate is a guess", 1043),
    ],
)
def test_microdvd_counts_frames(head: str, frame_rate: float | None, lost: str, begin: int) -> None:
    found = read(head + "{25}{75}{y:i}Un|deux\nnonsense\n", frame_rate)
    cue = next(found.cues)
    assert (cue.begin, cue.text, found.lost) == (begin, "Un\ndeux", lost)


def test_mpl2_counts_tenths() -> None:
    assert cues("[10][25]Un|/deux\n") == [Cue(1000, 2500, "Un\n<i>deux</i>")]


def test_a_cue_without_a_length_is_none() -> None:
    text = (
        "00:00:02,000 --> 00:00:02,000\nA\n\n00:00:03,000 --> 00:00:01,000\nB\n\n"
        "999:00:00,000 --> 999:00:01,000\nC"
    )
    assert cues(text) == []


def test_it_ends_where_it_is_told_to() -> None:
    left = iter([True] * 3)
    text = "00:00:01,000 --> 00:00:02,000\nA\n\n00:00:03,000 --> 00:00:04,000\nB\n"
    assert [x.text.strip() for x in read(text, None, lambda: next(left, False)).cues] == ["A"]


TIMING = "00:00:01,000 --> 00:00:02,000\n"


@pytest.mark.parametrize(
    "text",
    [
        TIMING + "\n" * 400_000,
        TIMING + "x\n" * 200_000,
        TIMING * 20_000,
        TIMING + "{\\an8" * 100_000,
        TIMING + "{" * 400_000 + "\\",
        ("0:" + " " * 400_000 + "\n") * 2,
        "00:00:01,000" + " " * 400_000 + "\n",
        "{1}{9}" + "{a:" * 200_000,
        "{1}{" + "9" * 400_000 + "}x",
        " " * 400_000 + "{",
        "[Events]\nDialogue: " + "," * 400_000,
        "[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,0,0,0,," + "{\\i1}x" * 80_000,
        "[Events]\nFormat:" + "text," * 80_000 + "\nDialogue: " + "x," * 200_000,
        "WEBVTT\n\n" + TIMING.replace(",", ".").strip() + " " + "line:0 " * 60_000,
    ],
)
def test_a_hostile_file_takes_no_longer_than_its_length(text: str) -> None:
    began = time.process_time()
    found = cues(text)
    assert time.process_time() - began < 2  # 400 kB: what grows with its square takes minutes
    assert all(len(x.text) + len(x.settings) <= 3 * MAX_CHARACTERS for x in found)


@given(
    st.text(max_size=300),
    st.sampled_from(["", "WEBVTT\n\n", "[Events]\nDialogue: ", "{1}{9}", "[1][9]", TIMING]),
)
def test_nothing_makes_it_fail(text: str, head: str) -> None:
    assert all(0 <= x.begin < x.end for x in cues(head + text))
