from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from rich.cells import cell_len

from htdl.cli import plan_words
from htdl.media.plan import Target, plan
from htdl.media.probe import Probe, Stream

HAS = frozenset({"libx264", "aac"})
FILM = Stream(index=0, kind="video", codec="h264", pixel_format="yuv420p", width=1920, height=1080)
HEVC = Stream(index=0, kind="video", codec="hevc", width=1920, height=1080, frame_rate=24.0)
SOUND = Stream(index=1, kind="audio", codec="ac3", channels=6, language="eng", title="Surround")
TEXT = Stream(index=2, kind="subtitle", codec="hdmv_pgs_subtitle", language="jpn")


def planned(*streams: Stream, container: str = "matroska,webm", **fields: Any) -> dict[str, Any]:
    """As it comes through JSON."""
    known: dict[str, Any] = {"duration": 5400.0, "size": 3 << 30, "bit_rate": None}
    found = Probe(container=container, streams=streams, **(known | fields))
    value: dict[str, Any] = json.loads(json.dumps(asdict(plan(found, Target(), has=HAS))))
    return value


def drawn(value: dict[str, Any], width: int = 80) -> list[str]:
    return [x.plain for x in plan_words.drawing(value, width)]


def test_a_person_reads_what_is_done_and_why() -> None:
    rows = dict(plan_words.summary(planned(FILM, SOUND)))
    assert rows["to do"] == "encode the sound, copy the picture into MP4"
    assert rows["why"] == "AC-3 is silent in some browsers; 6 channels become stereo"
    assert rows["begins"] == "while it downloads"
    assert rows["takes"] == "about 2m25s of computing"
    assert rows["result"] == "about 3.1 GiB"
    assert "begins" not in dict(plan_words.summary({**planned(FILM, SOUND), "is_here": True}))


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        ((FILM,), "copy it into MP4"),
        ((HEVC, SOUND), "encode the picture for MP4"),
        ((SOUND,), "encode the sound for MP4"),
    ],
)
def test_the_effort_is_told_in_words(streams: tuple[Stream, ...], words: str) -> None:
    assert plan_words.effort(planned(*streams)) == words


def test_of_what_plays_nothing_is_estimated() -> None:
    value = planned(FILM, container="mov,mp4,m4a,3gp,3g2,mj2")
    assert plan_words.summary(value) == [("to do", "nothing"), ("why", "plays in every browser as it is")]


def test_what_is_not_known_has_no_line() -> None:
    rows = dict(plan_words.summary(planned(HEVC, duration=None, size=None)))
    assert not {"takes", "result"} & rows.keys()


def test_each_stream_has_a_row() -> None:
    rows = plan_words.streams(planned(FILM, SOUND, TEXT))
    assert [x[:4] for x in rows] == [
        ("0 video", "", "h264", "copy"),
        ("1 audio", "eng, Surround", "ac3 → aac", "encode"),
        ("2 subtitle", "jpn", "hdmv_pgs_subtitle", "leave out"),
    ]


def test_plain_lines_hold_all_of_it() -> None:
    lines = plan_words.lines(planned(FILM, SOUND, TEXT))
    assert any(x.startswith("1 audio") and x.endswith("6 channels become stereo") for x in lines)
    assert lines[-1].startswith("warning: subtitles 2 (jpn) are left out")


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_drawing_fits_and_loses_no_reason(width: int) -> None:
    value = planned(HEVC, SOUND, TEXT)
    lines = drawn(value, width)
    assert all(cell_len(x) <= width for x in lines)
    told = " ".join(" ".join(lines).split())
    assert "HEVC does not play in every browser" in told
    assert "PGS subtitles are pictures" in told


def test_a_title_cannot_command_the_terminal() -> None:
    value = planned(FILM, SOUND)
    value["streams"][1] |= {"title": "\x1b[31mred\x07\u202e[bold]", "reason": "\x1b]0;x"}
    value["warnings"] = ["\x1b[2J"]
    for text in ("\n".join(plan_words.lines(value)), "".join(drawn(value))):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text
