"""A file that is there wholly or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from htdl.errors import Refused


def write(path: Path, text: str) -> None:
    """With mode 0644, its folders made if need be.  Raises Refused where that is not allowed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as exc:
        raise Refused(
            f"cannot write {path}: {exc.strerror}", hint="try it with sudo, or choose --user"
        ) from exc
