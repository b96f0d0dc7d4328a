"""An address that a person or a site names: shown by its host alone, and never a bug."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from htdl.errors import BadSource
from htdl.torrent import fetch, sources

SECRET = "5ecre7" * 3
PARTS = st.lists(
    st.sampled_from(
        [
            "http://",
            "https://",
            "//",
            "/",
            "\\",
            "@",
            ":",
            "[",
            "]",
            "?",
            "#",
            "%",
            "..",
            "a",
            "é",
            "\u202e",
            "\x1b[2J",
        ]
    )
    | st.text(max_size=4),
    max_size=8,
).map("".join)


@given(PARTS, st.sampled_from(["/", "?", "#", "/x?k="]))
def test_what_is_shown_ends_with_the_host(place: str, end: str) -> None:
    shown = fetch._shown(f"http://host.example{end}{place}{SECRET}")
    assert shown == "http://host.example/…" or shown == "the URL"
    assert fetch._shown(place).isprintable()


@given(PARTS)
def test_a_redirect_leads_somewhere_or_is_refused(location: str) -> None:
    with suppress(BadSource):
        assert isinstance(fetch._target("http://host.example/a", location), str)


@given(PARTS, st.sampled_from([ValueError("x"), OSError(113, "x"), OSError("x")]))
def test_a_failure_is_told_in_words(url: str, error: Exception) -> None:
    told = fetch._failure(url, error)
    assert told.message.isprintable()
    assert told.hint


@given(
    PARTS
    | PARTS.map("magnet:?xt=urn:btih:".__add__)
    | PARTS.map(f"magnet:?xt=urn:btih:{'c3' * 20}&tr=".__add__)
)
def test_any_text_is_a_source_or_refused_in_words(text: str) -> None:
    try:
        found = sources.parse(text, allow_lan=False)
    except BadSource as exc:
        told = exc.message
    else:
        told = found.name
    assert told.isprintable()
