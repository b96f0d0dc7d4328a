"""Which sounds are kept, in which order, and what becomes of each; pure."""

from __future__ import annotations

from collections.abc import Sequence

from htdl.errors import ConversionFailed
from htdl.media import browsers
from htdl.media.probe import Stream
from htdl.media.tracks import Track, copied, encoder

_CPU = 0.027  # seconds for a second of 5.1 to AAC in stereo (measured)

# The languages with two codes in ISO 639-2 or none that their ISO 639-1 code begins; all of one are one.
_SAME = (
    {"de", "deu", "ger"},
    {"fr", "fra", "fre"},
    {"nl", "nld", "dut"},
    {"zh", "zho", "chi"},
    {"cs", "ces", "cze"},
    {"el", "ell", "gre"},
    {"es", "spa"},
    {"ja", "jpn"},
    {"pl", "pol"},
    {"pt", "por"},
    {"sv", "swe"},
    {"tr", "tur"},
    {"sk", "slk", "slo"},
    {"ro", "ron", "rum"},
    {"fa", "fas", "per"},
    {"ka", "kat", "geo"},
    {"hy", "hye", "arm"},
    {"eu", "eus", "baq"},
    {"cy", "cym", "wel"},
    {"is", "isl", "ice"},
    {"mk", "mkd", "mac"},
    {"ms", "msa", "may"},
    {"mi", "mri", "mao"},
    {"my", "mya", "bur"},
    {"bo", "bod", "tib"},
    {"sq", "sqi", "alb"},
    {"ga", "gle"},
    {"hr", "hrv"},
    {"id", "ind"},
    {"ru", "rus"},
    {"uk", "ukr"},
)


def chosen(streams: Sequence[Stream], wanted: Sequence[str]) -> tuple[Stream, ...]:
    """What is kept, the default first and what is spoken over the film last.

    `wanted`: languages, the first of them the default; empty for all there are.  What cannot be told (no
    codec) is not kept.  Raises ConversionFailed where there is sound, but none in a wanted language.
    """
    known = [x for x in streams if x.codec]
    ordered = sorted(known, key=lambda x: (_is_beside(x), not x.is_default, x.index))
    if not wanted or not known:
        return tuple(ordered)
    picked = [x for language in wanted for x in ordered if _speaks(x, language)]
    if not picked:
        there = ", ".join(dict.fromkeys(x.language or "unnamed" for x in ordered))
        raise ConversionFailed(
            f"no sound is in {' or '.join(wanted)}: there is {there}",
            hint="choose a language that is there, or none to keep all",
        )
    return tuple(dict.fromkeys(picked))


def _is_beside(stream: Stream) -> bool:
    return stream.is_commentary or stream.is_visual_impaired


def _speaks(stream: Stream, wanted: str) -> bool:
    """ "en" and "eng" are one, and "pt-br" is "pt"."""
    here, there = ((x or "").lower().partition("-")[0] for x in (stream.language, wanted))
    same = next((group for group in _SAME if there in group), {there})
    return here in same or (len(there) == 2 and len(here) == 3 and here.startswith(there) and same == {there})


def sound(stream: Stream, container: str, picture_codec: str | None, has: frozenset[str]) -> Track:
    """In stereo where it is encoded.  Raises ConversionFailed (no encoder)."""
    fault = browsers.sound_fault(stream, container, picture_codec)
    if fault is None:
        return copied(stream)
    codec = "aac" if container == browsers.MP4 else "opus"
    channels, bits = (1, 96_000) if stream.channels == 1 else (2, 160_000)
    options: tuple[str, ...] = ("-b:a:{}", str(bits), "-ac:a:{}", str(channels))
    if stream.sample_rate > 48_000:
        options += ("-ar:a:{}", "48000")
    mixed = f"; {stream.channels} channels become stereo" if stream.channels > 2 else ""
    return Track(stream, codec, fault + mixed, (*encoder(codec, has), *options), cpu=_CPU, bits=bits)
