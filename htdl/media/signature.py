"""What a file is by its first bytes, whatever its name says.  Pure.

Sources: Matroska RFC 9559 and EBML RFC 8794; ISO 14496-12 (boxes) and Apple's QuickTime File Format; ISO
13818-1 (transport and program stream); Microsoft's ASF 1.20 and RIFF; Adobe's FLV 10.1; Ogg RFC 3533; FLAC
RFC 9639; ISO 11172-3 and 13818-7 (MPEG audio, ADTS); the rest as file(1) knows them.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD_BYTES = 4096  # what `identify` wants to see

_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx"})
_PICTURES = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx ")  # brands of ISO boxes
_TS_PACKET, _M2TS_PACKET = 188, 192
_SYNC = 0x47

# (offset, bytes, kind)
_MEDIA: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x00\x00\x01\xba", "mpeg-ps"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
    (0, b"OggS", "ogg"),
    (0, b".RMF", "realmedia"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
)
# (offset, bytes, what it is instead)
_OTHER: tuple[tuple[int, bytes, str], ...] = (
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
    (0, b"\xcf\xfa\xed\xfe", "a macOS program"),
    (0, b"\xce\xfa\xed\xfe", "a macOS program"),
    (0, b"\xca\xfe\xba\xbe", "a program"),  # Java's, or macOS's for several processors
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Windows installer or an Office document"),
    (0, b"MSCF", "a Windows cabinet"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"PK\x05\x06", "a ZIP archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"GIF8", "a picture"),
    (0, b"SQLite format 3", "a database"),
    (0, b"#!", "a script"),
)
# how a text begins, in lower case
_TEXTS: tuple[tuple[str, str], ...] = (
    ("#extm3u", "a playlist"),
    ("[playlist]", "a playlist"),
    ("ffconcat", "a playlist"),
    ("<asx", "a playlist"),
    ("<mpd", "a playlist"),
    ("v=0\r\no=", "a description of a broadcast"),
    ("v=0\no=", "a description of a broadcast"),
    ("<!doctype html", "a web page"),
    ("<html", "a web page"),
    ("<?xml", "an XML text"),
    ("d8:announce", "a .torrent file"),
    ("d13:announce-list", "a .torrent file"),
)


@dataclass(frozen=True, slots=True)
class Signature:
    """`kind` is the container ("matroska", "mp4", …), or None for what is no video and no sound; `words` say
    for a person what it is.
    """

    kind: str | None
    words: str


UNKNOWN = Signature(None, "nothing that is known")


def identify(head: bytes) -> Signature:
    """`head`: the file's first HEAD_BYTES, or all of it if it is shorter."""
    if not head:
        return Signature(None, "an empty file")
    if not head.strip(b"\0"):
        return Signature(None, "nothing but zeros")
    kind = _media(head)
    if kind:
        return Signature(kind, f"a file of the kind {kind}")
    words = _other(head) or _text(head)
    return Signature(None, words) if words else UNKNOWN


def _media(head: bytes) -> str | None:
    for offset, magic, kind in _MEDIA:
        if head.startswith(magic, offset):
            return kind
    if head[4:8] in _BOXES and not head.startswith(_PICTURES, 8):
        return "mp4"
    if head.startswith(b"RIFF"):
        return {b"AVI ": "avi", b"WAVE": "wav"}.get(head[8:12])
    if _is_mpegts(head):
        return "mpegts"
    return _mpeg_audio(head)


def _is_mpegts(head: bytes) -> bool:
    """Three packets in a row; on a disc each has four bytes of time before it."""
    return any(
        len(head) > start + 2 * packet and all(head[start + n * packet] == _SYNC for n in range(3))
        for start, packet in ((0, _TS_PACKET), (4, _M2TS_PACKET))
    )


def _mpeg_audio(head: bytes) -> str | None:
    """By the fields of a frame's header that may not have just any value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:  # ADTS: layer 0
        return "aac"
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    is_frame = version != 1 and layer != 0 and bit_rate not in {0, 15} and sample_rate != 3
    return "mp3" if is_frame and not head.startswith(b"\xff\xfe") else None  # UTF-16's mark


def _other(head: bytes) -> str | None:
    if head[4:8] == b"ftyp" or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "a picture"
    return next((words for offset, magic, words in _OTHER if head.startswith(magic, offset)), None)


def _text(head: bytes) -> str | None:
    """Text has no control characters but those of lines and pages.  The cut may go through a character."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    if any(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in head):
        return None
    text = head.decode("utf-8-sig", errors="replace").lstrip().lower()
    if text.count("\ufffd") > len(text) // 4:  # neither UTF-8 nor mostly ASCII
        return None
    return next((words for begin, words in _TEXTS if text.startswith(begin)), "text")
