"""Small videos, made by the real ffmpeg: a test picture with a clock, and a tone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tools import require

_H264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25"]
# one thread each: on a busy machine their own wait for each other, and a clip takes minutes
_H265 = [
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "pools=none:frame-threads=1:log-level=error",
]
_VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-threads", "1"]
_AAC = ["-c:a", "aac", "-b:a", "64k"]

KINDS: dict[str, tuple[str, list[str]]] = {
    "mp4": (".mp4", [*_H264, *_AAC, "-movflags", "+faststart"]),  # index first
    "mp4-end": (".mp4", [*_H264, *_AAC]),  # index last
    "mp4-ac3": (".mp4", [*_H264, "-c:a", "ac3", "-movflags", "+faststart"]),  # silent in browsers
    "mp4-hevc": (".mp4", [*_H265, "-tag:v", "hvc1", *_AAC]),
    "mp4-fragmented": (".mp4", [*_H264, *_AAC, "-movflags", "+frag_keyframe+empty_moov"]),
    "mp4-dash": (".mp4", [*_H264, "-an", "-movflags", "+frag_keyframe+empty_moov+dash+global_sidx"]),
    "mkv": (".mkv", [*_H264, *_AAC]),  # Cues at the end
    "mkv-front": (".mkv", [*_H264, *_AAC, "-reserve_index_space", "8k", "-cues_to_front", "1"]),
    "mkv-subtitles": (".mkv", [*_H264, *_AAC, "-c:s", "srt"]),
    "mkv-live": (".mkv", [*_H264, *_AAC, "-live", "1"]),  # neither lengths, duration nor Cues
    "webm": (
        ".webm",
        ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-threads", "1", "-c:a", "libopus"],
    ),
    "avi": (".avi", ["-c:v", "mpeg4", "-q:v", "5", "-c:a", "mp2"]),
    "ts": (".ts", [*_H264, *_AAC]),
    "m2ts": (".m2ts", [*_H264, "-c:a", "ac3", "-mpegts_m2ts_mode", "1"]),  # as on a disc
    "flv": (".flv", [*_H264, *_AAC]),
    "mov": (".mov", [*_H264, *_AAC]),
    "wmv": (".wmv", ["-c:v", "wmv2", "-c:a", "wmav2"]),
    "mpg": (".mpg", ["-c:v", "mpeg2video", "-c:a", "mp2"]),
    "ogv": (".ogv", ["-c:v", "libtheora", "-c:a", "libvorbis"]),
}

_UPRIGHT, _TURNED = (  # matrices of an MP4's track (ISO 14496-12, 8.3.2)
    b"".join(x.to_bytes(4, "big", signed=True) for x in matrix)
    for matrix in (
        [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 1 << 30],
        [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 1 << 30],
    )
)


def clip(
    folder: Path, kind: str = "mp4", *, seconds: float = 5, size: str = "320x180", noise: int = 0
) -> Path:
    """A video of that kind in `folder`, made once for each set of arguments; its name tells them.

    About 60 kB a second; `noise` (0-100) makes it larger, 20 of it some 500 kB.  Skips the test where ffmpeg
    or one of its encoders is missing.
    """
    suffix, arguments = KINDS[kind]
    path = folder / f"{kind}-{seconds:g}s-{size}-{noise}{suffix}"
    if not path.exists():
        _make(path, [*_sources(folder, kind, seconds, size, noise), *arguments], seconds)
    return path


def _sources(folder: Path, kind: str, seconds: float, size: str, noise: int) -> list[str]:
    picture = f"testsrc2=size={size}:rate=25" + (f",noise=alls={noise}:allf=t" if noise else "")
    sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    if kind == "mkv-subtitles":
        words = folder / "words.srt"
        words.write_text("\n".join(_cue(second) for second in range(int(seconds))))
        sources += ["-i", str(words)]
    return sources


def _cue(second: int) -> str:
    begin, end = (f"00:{at // 60:02d}:{at % 60:02d},000" for at in (second, second + 1))
    return f"{second + 1}\n{begin} --> {end}\nThis is second {second}.\n"


def _make(path: Path, arguments: list[str], seconds: float) -> None:
    """To a name of its own first: two tests may want the same clip, and one may be stopped half-way."""
    part = path.with_name(f"part-{path.name}")
    command = [require("ffmpeg"), "-nostdin", "-v", "error", "-y", *arguments, "-t", str(seconds)]
    done = subprocess.run(
        [*command, "-fflags", "+bitexact", str(part)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if "Unknown encoder" in done.stderr:
        pytest.skip(f"ffmpeg has no encoder for {path.name}")
    assert done.returncode == 0, done.stderr
    part.replace(path)


def repeated(original: Path, times: int, *codecs: str) -> Path:
    """A longer video beside it, `times` over: to encode each second anew would take as long as it lasts.

    `codecs`: options of ffmpeg, such as "-c:a", "ac3"; the rest is copied.
    """
    path = original.with_name(f"{original.stem}-{times}x{''.join(codecs).replace(':', '')}{original.suffix}")
    _make(path, ["-stream_loop", str(times - 1), "-i", str(original), "-c", "copy", *codecs], 1e6)
    return path


def sound(folder: Path, kind: str = "mp3", *, seconds: float = 1) -> Path:
    """A tone without a picture; `kind` is the suffix."""
    path = folder / f"tone-{seconds:g}s.{kind}"
    _make(path, ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"], seconds)
    return path


def rich_clip(folder: Path) -> Path:
    """A Matroska of 2 s with all that a film may carry: German 5.1, an English commentary, forced SubRip, ASS
    for those who do not hear, an attachment, and a cover, in this order but for the attachment at the end.
    """
    path = folder / "rich.mkv"
    words, cover = folder / "rich.srt", folder / "cover.png"
    words.write_text(_cue(0))
    _make(cover, ["-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1"], 1)
    arguments = [
        *(
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25",
            "-f",
            "lavfi",
            "-i",
            "sine=sample_rate=48000",
        ),
        *("-i", str(words), "-map", "0", "-map", "1", "-map", "1", "-map", "2", "-map", "2"),
        *(*_H264, "-c:a:0", "ac3", "-ac:a:0", "6", "-c:a:1", "aac", "-ac:a:1", "2"),
        *(
            "-c:s:0",
            "srt",
            "-c:s:1",
            "ass",
            "-disposition:s:0",
            "forced",
            "-disposition:s:1",
            "hearing_impaired",
        ),
        *("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng"),
        *("-metadata:s:a:1", "title=Director's commentary", "-disposition:a:1", "comment"),
        *("-metadata:s:s:0", "language=ger"),
        *("-attach", str(words), "-metadata:s:t:0", "mimetype=text/plain"),
        *("-attach", str(cover), "-metadata:s:t:1", "mimetype=image/png"),
    ]
    _make(path, arguments, 2)
    return path


def turned_clip(folder: Path) -> Path:
    """An MP4 as of a telephone held upright, interlaced, and said to be HDR."""
    flat, path = folder / "flat.mp4", folder / "turned.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    colours = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]
    _make(flat, [*picture, *_H264, "-flags", "+ildct+ilme", "-x264-params", "tff=1", *colours], 1)
    data = flat.read_bytes()  # no option of ffmpeg turns a copy in all versions
    path.write_bytes(data[: (at := data.index(b"tkhd"))] + data[at:].replace(_UPRIGHT, _TURNED, 1))
    return path


def subtitled_clip(folder: Path, suffix: str = ".mkv", *, seconds: int = 30) -> Path:
    """A cue a second.  A Matroska holds SubRip, SubRip of the same language, ASS, WebVTT with places, and
    pictures (in name: no encoder makes them of words); an MP4 holds two tracks of mov_text, its index first.
    """
    srt, ass, vtt = (folder / f"said{seconds}{x}" for x in (".srt", ".ass", ".vtt"))
    srt.write_text("\n".join(_cue(second) for second in range(seconds)))
    for path in (ass, vtt):
        _make(path, ["-i", str(srt)], seconds)
    vtt.write_text(vtt.read_text().replace("00:01.000\n", "00:01.000 line:0\n", 1))
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    path = folder / f"subtitled-{seconds}s{suffix}"
    if suffix == ".mp4":
        inputs, codec = [srt, srt], ["-c:s", "mov_text", "-movflags", "+faststart"]
    else:
        inputs, codec = [srt, srt, ass, vtt, srt], ["-c:s", "copy"]
    words = [part for x in inputs for part in ("-i", str(x))]
    maps = [part for x in range(len(inputs) + 1) for part in ("-map", str(x))]
    named = [
        "-metadata:s:s:0",
        "language=eng",
        "-metadata:s:s:1",
        "language=eng",
        "-metadata:s:s:2",
        "language=fre",
    ]
    named = named if suffix == ".mkv" else named[:4]
    _make(path, [*picture, *words, *maps, *_H264, *codec, *named], seconds)
    data = path.read_bytes()
    at = data.rfind(b"S_TEXT/UTF8")
    if at > 0:  # a string of EBML may end with zeros (RFC 8794, 7.4)
        path.write_bytes(data[:at] + b"S_HDMV/PGS\0" + data[at + 11 :])
    return path
