"""How long a conversion takes and how large its result is, before it is made; pure, and about.

Where the result goes to a disk that may be full, too much is better than too little.
"""

from __future__ import annotations

from collections.abc import Sequence

from htdl.media.probe import Probe
from htdl.media.tracks import Track

_COPY_SECONDS = 3.1e-9  # CPU for a byte, the index put first included (measured: 0.6 s for 195 MB)


def seconds(probe: Probe, tracks: Sequence[Track]) -> float | None:
    """Of CPU.  None where the length, or for a copy the size, is not known."""
    cpu = sum(x.cpu for x in tracks)
    if cpu:
        return cpu * probe.duration if probe.duration else None
    return _COPY_SECONDS * probe.size if probe.size is not None else None


def size(probe: Probe, tracks: Sequence[Track]) -> int | None:
    """Bytes.  Of what is copied and has no rate of its own, all that the file has."""
    made = [x for x in tracks if not x.is_copied]
    if made and not probe.duration:
        return None
    bits = sum(x.bits or 0.0 for x in made) * (probe.duration or 0.0)
    kept = [x for x in tracks if x.is_copied]
    if all(x.bits for x in kept) and probe.duration:
        return int((bits + sum(x.bits or 0.0 for x in kept) * probe.duration) / 8)
    return probe.size + int(bits / 8) if probe.size is not None else None
