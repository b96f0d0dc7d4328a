"""Where the values of the configuration come from.  Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from htdl import toml_lines
from htdl.config import SECTIONS
from htdl.faults import Fault
from htdl.values import did_you_mean

# What else is named so: of every command, and what a hook is told.
OTHER_VARIABLES = frozenset(
    {
        *("HTDL_CONFIG", "HTDL_SOCKET", "HTDL_STATE_DIR"),
        *("HTDL_EVENT", "HTDL_JOB_ID", "HTDL_JOB_NAME", "HTDL_JOB_STATUS", "HTDL_VIDEO_ID", "HTDL_INFO_HASH"),
        *("HTDL_FILE_PATH", "HTDL_FOLDER", "HTDL_BYTES", "HTDL_ERROR", "HTDL_ERROR_CODE"),
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """`source` is "default", "file" with the line there, or "environment" with the variable."""

    source: str
    line: int | None = None
    variable: str | None = None


def of(text: str, environ: Mapping[str, str]) -> dict[str, Origin]:
    """By key, in the order of `config.flat`, of the values that `config.load` gives for a text it takes."""
    tables, lines = tomllib.loads(text), toml_lines.lines(text)

    def origin(section: str, key: str) -> Origin:
        if (variable := _variable(section, key)) in environ:
            return Origin("environment", variable=variable)
        if key in tables.get(section, {}):
            return Origin("file", line=lines.get((section, key)) or lines.get((section,)))
        return Origin("default")

    return {f"{section}.{key}": origin(section, key) for section, key in _keys()}


def strangers(environ: Mapping[str, str]) -> list[Fault]:
    """Variables named as htdl's that mean nothing to it: misspelled, say.  `config.load` tells those of the
    sections there are.
    """
    known = [_variable(*key) for key in _keys()]
    sections = tuple(_variable(name, "") for name in SECTIONS)
    return [
        Fault(name, "means nothing to htdl" + did_you_mean(name, known))
        for name in sorted(environ)
        if name.startswith("HTDL_") and name not in OTHER_VARIABLES and not name.startswith(sections)
    ]


def shown(values: Mapping[str, Any], found: Mapping[str, Origin]) -> dict[str, dict[str, Any]]:
    """By key {"value", "source", "line", "variable"}."""
    return {
        key: {
            "value": value,
            "source": found[key].source,
            "line": found[key].line,
            "variable": found[key].variable,
        }
        for key, value in values.items()
    }


def _keys() -> list[tuple[str, str]]:
    return [(name, key) for name, kind in SECTIONS.items() for key in kind.__struct_fields__]


def _variable(section: str, key: str) -> str:
    return f"HTDL_{section}_{key}".upper()
