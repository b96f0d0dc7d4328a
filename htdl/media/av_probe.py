"""Prints what ffprobe would, by PyAV, where there is none: `av_probe.py '{"url": …, "options": {…}}'`.

A child process, for the file comes from strangers and a crash of FFmpeg's C code ends the process it is in.
It is run by its path and imports nothing of ours, so that it starts quickly.  Only what `probe.parse` reads
is printed; names are ffprobe's.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

# libavutil/pixdesc.c, by the numbers of ITU-T H.273
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_FIELD_ORDERS = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}  # libavcodec/defs.h
_DISPOSITIONS = {  # libavformat/avformat.h
    "default": 0x1,
    "comment": 0x8,
    "forced": 0x40,
    "hearing_impaired": 0x80,
    "visual_impaired": 0x100,
    "attached_pic": 0x400,
    "timed_thumbnails": 0x800,
}
_COVER = _DISPOSITIONS["attached_pic"] | _DISPOSITIONS["timed_thumbnails"]
_WITH_A_MATRIX = ("mov", "matroska")  # containers that keep a rotation


def main(arguments: list[str]) -> None:
    asked = json.loads(arguments[0])
    try:
        import av
    except ImportError as exc:
        sys.exit(f"PyAV cannot be loaded: {exc}")
    try:
        with av.open(asked["url"], options=asked["options"], metadata_errors="replace") as container:
            print(json.dumps(_container(container, av.FFmpegError)))  # noqa: T201 - it is the answer
    except (av.FFmpegError, OSError) as exc:
        sys.exit(getattr(exc, "strerror", None) or str(exc))


def _container(container: Any, av_error: type[Exception]) -> dict[str, Any]:
    film = next((x for x in container.streams.video if not x.disposition.value & _COVER), None)
    streams = [_stream(x) for x in container.streams]
    if film is not None and container.format.name.startswith(_WITH_A_MATRIX):
        with contextlib.suppress(av_error, StopIteration, OSError):  # a picture that cannot be decoded
            streams[film.index]["side_data_list"] = [{"rotation": next(container.decode(film)).rotation}]
    form = {
        "format_name": container.format.name,
        "duration": container.duration and container.duration / 1e6,  # microseconds
        "size": container.size,
        "bit_rate": container.bit_rate,
    }
    return {"streams": streams, "format": form}


def _stream(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    flags = stream.disposition.value
    return {
        "index": stream.index,
        "codec_type": stream.type,
        "tags": dict(stream.metadata),
        "disposition": {name: int(bool(flags & bit)) for name, bit in _DISPOSITIONS.items()},
        "duration": float(stream.duration * stream.time_base) if stream.duration else None,
        **(_codec(stream, context) if context is not None else {}),
    }


def _codec(stream: Any, context: Any) -> dict[str, Any]:
    found = {
        "codec_name": context.codec.canonical_name,
        "profile": context.profile,
        "bit_rate": context.bit_rate,
    }
    if stream.type == "video":
        found |= {
            "width": context.width,
            "height": context.height,
            "pix_fmt": context.pix_fmt,
            "level": context.level,
            "avg_frame_rate": _rate(stream.average_rate),
            "r_frame_rate": _rate(stream.base_rate),
            "field_order": _FIELD_ORDERS.get(int(context.field_order)),
            "color_transfer": _TRANSFERS.get(int(context.color_trc)),
        }
    if stream.type == "audio":
        found |= {"channels": context.layout.nb_channels, "sample_rate": context.sample_rate}
    return found


def _rate(value: Any) -> str | None:
    return f"{value.numerator}/{value.denominator}" if value else None


if __name__ == "__main__":
    main(sys.argv[1:])
