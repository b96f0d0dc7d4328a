from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from htdl import errors, wire
from htdl.errors import HtdlError


def tree(kind: type[HtdlError] = HtdlError) -> Iterator[type[HtdlError]]:
    """The errors of the one module that holds them."""
    yield kind
    for sub in kind.__subclasses__():
        if sub.__module__ == errors.__name__:
            yield from tree(sub)


ALL = sorted(tree(), key=lambda kind: kind.__name__)
EXIT_CODES = {
    "HtdlError": 1,
    "JobFailed": 1,
    "BadRequest": 2,
    "BadConfig": 2,
    "NoDaemon": 3,
    "NoSuchJob": 4,
    "BadSource": 5,
    "DiskFull": 6,
    "TimedOut": 7,
    "ConversionFailed": 8,
    "Refused": 9,
}


def test_scripts_may_rely_on_the_exit_codes() -> None:
    assert {kind.__name__: kind.exit_code for kind in ALL} == EXIT_CODES


def test_the_drawn_tree_says_the_same() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+) +(\d+) ", errors.__doc__ or ""))
    assert {name: int(code) for name, code in drawn.items()} == {
        name: code for name, code in EXIT_CODES.items() if name != "HtdlError"
    }


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ALL]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_kind_crosses_the_socket_and_comes_back(kind: type[HtdlError]) -> None:
    error = kind("what happened", hint="what to do")
    status = wire.status_of(error)
    assert 400 <= status < 600
    back = wire.error_from(status, wire.error_object(error))
    assert type(back) is kind
    assert (back.code, back.message, back.hint) == (kind.code, "what happened", "what to do")
    assert back.exit_code == kind.exit_code


def test_a_narrower_code_keeps_its_kind() -> None:
    error = errors.NoSuchJob("several jobs begin so", code="ambiguous_id")
    back = wire.error_from(wire.status_of(error), wire.error_object(error))
    assert type(back) is errors.NoSuchJob
    assert back.code == "ambiguous_id"


def test_the_text_of_an_error_is_its_message() -> None:
    assert str(HtdlError("what happened", hint="what to do")) == "what happened"
