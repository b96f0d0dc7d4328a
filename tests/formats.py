"""Videos of each container and codec that people have, small ones, and what is to become of each."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from htdl.media.plan import Effort
from tests.tools import require

SECONDS = 2.0
X264 = "libx264 -preset ultrafast -pix_fmt yuv420p"
X265 = "libx265 -preset ultrafast -x265-params pools=none:frame-threads=1:log-level=none -pix_fmt yuv420p"
HDR = "-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc"
VP9 = "libvpx-vp9 -deadline realtime -cpu-used 8"
AV1 = "libsvtav1 -preset 12"


@dataclass(frozen=True)
class Case:
    """`video` and `audio` are encoders of ffmpeg with their options, "" for none; `into` those made."""

    suffix: str
    video: str
    audio: str
    effort: Effort
    into: str
    more: str = ""
    size: str = "160x120"

    @property
    def name(self) -> str:
        words = [self.suffix[1:], self.video, self.audio, self.more, self.size.removesuffix("160x120")]
        return " ".join(" ".join(words).split()).replace("/", "_")


NONE, REMUX, AUDIO, TRANSCODE = Effort.NONE, Effort.REMUX, Effort.AUDIO, Effort.TRANSCODE
CASES = [
    Case(".mkv", X264, "aac", REMUX, "h264 aac"),
    Case(".mkv", X264, "libmp3lame", REMUX, "h264 mp3"),
    Case(".mkv", X264, "ac3", AUDIO, "h264 aac"),
    Case(".mkv", X264, "eac3 -ac 6", AUDIO, "h264 aac"),
    Case(".mkv", X264, "dca -strict -2 -ac 6", AUDIO, "h264 aac"),
    Case(".mkv", X264, "truehd -strict -2", AUDIO, "h264 aac"),
    Case(".mkv", X264, "flac", AUDIO, "h264 aac"),
    Case(".mkv", X264, "libopus", AUDIO, "h264 aac"),
    Case(".mkv", X264, "aac -ac 6", REMUX, "h264 aac"),
    Case(".mkv", X264, "aac -ac 1 -ar 22050", REMUX, "h264 aac"),
    Case(".mkv", X264, "", REMUX, "h264"),
    Case(".mkv", "", "ac3", AUDIO, "aac"),
    Case(".mkv", X265, "aac", TRANSCODE, "h264 aac"),
    Case(".mkv", "mpeg4", "aac", TRANSCODE, "h264 aac", more="-t 0.2", size="4400x2100"),
    Case(".mkv", X265 + " -r 240", "aac", TRANSCODE, "h264 aac"),
    Case(".mkv", X265 + "10le", "ac3", TRANSCODE, "h264 aac"),
    Case(".mkv", X265 + "10le", "aac", TRANSCODE, "h264 aac", more=HDR),
    Case(".mkv", X265 + "10le", "aac", TRANSCODE, "h264 aac", more="-color_trc arib-std-b67"),
    Case(".mkv", X264 + "10le", "aac", TRANSCODE, "h264 aac"),
    Case(".mkv", X264.replace("420", "422"), "aac", TRANSCODE, "h264 aac"),
    Case(".mkv", X264.replace("420", "444"), "aac", TRANSCODE, "h264 aac", size="161x121"),
    Case(".mkv", X264, "aac", TRANSCODE, "h264 aac", more="-flags +ilme+ildct -vf setfield=tff"),
    Case(".mkv", "mpeg4", "libmp3lame", TRANSCODE, "h264 mp3"),
    Case(".mkv", "libvpx -deadline realtime", "libvorbis", NONE, "vp8 vorbis"),
    Case(".mkv", "libvpx -deadline realtime", "aac", AUDIO, "vp8 opus"),
    Case(".mkv", VP9, "aac", REMUX, "vp9 aac"),
    Case(".mkv", AV1, "ac3", AUDIO, "av1 aac"),
    Case(".mkv", "ffv1", "pcm_s16le", TRANSCODE, "h264 aac"),
    Case(".mkv", X264, "aac", REMUX, "h264 aac", more="-fps_mode vfr -vf select=mod(n\\,3)"),
    Case(".mp4", X264, "aac", NONE, "h264 aac"),
    Case(".mp4", X264, "aac", NONE, "h264 aac", more="-movflags +faststart"),
    Case(".mp4", X264, "aac -ac 6", NONE, "h264 aac"),
    Case(".mp4", X264, "aac", TRANSCODE, "h264 aac", more="-flags +ilme+ildct -vf setfield=tff"),
    Case(".mp4", X264, "libmp3lame", NONE, "h264 mp3"),
    Case(".mp4", X264, "ac3", AUDIO, "h264 aac"),
    Case(".mp4", X264, "eac3 -ac 6", AUDIO, "h264 aac"),
    Case(".mp4", X264, "dca -strict -2 -ac 6", AUDIO, "h264 aac"),
    Case(".mp4", X264, "mp2 -ac 2", NONE, "h264 mp3"),  # MP4 has one name for both; browsers play both
    Case(".mp4", X264, "flac -strict -2", AUDIO, "h264 aac"),
    Case(".mp4", X264, "libopus", AUDIO, "h264 aac"),
    Case(".mp4", X264, "alac", AUDIO, "h264 aac"),
    Case(".mp4", X265, "aac", TRANSCODE, "h264 aac"),
    Case(".mp4", X265 + "10le", "aac", TRANSCODE, "h264 aac", more="-tag:v hvc1"),
    Case(".mp4", VP9, "libopus", NONE, "vp9 opus"),
    Case(".mp4", AV1, "libopus", NONE, "av1 opus"),
    Case(".mp4", "mpeg4", "aac", TRANSCODE, "h264 aac"),
    Case(".mov", X264, "aac", NONE, "h264 aac"),
    Case(".mov", X264, "pcm_s16le", AUDIO, "h264 aac"),
    Case(".mov", X265, "aac", TRANSCODE, "h264 aac", more="-tag:v hvc1"),
    Case(".mov", "prores", "pcm_s24le", TRANSCODE, "h264 aac"),
    Case(".mov", "mjpeg", "pcm_u8", TRANSCODE, "h264 aac"),
    Case(".avi", "mpeg4 -bf 2", "libmp3lame", TRANSCODE, "h264 mp3"),
    Case(".avi", "msmpeg4v3", "ac3", TRANSCODE, "h264 aac"),
    Case(".avi", X264 + " -bf 2", "libmp3lame", REMUX, "h264 mp3"),
    Case(".avi", X264, "aac", REMUX, "h264 aac"),
    Case(".avi", X264, "ac3", AUDIO, "h264 aac"),
    Case(".avi", "mjpeg", "pcm_s16le", TRANSCODE, "h264 aac"),
    Case(".webm", "libvpx -deadline realtime", "libvorbis", NONE, "vp8 vorbis"),
    Case(".webm", VP9, "libopus", NONE, "vp9 opus"),
    Case(".webm", AV1, "libopus", NONE, "av1 opus"),
    Case(".ts", X264, "aac", REMUX, "h264 aac"),
    Case(".ts", X264, "mp2", AUDIO, "h264 aac"),
    Case(".ts", X264, "eac3 -ac 6", AUDIO, "h264 aac"),
    Case(".ts", "mpeg2video", "mp2", TRANSCODE, "h264 aac"),
    Case(".ts", X265, "ac3", TRANSCODE, "h264 aac"),
    Case(".m2ts", X264, "ac3", AUDIO, "h264 aac"),
    Case(".wmv", "wmv2", "wmav2", TRANSCODE, "h264 aac"),
    Case(".wmv", "wmv1", "wmav1", TRANSCODE, "h264 aac"),
    Case(".wmv", "msmpeg4v3", "libmp3lame", TRANSCODE, "h264 mp3"),
    Case(".flv", "flv1", "libmp3lame -ar 44100", TRANSCODE, "h264 mp3"),
    Case(".flv", X264, "aac", REMUX, "h264 aac"),
    Case(".flv", X264, "libmp3lame -ar 44100", REMUX, "h264 mp3"),
    Case(".flv", "flv1", "nellymoser -ar 22050 -ac 1", TRANSCODE, "h264 aac"),
    Case(".mpg", "mpeg1video", "mp2", TRANSCODE, "h264 aac"),
    Case(".mpg", "mpeg2video", "ac3", TRANSCODE, "h264 aac"),
    Case(".mpg", "mpeg2video -flags +ilme+ildct", "mp2", TRANSCODE, "h264 aac", more="-vf setfield=tff"),
    Case(".vob", "mpeg2video", "ac3 -ac 6", TRANSCODE, "h264 aac"),
    Case(".3gp", "h263", "aac -ar 22050", TRANSCODE, "h264 aac", size="176x144"),
    Case(".3gp", X264, "aac", NONE, "h264 aac"),
    Case(".3gp", "mpeg4", "aac", TRANSCODE, "h264 aac"),
    Case(".ogv", "libtheora", "libvorbis", TRANSCODE, "h264 aac"),
    Case(".mp3", "", "libmp3lame", NONE, "mp3"),
    Case(".flac", "", "flac", AUDIO, "aac"),
]


def ffmpeg(*arguments: object) -> None:
    command = [require("ffmpeg"), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    if "Unknown encoder" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def made(case: Case, folder: Path) -> Path:
    path = folder / f"{case.name}{case.suffix}"
    picture = f"testsrc2=size={case.size}:rate=25:duration={SECONDS}"
    sound = f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"
    if not path.exists():
        ffmpeg(
            *(["-f", "lavfi", "-i", picture] if case.video else []),
            *(["-f", "lavfi", "-i", sound] if case.audio else []),
            *(["-c:v", *case.video.split()] if case.video else []),
            *(["-c:a", *case.audio.split()] if case.audio else []),
            *case.more.split(),
            path,
        )
    return path
