"""What one who watches meanwhile gets: an HLS playlist that grows (RFC 8216), of fragments of MP4."""

from __future__ import annotations

from pathlib import Path

from htdl.errors import ConversionFailed
from htdl.media.plan import Plan
from htdl.media.probe import words_about
from htdl.media.process import Limits, run
from htdl.media.source import Source
from htdl.media.tools import Tools

PLAYLIST = "index.m3u8"
MEMORY = 16 << 30  # of address space, as for a conversion

_SPARE_BYTES = 1 << 30  # beyond what is reckoned, as for a conversion

# As RFC 6381 names them.  Browsers look at codec and profile; the level is the highest that is made.
_CODECS = {
    "h264": "avc1.640033",
    "vp9": "vp09.00.51.08",
    "av1": "av01.0.13M.08",
    "aac": "mp4a.40.2",
    "mp3": "mp3",
    "opus": "opus",
    "flac": "flac",
}


def media_type(plan: Plan) -> str | None:
    """Of the fragments, for Media Source Extensions; None where a browser does not play them."""
    made = [(x.kind, x.becomes) for x in plan.streams if x.becomes]
    picture = [codec for kind, codec in made if kind == "video"][:1]
    sound = [codec for kind, codec in made if kind == "audio"][:1]
    names = [_CODECS.get(codec) for codec in picture + sound]
    known = [name for name in names if name]
    if not picture or len(known) < len(names):
        return None
    return f'video/mp4; codecs="{",".join(known)}"'


async def show(tools: Tools, source: Source, plan: Plan, playlist: Path) -> None:
    """Make the playlist, and all it names beside it; their folder is there.  What plays is copied, so it is
    for plans that encode no picture.

    Raises ConversionFailed.
    """
    command = [
        *(tools.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *plan.input_arguments,
        *source.arguments,
        # below its folder's parent: a % in a longer path would be a number's place
        *plan.outputs(None, Path(playlist.parent.name, playlist.name)),
    ]
    limits = Limits(memory=MEMORY, file_bytes=4 * plan.bytes + _SPARE_BYTES if plan.bytes else None)
    done = await run(command, limits, folder=str(playlist.parent.parent))
    if not done.is_good:
        raise ConversionFailed(f"{source.name} cannot be shown: {words_about(done, source)}")
