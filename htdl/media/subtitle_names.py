"""Names of subtitle files: what a stranger's name says of one, and what ours is called.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import PurePosixPath

from htdl.media.probe import Stream

UNKNOWN = "und"  # ISO 639-2: undetermined

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # of BCP 47, what may be part of a file's name
_MOST_LANGUAGE = 20  # characters
_FORCED = frozenset({"forced", "foreign"})
_HEARING = frozenset({"sdh", "cc", "hi"})

# Words that stand for a language in the names of files, with its ISO 639-1 code.
_WORDS = {
    word: code
    for code, words in {
        "ar": "arabic", "bg": "bulgarian", "cs": "czech", "da": "danish dansk", "de": "german deutsch",
        "el": "greek", "en": "english", "es": "spanish espanol español castellano", "et": "estonian",
        "fa": "persian farsi", "fi": "finnish suomi", "fr": "french francais français", "he": "hebrew",
        "hi": "hindi", "hr": "croatian hrvatski", "hu": "hungarian magyar", "id": "indonesian",
        "it": "italian italiano", "ja": "japanese", "ko": "korean", "lt": "lithuanian", "lv": "latvian",
        "nl": "dutch nederlands", "no": "norwegian norsk", "pl": "polish polski",
        "pt": "portuguese portugues português", "ro": "romanian", "ru": "russian",
        "sk": "slovak", "sl": "slovenian", "sr": "serbian",
        "sv": "swedish svenska", "th": "thai", "tr": "turkish", "uk": "ukrainian", "vi": "vietnamese",
        "zh": "chinese",
    }.items()
    for word in words.split()
}  # fmt: skip
_CODE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{2,4}|-[0-9]{3})?")
_WORDS_AS_SHORT = "sub srt ass ssa vtt web dvd bd hd uhd rip cd aac dts the end"
_NO_CODES = frozenset(_WORDS_AS_SHORT.split())
_REGION = re.compile(r"(?<![A-Za-z])([a-z]{2})_([A-Z]{2})(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a track or file says of itself.  `is_forced`: only what is foreign in the film itself."""

    language: str | None = None
    is_forced: bool = False
    is_hearing_impaired: bool = False


def of_file(name: str) -> Kind:
    """Of a file beside a video, by the end of its name: "Film.2020.pt-BR.forced.srt", "2_English.srt"."""
    parts = re.split(r"[. _()\[\]]+", _REGION.sub(r"\1-\2", PurePosixPath(name).stem).strip("._ ()[]"))
    flags: set[str] = set()
    while len(parts) > 1 and parts[-1].lower() in _FORCED | _HEARING:
        flags.add(parts.pop().lower())
    language = _language(parts[-1], is_alone=len(parts) == 1)
    if language is None and flags == {"hi"}:
        return Kind("hi")  # Hindi: those who do not hear come after a language
    return Kind(language, bool(flags & _FORCED), bool(flags & _HEARING))


def of_stream(stream: Stream) -> Kind:
    """By its flags, and its title: "English [SDH]"."""
    words = set(re.split(r"\W+", (stream.title or "").lower()))
    return Kind(
        stream.language,
        stream.is_forced or "forced" in words,
        stream.is_hearing_impaired or bool(words & {"sdh", "cc"}),
    )


def file_names(kinds: Iterable[Kind], taken: Iterable[str] = ()) -> list[str]:
    """One for each, in their order: "en.vtt", "en.forced.vtt", and what is there already "en.2.vtt"."""
    used = set(taken)
    names = []
    for kind in kinds:
        stem = file_language(kind.language) + (
            ".forced" if kind.is_forced else ".sdh" if kind.is_hearing_impaired else ""
        )
        more = (f"{stem}.{number}.vtt" for number in count(2))
        name = next(x for x in chain([f"{stem}.vtt"], more) if x not in used)
        used.add(name)
        names.append(name)
    return names


def file_language(tag: str | None) -> str:
    """A stranger's, fit to be part of a file's name."""
    return tag if tag and len(tag) <= _MOST_LANGUAGE and _LANGUAGE.fullmatch(tag) else UNKNOWN


def _language(part: str, *, is_alone: bool) -> str | None:
    """A word, or a code; the only part of a name is the film's ("It.srt"), unless it is a word."""
    if word := _WORDS.get(part.lower()):
        return word
    if is_alone or not _CODE.fullmatch(part) or part.lower() in _NO_CODES:
        return None
    code, dash, rest = part.partition("-")
    return code.lower() + dash + rest
