"""The configuration: read, or refused with every fault in words; never anything else."""

from __future__ import annotations

from contextlib import suppress
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from htdl import config
from htdl.errors import BadConfig
from htdl.values import Size

KEYS = sorted(f"{section}.{key}" for section, kind in config.SECTIONS.items() for key in get_type_hints(kind))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
TOML = st.sampled_from(
    ["true", "-1", "1e400", "nan", "0x7f", "[]", "[1, 'a']", "{}", "'x'", "'/a/../b'", "'1GiB'", "1979-05-27"]
) | TEXTS.map(lambda text: f"'''{text}'''")
NAMES = st.sampled_from(KEYS) | TEXTS
HOME = {"HOME": "/home/u", "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"}


def loads(text: str, environ: dict[str, str]) -> None:
    with suppress(BadConfig):
        assert isinstance(config.load(text, HOME | environ), config.Config)


@given(st.lists(st.tuples(NAMES, TOML), max_size=4) | TEXTS)
def test_a_file_is_read_or_refused_in_words(lines: list[tuple[str, str]] | str) -> None:
    loads(lines if isinstance(lines, str) else "".join(f"{key} = {value}\n" for key, value in lines), {})


@given(st.dictionaries(NAMES, TEXTS, max_size=3))
def test_a_variable_is_read_or_refused_in_words(values: dict[str, str]) -> None:
    loads("", {f"HTDL_{key.replace('.', '_').upper()}": value for key, value in values.items()})


@given(TEXTS | st.from_regex(r"\s*\d{1,40}(\.\d{1,40})?\s*[kKmMgGtT]?i?[bB]?\s*", fullmatch=True))
def test_a_size_is_a_number_of_bytes_or_none(text: str) -> None:
    with suppress(ValueError):
        assert Size.parse(text) >= 0
