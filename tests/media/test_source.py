"""What may be opened, and with which options."""

from __future__ import annotations

import pytest

from htdl.media.source import FORMATS, Source


def test_a_file_is_opened_with_its_protocol_and_the_formats_of_one_file_alone() -> None:
    assert Source("/films/-y concat:a|b.mkv").arguments == [
        *("-protocol_whitelist", "file", "-format_whitelist", FORMATS),
        *("-i", "file:/films/-y concat:a|b.mkv"),
    ]


def test_nothing_that_follows_references_is_opened() -> None:
    assert not {"hls", "dash", "concat", "sdp", "image2", "tee", "lavfi"} & set(FORMATS.split(","))


def test_our_own_stream_is_read_over_http_alone() -> None:
    source = Source("http://127.0.0.1:8083/stream/abc/0/A%20film.mkv?x=1", is_url=True)
    assert source.options["protocol_whitelist"] == "http,tcp"
    assert source.arguments[-2:] == ["-i", source.target]
    assert not any("timeout" in option for option in source.options)
    assert source.name == "A film.mkv"


@pytest.mark.parametrize(
    ("target", "is_url"),
    [
        ("film.mkv", False),
        ("-y", False),
        ("/films/a\0b", False),
        ("http://127.0.0.1:8083/a", False),
        ("/films/a.mkv", True),
        ("http://127.0.0.1.evil.example/a", True),
        ("http://127.0.0.1:80@evil.example/a", True),
        ("https://example.org/a.mkv", True),
        ("http://127.0.0.1:8083/a b", True),
    ],
)
def test_nothing_else_is_a_source(target: str, is_url: bool) -> None:
    with pytest.raises(ValueError, match="neither"):
        Source(target, is_url)
