"""What becomes of the picture, pure: copied where browsers play it, else encoded so that they do."""

from __future__ import annotations

from collections.abc import Sequence

from htdl.media import browsers
from htdl.media.probe import Stream
from htdl.media.tracks import SEGMENT_SECONDS, Track, copied, encoder

_SLOWER = {"h264": 1.0, "vp9": 1.1, "av1": 3.3}  # than x264, measured

_BITS = 0.1  # a pixel: what films have with these settings, a grainy one a little more

# The most that level 5.2 decodes: 2 073 600 macroblocks a second (H.264, table A-1).
_MOST_PIXELS = 4096 * 2160
_MOST_RATE = 60
_RARE_RATE = 120  # a faster one is a clock in milliseconds, or meant for slow motion

_TONEMAP = (
    "zscale=tin={}:min=bt2020nc:pin=bt2020:p=bt2020:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
)
_EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"


def picture(stream: Stream, container: str, codec: str, has: frozenset[str]) -> Track:
    """`codec` is what it becomes where it does not play as it is.  Raises ConversionFailed (no encoder)."""
    fault = browsers.picture_fault(stream, container)
    if fault is None:
        return copied(stream)
    filters, warnings = _filters(stream, has)
    width, height, rate = _size(stream)
    pixels = width * height * rate
    return Track(
        stream,
        codec,
        fault,
        (
            *encoder(codec, has),
            "-vf",
            ",".join(filters),
            "-fps_mode",
            "vfr",
            *_key_frames(rate),
        ),
        cpu=_picture_cpu(stream, pixels, has) * _SLOWER[codec],
        bits=_BITS * pixels,
        warnings=warnings,
    )


def _key_frames(rate: float) -> tuple[str, ...]:
    """By time, and by the count of frames: SVT-AV1 1.4 heeds no other (measured; 4.2 does)."""
    frames = max(1, round(SEGMENT_SECONDS * rate))
    return "-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT_SECONDS})", "-g", str(frames)


def _filters(stream: Stream, has: frozenset[str]) -> tuple[Sequence[str], tuple[str, ...]]:
    """In the order in which they act, and what a person should know of the result."""
    filters: list[str] = []
    warnings: list[str] = []
    if stream.field_order in browsers.INTERLACED:
        if "bwdif" in has:
            filters.append("bwdif=mode=send_frame:deint=interlaced")
        else:
            warnings.append("the picture stays interlaced: this ffmpeg has no filter bwdif")
    width, height, rate = _size(stream)
    if rate != stream.frame_rate and stream.frame_rate:
        filters.append(f"fps={rate}")
        warnings.append(f"{stream.frame_rate:g} frames a second become {rate:g}")
    # shrunk first: what comes after has less to do
    is_shrunk = (width, height) != (stream.width, stream.height)
    filters.append(_fitting(stream) if is_shrunk else _EVEN)
    if is_shrunk:
        warnings.append(f"{stream.width}x{stream.height} becomes {width}x{height}")
    if stream.transfer in browsers.HDR:
        if {"zscale", "tonemap"} <= has:
            filters.append(_TONEMAP.format(stream.transfer))
        else:
            warnings.append("HDR colours will look pale: this ffmpeg has no filter zscale to convert them")
    return [*filters, "format=yuv420p"], tuple(warnings)


def _box(stream: Stream) -> tuple[int, int]:
    """Ultra HD, as the picture is shown."""
    is_upright = (stream.height > stream.width) != (stream.rotation in {90, 270})
    return (2160, 3840) if is_upright else (3840, 2160)


def _fitting(stream: Stream) -> str:
    width, height = _box(stream)
    return f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"


def _size(stream: Stream) -> tuple[int, int, float]:
    """Width, height and frames a second of the result, about."""
    width, height, rate = stream.width, stream.height, stream.frame_rate or 25.0
    if width * height > _MOST_PIXELS:
        across, down = _box(stream) if stream.rotation not in {90, 270} else _box(stream)[::-1]
        scale = min(across / width, down / height)
        width, height = max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
    if rate > _RARE_RATE or width * height * rate > _MOST_PIXELS * _MOST_RATE:
        rate = _MOST_RATE
    return width, height, rate


def _picture_cpu(stream: Stream, pixels: float, has: frozenset[str]) -> float:
    """Seconds with x264: 0.69 for 1080p at 24 frames, 0.44 for 720p, 60 % more for HDR (measured)."""
    tonemap = 1.6 if stream.transfer in browsers.HDR and "zscale" in has else 1.0
    deinterlace = 1.2 if stream.field_order in browsers.INTERLACED else 1.0
    return (0.1 + 0.012e-6 * pixels) * tonemap * deinterlace
