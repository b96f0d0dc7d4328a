"""The streams that are no part of the film's picture and sound, in words: covers, fonts, subtitles; pure."""

from __future__ import annotations

from htdl.media import browsers
from htdl.media.probe import Probe, Stream

STILLS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff"})

STYLED = frozenset({"ass", "ssa"})
PICTURES = frozenset({"hdmv_pgs_subtitle", "pgssub", "dvd_subtitle", "dvb_subtitle", "xsub"})
TEXT = STYLED | {"subrip", "srt", "mov_text", "webvtt", "text", "microdvd", "sami", "subviewer", "eia_608"}


def left_out(stream: Stream) -> str:
    """Why it is not in the result, or where it is instead."""
    if stream.kind == "subtitle":
        return _subtitle(stream)
    if stream.kind == "video":
        if stream.is_cover:
            return "a cover picture"
        return "a second picture: browsers show one" if stream.codec else "a picture of a kind not known"
    if stream.kind == "audio":
        return "not a chosen language" if stream.codec else "a sound of a kind that is not known"
    return "an attached file, as a font" if stream.kind == "attachment" else "data, neither seen nor heard"


def stays(stream: Stream) -> str:
    """Of a file that is not changed."""
    if stream.kind == "subtitle":
        return f"stays in the file; {_subtitle(stream)}"
    return "stays as it is"


def warnings(probe: Probe) -> tuple[str, ...]:
    """What a person might miss in the result."""
    pictures = [x for x in probe.subtitles if x.codec not in TEXT]
    unknown = [x for x in probe.audio if not x.codec]
    return (
        *(f"subtitles {x.index}{_language(x)} are left out: {_subtitle(x)}" for x in pictures),
        *(f"sound {x.index}{_language(x)} is left out: its kind is not known" for x in unknown),
    )


def _subtitle(stream: Stream) -> str:
    what = browsers.name(stream.codec)
    if stream.codec in PICTURES:
        return f"{what} subtitles are pictures, and cannot become text"
    if stream.codec not in TEXT:
        return f"{what} cannot become WebVTT" if stream.codec else "of a kind that is not known"
    styles = ", without its styles" if stream.codec in STYLED else ""
    return f"becomes WebVTT beside the video{styles}"


def _language(stream: Stream) -> str:
    return f" ({stream.language})" if stream.language else ""
