"""Whether a video can be watched while it is still arriving.  Pure."""

from __future__ import annotations

from htdl.jobs import Readiness


def gone(threshold: float) -> Readiness:
    """The verdict on a finished job whose files were removed."""
    return Readiness(ready=False, reason="its files were removed", threshold=threshold)


def verdict(size: int, progress: float, threshold: float) -> Readiness:
    """The verdict by share: ready once `threshold` percent of the file are here.

    Pieces come in playing order, so that this share is the beginning of the file and its end.
    `size` is in bytes, 0 while it is not known; `progress` is percent of the file, verified.
    """
    if size <= 0:
        return Readiness(ready=False, reason="its files are not known yet", threshold=threshold)
    if progress >= 100.0:
        reason, ready = "the whole file is here", True
    elif progress >= threshold:
        reason, ready = f"{progress:.1f} % of the file is here, {threshold:g} % is enough", True
    else:
        reason, ready = f"{progress:.1f} % of the file is here, {threshold:g} % is needed", False
    return Readiness(
        ready=ready, reason=reason, threshold=threshold, buffered_bytes=int(size * progress / 100)
    )
