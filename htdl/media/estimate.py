"""How long a conversion takes and how large its result is, before it is made; pure, and about.

Where the result goes to a disk that may be full, too much is better than too little.
"""

from __future__ import annotations

from collections.abc import Sequence

from htdl.media.probe import Probe
from htdl.media.tracks import Track

_COPY_SECONDS = 3.1e-9  # CPU for a byte, the index put first included (measured: 0.6 s for 195 MB)
_SOUND_BITS = 256_000  # a second, of a copied sound: AAC and MP3 have 96 to 320 kbit/s
_MOST_GROWTH = 4  # of the source, by an encoder that is less thrifty


def seconds(probe: Probe, tracks: Sequence[Track]) -> float | None:
    """Of CPU.  None where the length, or for a copy the size, is not known."""
    cpu = sum(x.cpu for x in tracks)
    if cpu:
        return cpu * probe.duration if probe.duration else None
    return _COPY_SECONDS * probe.size if probe.size is not None else None


def size(probe: Probe, tracks: Sequence[Track]) -> int | None:
    """Bytes.  None where the length or the size that it needs is not known.

    The rates that a file tells of its streams may be old or lies, so they are not asked: what is copied
    counts as large as the source, but for a sound beside an encoded picture, which counts as one encoded.
    """
    picture = next((x for x in tracks if x.stream.kind == "video"), None)
    is_encoded = picture is not None and not picture.is_copied
    bits = sum(x.bits or _SOUND_BITS for x in tracks if is_encoded or not x.is_copied)
    if bits and not probe.duration:
        return None
    made = int(bits * (probe.duration or 0.0) / 8)
    if probe.size is None:
        return made if is_encoded else None
    made = min(made, _MOST_GROWTH * probe.size)
    return made if is_encoded else probe.size + made
