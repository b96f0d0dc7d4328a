"""One picture or sound of the result: copied, or encoded with which arguments."""

from __future__ import annotations

from dataclasses import dataclass

from htdl.errors import ConversionFailed
from htdl.media import browsers
from htdl.media.probe import Stream

SEGMENT_SECONDS = 2  # a key frame begins each, so that a viewer's playlist is cut where it should be

_ENCODERS: dict[str, tuple[str, ...]] = {
    "h264": ("libx264", "-preset", "veryfast", "-crf", "21", "-profile:v", "high"),
    # as quick as x264 at the same size; -deadline good takes six times as long (measured)
    "vp9": (
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "6",
        "-row-mt",
        "1",
        "-crf",
        "32",
        "-b:v",
        "0",
    ),
    # from 10 on SVT-AV1 4 warns of artefacts
    "av1": ("libsvtav1", "-preset", "9", "-crf", "35"),
    "aac": ("aac",),
    "opus": ("libopus",),
}


@dataclass(frozen=True, slots=True)
class Track:
    """`encoder` is empty where the stream is copied: else the name, and options with `{}` for its number.

    `cpu` is CPU seconds for a second of it, `bits` bits a second of the result, 0 of both where it is copied.
    """

    stream: Stream
    becomes: str
    reason: str
    encoder: tuple[str, ...] = ()
    cpu: float = 0.0
    bits: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def is_copied(self) -> bool:
        return not self.encoder


def copied(stream: Stream) -> Track:
    return Track(stream, stream.codec, f"{browsers.name(stream.codec)} plays as it is")


def encoder(codec: str, has: frozenset[str]) -> tuple[str, ...]:
    """Its name and settings.  Raises ConversionFailed where this ffmpeg lacks it."""
    found = _ENCODERS[codec]
    if found[0] in has:
        return found
    raise ConversionFailed(
        f"{browsers.name(codec)} cannot be made: this ffmpeg has no encoder {found[0]}",
        hint=f"install an ffmpeg with {found[0]}, or choose another codec",
    )
