"""The user's editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from htdl.errors import HtdlError

_USUAL = ("sensible-editor", "nano", "vim", "vi")
_HINT = "name one that is installed in VISUAL or EDITOR, as in: EDITOR=nano htdl config edit"


def edit(file: Path, environ: Mapping[str, str]) -> None:
    """Open the file and return when the editor has ended.  Raises HtdlError when that went wrong."""
    command = _command(environ)
    try:
        code = subprocess.run([*command, os.fspath(file)], env=dict(environ), check=False).returncode  # noqa: S603
    except OSError as exc:
        raise HtdlError(f"cannot run the editor {command[0]!r}: {exc.strerror}", hint=_HINT) from exc
    if code:
        raise HtdlError(f"the editor {command[0]!r} ended with code {code}", hint=f"the file is {file}")


def _command(environ: Mapping[str, str]) -> list[str]:
    """VISUAL, then EDITOR, split as a shell would; else the first of the usual ones that is installed."""
    chosen = environ.get("VISUAL") or environ.get("EDITOR")
    try:
        command = shlex.split(chosen) if chosen else []
    except ValueError as exc:
        raise HtdlError(f"VISUAL or EDITOR is {chosen!r}: {exc}", hint=_HINT) from exc
    if not command:
        command = [x for x in _USUAL if shutil.which(x, path=environ.get("PATH"))][:1]
    if not command:
        raise HtdlError("no editor is installed, or it is not in PATH", hint=_HINT)
    return command
