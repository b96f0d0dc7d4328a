"""What ffmpeg and ffprobe may open, and the options without which they open nothing.

A file's name and content come from strangers.  A playlist that is called x.mkv makes ffmpeg read other files
of the disk, in every version, unless the demuxers that follow references are off (measured with 5.1, 8.1 and
9.0); so every open, a probe's too, names the formats and protocols it allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

# Containers of one file alone: no hls, dash, concat, sdp, imf; no image sequences; no text.
FORMATS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,mpegvideo,asf,flv,live_flv,ogg,rm,mp3,flac,wav,aac"
)

_OURS = re.compile(r"http://127\.0\.0\.1:\d{1,5}/[!-~]*")


@dataclass(frozen=True, slots=True)
class Source:
    """An absolute path, or a URL of our own server on 127.0.0.1.  Raises ValueError for anything else."""

    target: str
    is_url: bool = False

    def __post_init__(self) -> None:
        good = _OURS.fullmatch(self.target) if self.is_url else Path(self.target).is_absolute()
        if not good or "\0" in self.target:
            raise ValueError(f"neither an absolute path nor a URL on 127.0.0.1: {self.target!r}")

    @property
    def name(self) -> str:
        """For messages: the base name."""
        path = unquote(self.target.partition("?")[0]) if self.is_url else self.target
        return Path(path).name

    @property
    def url(self) -> str:
        """What stands behind `-i`: with its protocol, so that no name can be taken for an option or another
        protocol ("concat:a|b.mkv", "-y.mkv").
        """
        return self.target if self.is_url else f"file:{self.target}"

    @property
    def options(self) -> dict[str, str]:
        """The input options, by name.

        A URL has no read timeout: it blocks until the bytes have come, and who waits knows better when to
        give up.  A dropped connection is taken up again; if it stays so, ffmpeg ends with 0 and half a film.
        """
        if not self.is_url:
            return {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        return {
            "protocol_whitelist": "http,tcp",
            "format_whitelist": FORMATS,
            "seekable": "1",
            "reconnect": "1",
            "reconnect_delay_max": "2",
        }

    @property
    def arguments(self) -> list[str]:
        """Of ffmpeg and ffprobe alike."""
        return [*(part for key, value in self.options.items() for part in (f"-{key}", value)), "-i", self.url]
