"""What a browser is given: words, and of their markup what can do no harm."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.media import webvtt
from htdl.media.cues import Cue
from htdl.media.webvtt import MAX_BYTES, MAX_CUES, clean, render


def test_cues_in_the_order_of_time_each_once() -> None:
    text, count = render(
        [
            Cue(3723004, 3725006, "late"),
            Cue(0, 1, "<i></i> \n"),
            Cue(1500, 4000, "é", "line:0"),
            Cue(1500, 4000, "é", "line:0"),
        ]
    )
    assert text.decode() == (
        "WEBVTT\n\n00:00:01.500 --> 00:00:04.000 line:0\né\n\n01:02:03.004 --> 01:02:05.006\nlate\n"
    )
    assert count == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("<i>a</i> <B>b</B> < u >c</u>", "<i>a</i> <b>b</b> <u>c</u>"),
        ("<ruby>漢<rt>かん</rt></ruby>", "<ruby>漢<rt>かん</rt></ruby>"),
        ('<i onclick="x">a</i>', "<i>a</i>"),
        ("<script>alert(1)</script>", "alert(1)"),
        ('<font color="red">a</font><c.big>b</c><v Bob>d<00:01.000></>', "abd"),
        ("1 < 2 > 0 & <3 <", "1 &lt; 2 &gt; 0 &amp; &lt;3 &lt;"),
        ("<scr<script>ipt>", "&lt;script&gt;"),
        ("R&D &amp; &lt;i&gt; &#39; &copy;", "R&amp;D &amp; &lt;i&gt; &#39; &amp;copy;"),
        ("a --> b", "a --&gt; b"),
        ("a\n\n \nb\0\x1b[31m\r\x85\n", "a\nb[31m"),
        ("\ud800a", "a"),
    ],
)
def test_words_are_cleaned(given: str, shown: str) -> None:
    assert clean(given) == shown


@given(st.lists(st.tuples(st.integers(0, 10**8), st.text(max_size=60)), max_size=8))
def test_whatever_is_said_it_is_a_webvtt(said: list[tuple[int, str]]) -> None:
    text, count = render(Cue(begin, begin + 1000, words) for begin, words in said)
    head, *blocks = text.decode().removesuffix("\n").split("\n\n")
    assert (head, len(blocks)) == ("WEBVTT", count)
    for block in blocks:
        timing, *words = block.split("\n")
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}", timing)
        assert words
        assert all(words)
        assert "-->" not in block[len(timing) :]
        assert not re.search(r"<(?!/?(?:b|i|u|ruby|rt)>)|\0|\r", block)


def test_it_is_bounded() -> None:
    text, count = render(Cue(x, x + 1, "&" * 4000) for x in range(2000))
    assert len(text) <= MAX_BYTES
    assert 900 < count < 1100
    assert render(Cue(x, x + 1, "a") for x in range(MAX_CUES + 5))[1] == MAX_CUES


@pytest.mark.parametrize("unit", ["<a", "<", "&", "<a ", "</", "< ", "<1", "a"])
def test_hostile_words_take_no_longer_than_their_length(unit: str) -> None:
    began = time.process_time()
    clean("<" + unit * (200_000 // len(unit)))
    assert time.process_time() - began < 2


def test_a_time_is_that_of_the_standard() -> None:
    assert webvtt.clock(3723004) == "01:02:03.004"
