"""The text of a subtitle file whose encoding nobody names.  Pure.

Certain first: a byte order mark, UTF-8, the zeros of UTF-16.  Then the language of the file's name, if it has
one.  A detector comes last, and is believed for scripts of their own alone: of the Latin alphabet a few
hundred words tell it too little, and French becomes Central European (measured).
"""

from __future__ import annotations

import codecs

DEFAULT = "cp1252"

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16: it begins with the same bytes
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# Windows' own code page of a language, where that is not the default.  In pairs: ISO 639-1 and 639-2.
_OF_LANGUAGE = {
    language: encoding
    for encoding, languages in {
        "cp1250": "pl pol cs cze ces sk slo slk hu hun hr hrv sl slv ro rum ron bs bos sq alb sqi",
        "cp1251": "ru rus uk ukr bg bul be bel mk mac mkd",
        "cp1253": "el gre ell",
        "cp1254": "tr tur az aze",
        "cp1255": "he heb",
        "cp1256": "ar ara fa per fas ur urd",
        "cp1257": "lt lit lv lav et est",
        "cp1258": "vi vie",
        "cp874": "th tha",
        "cp932": "ja jpn",
        "cp949": "ko kor",
    }.items()
    for language in languages.split()
}

# What the detector may find: on the left its word, on the right the superset that is really in use.
_SCRIPTS = {
    **{x: x for x in ("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic")},
    **{x: x for x in ("cp1253", "iso8859_7", "cp1255", "iso8859_8", "cp1256", "iso8859_6")},
    "big5": "big5hkscs",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "shift_jis": "cp932",
    "cp932": "cp932",
    "euc_jp": "euc_jp",
    "euc_kr": "cp949",
    "cp949": "cp949",
}
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")

_SAMPLE = 32 << 10  # bytes; more tells no more
_FEW = 0.01  # faults, for each letter beyond ASCII


def decode(data: bytes, language: str | None = None) -> str:
    """Never fails: what makes no sense becomes U+FFFD.  `language` is an ISO 639 code, or BCP 47."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if (found := _utf16(data) or _utf8(data)) is not None:
        return found
    return data.decode(_by_language(data, language) or _by_letters(data), "replace")


def _utf8(data: bytes) -> str | None:
    """Also with a fault here and there, or cut off within a letter; None when it is no UTF-8."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    is_cut = good > 0 and text.endswith("\ufffd")
    return text if broken - is_cut <= _FEW * good else None


def _utf16(data: bytes) -> str | None:
    """Without its mark: every other byte of Western text is zero."""
    half = len(data[:_SAMPLE]) // 2
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first:_SAMPLE:2].count(0) > half // 2:
            return data.decode(encoding, "replace")
    return None


def _by_language(data: bytes, language: str | None) -> str | None:
    """Where the text can be that."""
    encoding = _OF_LANGUAGE.get((language or "").partition("-")[0].lower())
    if encoding is None:
        return None
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def _by_letters(data: bytes) -> str:
    from charset_normalizer import from_bytes  # here: most files are UTF-8, and it is large

    found = from_bytes(_telling(data), cp_isolation=[*_SCRIPTS, *_LATIN]).best()
    return _SCRIPTS.get(found.encoding, DEFAULT) if found else DEFAULT


def _telling(data: bytes) -> bytes:
    """The first lines that hold more than ASCII: times and numbers speak for no language."""
    lines = (line for line in data[: 16 * _SAMPLE].split(b"\n") if not line.isascii())
    return b"\n".join(lines)[:_SAMPLE]
