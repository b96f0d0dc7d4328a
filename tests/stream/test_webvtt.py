from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.stream.webvtt import from_sidecar

SRT = (
    "1\r\n00:00:01,5 --> 00:00:04,000\r\nCafé <i>noir</i>\r\n\r\n"
    "2\r\n1:02:03,004 --> 1:02:05,006 X1:40\r\n{\\an8}Oui\r\n"
)
VTT = """WEBVTT

1
00:00:01.500 --> 00:00:04.000
Café <i>noir</i>

2
01:02:03.004 --> 01:02:05.006
Oui
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_subrip_becomes_webvtt_in_any_usual_encoding(encoding: str) -> None:
    assert from_sidecar(SRT.encode(encoding)).decode() == VTT


def test_webvtt_stays_as_it_is() -> None:
    given = "WEBVTT - Film\n\nNOTE 1, --> 2\n\n00:01.000 --> 00:02.000 line:0\nHéllo, you\n"
    assert from_sidecar(b"\xef\xbb\xbf" + given.encode()).decode() == given


def test_what_only_looks_like_a_timing_stays() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nAt 00:00:01,000 sharp, 3 --> 4\n"
    assert "At 00:00:01,000 sharp, 3 --> 4" in from_sidecar(text.encode()).decode()


@given(st.binary(max_size=300))
def test_nothing_makes_it_fail(data: bytes) -> None:
    assert from_sidecar(data).decode().startswith("WEBVTT")
