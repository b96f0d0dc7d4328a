"""One file of a job, as a person names it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from htdl.cli import words
from htdl.cli.words import JobObject, printable
from htdl.errors import BadRequest

_BESIDE = 0.05  # of the largest file named: what is smaller lies beside it, as subtitles do
_SHOWN = 5


def index(job: JobObject, given: str | None) -> int | None:
    """The number of the file that `given` names, by number or by glob; None for the main one.

    A glob names a whole path or a name alone, without regard to case, as in `add --file`.  Raises BadRequest
    unless it names one, subtitles and the like aside.
    """
    if given is None:
        return None
    if given.isascii() and given.isdecimal():
        return int(given)
    named = _without_small([file for file in job["files"] if _is_named(file["path"], given)])
    hint = f"`htdl show {words.short_id(job)}` lists them"
    if not named:
        raise BadRequest(
            f"no file of {words.name(job)} is named by {given!r}", hint=hint, code="no_such_file"
        )
    if len(named) > 1:
        paths = ", ".join(printable(file["path"]) for file in named[:_SHOWN])
        raise BadRequest(f"{given!r} names {len(named)} files: {paths}", hint=f"give a number; {hint}")
    number: int = named[0]["index"]
    return number


def _is_named(path: str, pattern: str) -> bool:
    whole, folded = path.casefold(), pattern.casefold()
    own = (whole, whole.rpartition("/")[2])
    # a name with brackets, [Group] Film.mkv, is meant as it stands
    return folded in own or any(fnmatchcase(x, folded) for x in own)


def _without_small(files: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    largest = max((file["size"] for file in files), default=0)
    return [file for file in files if file["size"] >= largest * _BESIDE]
