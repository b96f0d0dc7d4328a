"""The end of ffmpeg's command line: where the result goes, and the playlist that a viewer reads meanwhile.

The picture is encoded once for both, by the tee muxer.  Measured with 5.1 and 9.0: it writes a faststart MP4
and an HLS playlist side by side; it loses chapters, counts no bytes (`total_size=N/A` in the progress), and
5.1 corrects the time of every other copied frame out of Matroska.  So what is copied is not led through it
but written twice, which costs next to nothing; a sound that is encoded on the way, 0.03 CPU seconds a second.
"""

from __future__ import annotations

from pathlib import Path

from htdl.media import browsers
from htdl.media.tracks import SEGMENT_SECONDS, Track

_MUXER = {browsers.MP4: {"f": "mp4", "movflags": "+faststart"}, browsers.WEBM: {"f": "webm"}}

# An event playlist only grows, so that a player may begin and go back while it is made (RFC 8216, 4.3.3.5).
_HLS = {
    "f": "hls",
    "hls_time": str(SEGMENT_SECONDS),
    "hls_playlist_type": "event",
    "hls_segment_type": "fmp4",
    "hls_fmp4_init_filename": "init.mp4",
    "hls_flags": "independent_segments+temp_file",
}


def chosen(film: Track | None, sounds: list[Track]) -> tuple[str, ...]:
    """Streams by their number: a map of all would take covers for films and fonts for streams."""
    tracks = [film, *sounds] if film else sounds
    maps = [part for x in tracks for part in ("-map", f"0:{x.stream.index}")]
    picture = ["-c:v", *(film.encoder or ("copy",))] if film else []
    sound = [part for number, x in enumerate(sounds) for part in _sound(number, x)]
    # a queue for the first sounds or pictures while those of another stream are waited for
    common = ("-sn", "-dn", "-map_metadata", "0", "-map_chapters", "0", "-max_muxing_queue_size", "4096")
    return (*maps, *picture, *sound, *common)


def _sound(number: int, track: Track) -> list[str]:
    encoder = [part.format(number) for part in track.encoder or ("copy",)]
    flags = [
        *(["default"] if number == 0 else []),
        *(["comment"] if track.stream.is_commentary else []),
        *(["visual_impaired"] if track.stream.is_visual_impaired else []),
    ]
    # What is left of its old container stands in the way of fragments and of tee, which do not take it off by
    # themselves: the headers of AAC in transport streams, and the number that AVI and they have for a codec.
    copied = track.becomes if track.is_copied else ""
    plain = [f"-bsf:a:{number}", "aac_adtstoasc"] if copied == "aac" else []
    plain += [f"-tag:a:{number}", "mp4a"] if copied in {"aac", "mp3"} else []
    return [f"-c:a:{number}", *encoder, *plain, f"-disposition:a:{number}", "+".join(flags) or "0"]


def kept(container: str, target: Path) -> list[str]:
    return [*_options(_MUXER[container]), _url(target)]


def shown(playlist: Path) -> list[str]:
    return [*_options(_HLS), _url(playlist)]


def both(container: str, target: Path, playlist: Path, streams: str) -> list[str]:
    """One encoding into both.  `streams` are those of the playlist, as "v:0,a:0".

    A playlist that cannot be written does not stop the result.
    """
    hls = {"select": f"\\'{streams}\\'", "onfail": "ignore"} | _HLS
    slaves = [_slave(_MUXER[container], target), _slave(hls, playlist)]
    return ["-flags", "+global_header", "-f", "tee", "|".join(slaves)]


def _options(options: dict[str, str]) -> list[str]:
    return [part for key, value in options.items() for part in (f"-{key}", value)]


def _slave(options: dict[str, str], path: Path) -> str:
    return f"[{':'.join(f'{key}={value}' for key, value in options.items())}]{_escaped(_url(path))}"


def _url(path: Path) -> str:
    """With its protocol, so that no name is taken for an option.

    A path needs a slash: hls writes all that follows the last one into the playlist, the protocol too.
    """
    return f"file:{path}" if path.is_absolute() else f"file:./{path}"


def _escaped(text: str) -> str:
    """For the tee muxer, which splits at | and reads quotes."""
    return "".join(f"\\{x}" if x in "\\'|[]: \t\n" else x for x in text)
