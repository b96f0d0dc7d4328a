"""A job's videos as an extended M3U playlist, for players that are programs of their own.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CONTENT_TYPE = "audio/x-mpegurl"


@dataclass(frozen=True, slots=True)
class Entry:
    """`url` and `subtitles` are absolute URLs; `seconds` is None where the duration is not known."""

    title: str
    url: str
    seconds: float | None = None
    subtitles: tuple[str, ...] = ()


def m3u(entries: Iterable[Entry]) -> str:
    """UTF-8 by agreement of the players.  VLC takes subtitles by EXTVLCOPT; mpv reads titles alone."""
    lines = ["#EXTM3U"]
    for entry in entries:
        seconds = -1 if entry.seconds is None else round(entry.seconds)  # -1: not known
        lines.append(f"#EXTINF:{seconds},{one_line(entry.title)}")
        if entry.subtitles:
            lines.append("#EXTVLCOPT:input-slave=" + "#".join(entry.subtitles))
        lines.append(entry.url)
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """A name of a stranger's, which must not begin a line of its own."""
    return "".join(x if x.isprintable() else " " for x in text).strip()
