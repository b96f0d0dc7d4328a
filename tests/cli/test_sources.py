from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest

from htdl.cli import sources
from htdl.errors import BadSource

NOTHING = io.BytesIO()


@pytest.mark.parametrize(
    "source",
    [
        "magnet:?xt=urn:btih:" + "a" * 40,
        "MAGNET:?xt=urn:btih:" + "a" * 40,
        "https://example.org/a.torrent",
        "aB" * 20,
        "ab" * 32,
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
    ],
)
def test_links_and_hashes_go_as_they_are(source: str) -> None:
    assert sources.read(f" {source}\n", NOTHING) == {"source": source}


def test_a_file_goes_as_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "日本.torrent"
    file.write_bytes(b"d4:infod\xffe")
    assert sources.read(str(file), NOTHING) == {"torrent": base64.b64encode(b"d4:infod\xffe").decode()}


def test_a_pipe_gives_a_torrent_or_a_magnet() -> None:
    assert sources.read("-", io.BytesIO(b"d1:x")) == {"torrent": base64.b64encode(b"d1:x").decode()}
    assert sources.read("-", io.BytesIO(b"magnet:?xt=1\n")) == {"source": "magnet:?xt=1"}


def test_a_url_that_nobody_fetches_is_no_missing_file() -> None:
    with pytest.raises(BadSource, match="cannot be fetched"):
        sources.read("ftp://example.org/a.torrent", NOTHING)


@pytest.mark.parametrize("data", [b"", b"x" * (sources.MAX_TORRENT_BYTES + 1)])
def test_nothing_and_too_much_are_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    for given, stdin in ((str(file), NOTHING), ("-", io.BytesIO(data))):
        with pytest.raises(BadSource):
            sources.read(given, stdin)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero"), tmp_path / "missing", tmp_path / ("x" * 300)):
        with pytest.raises(BadSource, match=r"."):
            sources.read(str(path), NOTHING)
