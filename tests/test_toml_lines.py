"""Where keys stand."""

from __future__ import annotations

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from htdl.toml_lines import lines

TEXT = '''# a comment = 1
title = "x"  # and = another

[torrent]   # [not this]
max_connections = 50
paths = [
  "a]", # = 3
  'b = 4',
]
long = """
[stream]
port = 1 \\""" still
"""""
raw = \'\'\'
[stream]\'\'\'
after = 1
"quoted key" = {a = 1, "b.c" = [2]}
dotted.inner."x y" = 3
[ "a b" . c ]
d = 2026-11-23 10:00:00
[[many]]
e = 1.5e3
[[many]]
e = 2
'''


def test_each_key_is_found_where_it_stands() -> None:
    tomllib.loads(TEXT)
    assert lines(TEXT) == {
        ("title",): 2,
        ("torrent",): 4,
        ("torrent", "max_connections"): 5,
        ("torrent", "paths"): 6,
        ("torrent", "long"): 10,
        ("torrent", "raw"): 14,
        ("torrent", "after"): 16,
        ("torrent", "quoted key"): 17,
        ("torrent", "dotted"): 18,
        ("torrent", "dotted", "inner"): 18,
        ("torrent", "dotted", "inner", "x y"): 18,
        ("a b", "c"): 19,
        ("a b", "c", "d"): 20,
        ("many",): 21,
        ("many", "e"): 22,
    }


def test_lines_may_end_as_on_windows_or_not_at_all() -> None:
    assert lines("a = 1\r\n\r\nb = 2") == {("a",): 1, ("b",): 3}
    assert lines("") == {}


_KEYS = st.from_regex(r"[a-z_][a-z0-9_-]{0,5}", fullmatch=True)
_VALUES = st.one_of(
    st.integers(0, 10**6).map(str),
    st.booleans().map(lambda x: str(x).lower()),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8).map(json.dumps),
    st.text("ab'\"#=[]\n .", max_size=8).map(
        lambda x: '"""' + x.replace("\\", "").replace('"', '\\"') + '"""'
    ),
    st.text('ab"#=[]{}\n .', max_size=8).map(lambda x: f"'''{x}'''"),
    st.lists(st.text("ab#=[],", max_size=4).map(json.dumps), max_size=3).map(
        lambda x: "[\n" + ", # ]\n".join(x) + "\n]"
    ),
)


@given(st.dictionaries(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=4))
def test_every_key_of_a_text_is_found_at_its_beginning(tables: dict[str, dict[str, str]]) -> None:
    text = "".join(
        f"\n# {name} = 1\n[{name}]\n" + "".join(f"  {key} = {value}\n" for key, value in table.items())
        for name, table in tables.items()
    )
    assert {name: set(table) for name, table in tomllib.loads(text).items()} == {
        name: set(table) for name, table in tables.items()
    }
    found, written = lines(text), text.split("\n")
    assert len(found) == len(tables) + sum(map(len, tables.values()))
    for path, line in found.items():
        start = f"[{path[0]}]" if len(path) == 1 else f"  {path[1]} = "
        assert written[line - 1].startswith(start)
