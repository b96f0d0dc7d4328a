"""What every browser plays, as data.

Measured with Chromium and Firefox; Safari by its documentation.  A codec outside of it fails without a word:
the picture stays black or the sound silent and no error is raised, so it is told before, from a probe.
"""

from __future__ import annotations

from htdl.media.probe import Stream

MP4, WEBM = "mp4", "webm"

SUFFIXES = {MP4: ".mp4", WEBM: ".webm"}
_FORMATS = {MP4: "MP4", WEBM: "WebM"}  # for people
CONTAINERS = {  # as ffprobe names them; Matroska and WebM are one to it, and to the browsers that play either
    "mov,mp4,m4a,3gp,3g2,mj2": MP4,
    "matroska,webm": WEBM,
    "mp3": MP4,  # holds nothing but MP3, which plays
}
VIDEO = {MP4: frozenset({"h264", "vp9", "av1"}), WEBM: frozenset({"vp8", "vp9", "av1"})}
AUDIO = {MP4: frozenset({"aac", "mp3"}), WEBM: frozenset({"vorbis", "opus"})}

HDR = frozenset({"smpte2084", "arib-std-b67"})  # PQ and HLG
INTERLACED = frozenset({"tt", "bb", "tb", "bt"})

_PROFILES = {
    "h264": {"", "Baseline", "Constrained Baseline", "Main", "High", "Progressive High", "Constrained High"},
    "aac": {"", "LC", "HE-AAC", "HE-AACv2"},
    "vp9": {"", "Profile 0", "Profile 2"},
    "av1": {"", "Main"},
}
_PIXELS = {
    "h264": {"yuv420p", "yuvj420p"},
    "vp8": {"yuv420p"},
    "vp9": {"yuv420p", "yuv420p10le"},
    "av1": {"yuv420p", "yuv420p10le"},
}
_MAX_LEVEL = 52  # of h264: 5.2
_LEAST_RATE = 16_000  # of MP3 in MP4, Hz; ffmpeg writes no slower one

_NAMES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "mpeg4": "MPEG-4 Visual",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "msmpeg4v3": "DivX 3",
    "aac": "AAC",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "truehd": "TrueHD",
    "opus": "Opus",
    "vorbis": "Vorbis",
    "theora": "Theora",
    "prores": "ProRes",
    "hdmv_pgs_subtitle": "PGS",
    "pgssub": "PGS",
    "dvd_subtitle": "VobSub",
    "dvb_subtitle": "DVB",
}


def name(codec: str) -> str:
    """For people: "H.264", "DTS"; PCM is one thing."""
    return "PCM" if codec.startswith("pcm_") else _NAMES.get(codec, codec.upper())


def picture_fault(stream: Stream, container: str) -> str | None:
    """Why this picture does not play in every browser from that container, in words; None: it plays."""
    codec, what = stream.codec, name(stream.codec)
    if codec not in VIDEO[container]:
        playable = any(codec in codecs for codecs in VIDEO.values())
        where = f"in {_FORMATS[container]}" if playable else "in every browser"
        return f"{what} does not play {where}"
    if stream.pixel_format not in _PIXELS[codec]:
        return f"{what} in {_depth(stream.pixel_format)} does not play in every browser"
    if stream.profile not in _PROFILES.get(codec, {stream.profile}):
        return f"{what} of profile {stream.profile} does not play in every browser"
    if codec == "h264":
        return _h264_fault(stream)
    return None


def _h264_fault(stream: Stream) -> str | None:
    if stream.level > _MAX_LEVEL:
        return f"H.264 of level {stream.level / 10:g} is above 5.2, which is what devices play"
    if stream.field_order in INTERLACED:
        return "the picture is interlaced, which browsers show as combs"
    if stream.transfer in HDR:
        return "the picture is HDR, which H.264 shows washed out"
    return None


def _depth(pixels: str) -> str:
    """ "yuv422p10le" is "10-bit 4:2:2 colour (yuv422p10le)"."""
    bits = next(
        (f"{x}-bit " for x in ("10", "12", "14", "16") if pixels.endswith((x, f"{x}le", f"{x}be"))), ""
    )
    sampling = next(
        (f"{x[0]}:{x[1]}:{x[2]} " for x in ("422", "444", "440", "411", "410") if x in pixels), ""
    )
    return f"{bits}{sampling}colour ({pixels})" if pixels else "a colour format that is not known"


def sound_fault(stream: Stream, container: str, picture: str | None) -> str | None:
    """Why this sound does not play beside `picture` (its codec in the result, None for none)."""
    codec, what = stream.codec, name(stream.codec)
    with_opus = container == MP4 and codec == "opus" and picture in {"vp9", "av1"}
    if codec not in AUDIO[container] and not with_opus:
        return f"{what} does not fit into WebM" if container == WEBM else f"{what} is silent in some browsers"
    if stream.profile not in _PROFILES.get(codec, {stream.profile}):
        return f"{what} of profile {stream.profile} is silent in some browsers"
    if codec == "mp3" and 0 < stream.sample_rate < _LEAST_RATE:
        return f"MP3 at {stream.sample_rate} Hz does not fit into MP4"
    return None
