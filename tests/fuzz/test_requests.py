"""What comes over the two doors, and what goes out of them that a stranger has named."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl import wire
from htdl.answers import LimitRequest
from htdl.api import bodies, local
from htdl.api.playlist import Entry, m3u
from htdl.api.video import disposition
from htdl.errors import BadRequest
from htdl.jobs import AddRequest, FileRequest, JobPatch, Wanted
from htdl.stream import ranges

KINDS = [AddRequest, FileRequest, JobPatch, LimitRequest, Wanted]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({name for kind in KINDS for name in kind.__slots__})
HEADERS = ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"]
ETAG = '"1-2"'


@pytest.mark.parametrize("kind", KINDS)
@given(
    body=st.binary(max_size=200) | st.dictionaries(st.sampled_from(FIELDS), VALUES).map(msgspec.json.encode)
)
def test_a_body_is_read_or_refused_in_words(kind: type, body: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(bodies.decode(body, kind), kind)


@given(
    st.dictionaries(
        st.sampled_from(HEADERS),
        st.text(max_size=40) | st.sampled_from([ETAG, "*", "bytes=0-", "Thu, 01 Jan 1970 00:00:00 GMT"]),
    ),
    st.sampled_from(["GET", "HEAD"]),
    st.none() | st.floats(0, 4e9),
)
def test_conditions_always_come_to_an_outcome(headers: dict[str, str], method: str, modified: float) -> None:
    outcome = ranges.evaluate(method, headers, ETAG, modified)
    assert outcome in ranges.Outcome
    parts = ranges.parse(headers.get("Range"), 1000)
    assert parts is None or all(0 <= part.start < part.stop <= 1000 for part in parts)


@given(st.text(), st.none() | st.text(), st.text())
def test_only_our_own_names_are_heard(host: str, origin: str | None, site: str) -> None:
    headers = {"Host": host, "Sec-Fetch-Site": site} | ({} if origin is None else {"Origin": origin})
    ours = {f"{name}:8083" for name in ("127.0.0.1", "localhost", "[::1]")}
    if host.lower() not in ours or origin is not None:
        assert local.objection(headers, 8083)


@given(st.lists(st.tuples(st.text(), st.floats(0, 1e9)), max_size=4))
def test_a_name_begins_no_line_of_a_playlist(names: list[tuple[str, float]]) -> None:
    url = "http://127.0.0.1:8083/stream/x"
    lines = m3u([Entry(name, url, seconds) for name, seconds in names]).split("\n")
    assert [x for x in lines if not x.startswith("#")] == [url] * len(names) + [""]
    assert all(line.isprintable() for line in lines)


@given(st.text())
def test_a_name_ends_no_header(name: str) -> None:
    assert re.fullmatch(r'inline; filename="[^"\r\n]*"; filename\*=UTF-8\'\'[!-~]*', disposition(name))


SECRET = "5ecre7" * 4
URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "udp", "HTTP"]),
    st.sampled_from(["", f"user:{SECRET}@", f"{SECRET}@"]),
    st.sampled_from(["tracker.example", "[::1]:80", "t.example:1337"]),
    st.sampled_from(["", "/announce", f"/{SECRET}/announce", f"/announce/{SECRET}", f"/{SECRET}"]),
    st.sampled_from(["", f"?k={SECRET}", f"#{SECRET}", f"?%6b={SECRET}/announce"]),
)


@given(st.lists(URLS, min_size=1, max_size=3), st.booleans())
def test_no_secret_is_left_in_a_source(urls: list[str], is_magnet: bool) -> None:
    magnet = "magnet:?xt=urn:btih:ab" + "".join(f"&tr={url}" for url in urls)
    shown = wire.shown_source(magnet if is_magnet else urls[0])
    assert SECRET not in shown


@given(st.text() | st.text().map("magnet:?".__add__) | st.text().map("http://".__add__))
def test_any_text_is_a_source_to_show(text: str) -> None:
    json.dumps(wire.shown_source(text))
