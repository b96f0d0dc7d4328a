"""What `play` takes for a job, and what for a source."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.cli.play import is_id


@given(st.uuids(), st.integers(1, 36), st.booleans())
def test_any_prefix_of_an_id_is_a_job(job_id: uuid.UUID, length: int, is_upper: bool) -> None:
    prefix = str(job_id)[:length]
    assert is_id(prefix.upper() if is_upper else prefix)


@pytest.mark.parametrize(
    "source",
    [
        "a" * 40,  # info-hashes: v1, v2, v1 in base32
        "b" * 64,
        "a" * 32,
        "magnet:?xt=urn:btih:" + "a" * 40,
        "https://example.org/a",
        "./abcd",
        "film.torrent",
        "-",
        "",
    ],
)
def test_all_else_is_a_source(source: str) -> None:
    assert not is_id(source)
