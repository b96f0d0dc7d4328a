from __future__ import annotations

from typing import Any

import pytest

from htdl.cli import files
from htdl.errors import BadRequest
from tests.cli.objects import job

MIB = 1 << 20
SERIES = [
    ("Show/[Group] Show S01E01.mkv", 300 * MIB),
    ("Show/Show S01E02.mkv", 280 * MIB),
    ("Show/Show S01E02.srt", MIB // 10),
    ("Show/\x1b[2J.mkv", 290 * MIB),
]


def series() -> dict[str, Any]:
    told = [{"index": n + 3, "path": path, "size": size} for n, (path, size) in enumerate(SERIES)]
    return job() | {"files": told}


@pytest.mark.parametrize(
    ("given", "index"),
    [
        (None, None),
        ("7", 7),  # the daemon knows whether there is one
        ("*e02*", 4),  # its subtitles lie beside it
        ("show s01e02.SRT", 5),
        ("[Group] Show S01E01.mkv", 3),
        ("Show/*E01*", 3),
    ],
)
def test_a_file_is_named_by_number_or_glob(given: str | None, index: int | None) -> None:
    assert files.index(series(), given) == index


def test_several_files_are_not_one() -> None:
    with pytest.raises(BadRequest, match="names 3 files") as caught:
        files.index(series(), "*.mkv")
    assert r"\x1b[2J.mkv" in caught.value.message
    assert caught.value.hint == "give a number; `htdl show 3f2a91bc` lists them"


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(BadRequest, match=r"'\*.avi'") as caught:
        files.index(series(), "*.avi")
    assert caught.value.code == "no_such_file"
