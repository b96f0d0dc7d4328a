"""One value of the configuration: what a file or a variable says, as what it stands for.  Pure."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)
_MAX_SIZE = 1 << 60  # more than any file system; JSON's numbers end at 2**63
_TOO_LARGE = "is too large for a size: more than 1 EiB"
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}

_EXPECTED = re.compile(r"Expected `(\w+)`(?: ([<>]=?) ([-.\d]+))?(?:, got `(\w+)`)?(?: - at `\$\[(\d+)\]`)?")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_OTHERS = _KINDS | {"float": "one with a point", "date": "a date", "time": "a time", "datetime": "a date"}
_BOUNDS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}


class Size(int):
    """Bytes; written as a number or as "1GiB", "500 MB", "1.5G" (a bare letter counts in 1024s)."""

    @classmethod
    def parse(cls, text: str) -> Size:
        match = _SIZE.fullmatch(text)
        if not match:
            raise ValueError(f"not a size: {text!r}; write it as 500MiB or 1GiB")
        number, letter, binary = match.groups()
        if len(number) > 30:
            raise ValueError(_TOO_LARGE)
        decimal = letter and not binary and text.strip().upper().endswith("B")
        return cls(float(number) * (1000 if decimal else 1024) ** _POWER[letter.upper()])

    def written(self) -> str:
        """As `parse` reads it, in the largest unit that says it to the byte: "1GiB", "1500"."""
        for letter, power in reversed(_POWER.items()):
            if letter and self and self % 1024**power == 0:
                return f"{self // 1024**power}{letter}iB"
        return str(int(self))


def from_text(text: str, kind: Any) -> Any:
    """An environment variable as the TOML value it stands for; paths are separated by colons, words as for a
    shell.  Raises ValueError.
    """
    if kind in (str, Path, Size):
        return text
    if kind is bool:
        lowered = text.strip().lower()
        if lowered in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return lowered in {"1", "true", "yes", "on"}
        raise ValueError(f"{text!r} is neither true nor false")
    if kind == tuple[Path, ...]:
        return [x for x in text.split(":") if x]
    if kind == tuple[str, ...]:
        return _words(text)
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text  # the section's own check names what it should have been


def _words(text: str) -> list[str]:
    """A program and its arguments, say, quoted as for a shell."""
    try:
        return shlex.split(text)
    except ValueError as exc:
        raise ValueError(f"cannot be split into words: {exc}".lower()) from exc


def decode(kind: type, value: Any) -> Any:
    """What msgspec does not know.  Raises ValueError."""
    if kind is Path:
        return _path(value)
    if kind is Size:
        return _size(value)
    raise NotImplementedError(kind)


def _size(value: Any) -> Size:
    if isinstance(value, str):
        size = Size.parse(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        size = Size(value)
    else:
        raise ValueError(f"not a size: {value!r}; write it as 500MiB or 1GiB")
    if size > _MAX_SIZE:
        raise ValueError(_TOO_LARGE)
    return size


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"not a path: {value!r}")
    try:
        path = Path(value).expanduser()
    except RuntimeError as exc:  # ~name, and nobody has that name
        raise ValueError(f"{value!r} begins with the home folder of an unknown user") from exc
    if not path.is_absolute():
        raise ValueError(f"{value!r} is not an absolute path")
    return path


def in_words(told: str) -> str:
    """What msgspec says of a value of another kind or beyond its bounds, for people; else as it is."""
    match = _EXPECTED.fullmatch(told)
    if not match:
        return told
    kind, bound, limit, got, index = match.groups()
    item = f"value {int(index) + 1} " if index else ""
    bounds = f" {_BOUNDS[bound]} {limit.removesuffix('.0')}" if bound else ""
    other = f", not {_OTHERS.get(got, got)}" if got else ""
    return f"{item}must be {_KINDS.get(kind, kind)}{bounds}{other}"


def check_program(command: tuple[str, ...]) -> None:
    """Raises ValueError for what cannot be a program and its arguments."""
    if not command[0] or any("\0" in word for word in command):
        raise ValueError(f"{list(command)!r:.200} names no program")
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError(f"{command[0]!r} is not an absolute path")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: the nearest of the known words, if any is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
