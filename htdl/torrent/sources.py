"""What a user names, read as a torrent: a magnet, an info-hash, the bytes of a .torrent.

Nothing of a magnet's text reaches libtorrent: it is taken apart here and put together from checked parts.  A
.torrent is decoded and judged by `inspection` first; libtorrent then reads what passed.  What could not be of
use is left out (a tracker of an unknown scheme, a peer on a private address); what is too much, or could not
be meant, is refused.  BEP 53's choice of files (`so=`) is not read: files are chosen by the job.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from htdl.errors import BadSource
from htdl.torrent import inspection
from htdl.torrent._lt import lt
from htdl.torrent.addresses import is_public
from htdl.torrent.api import Metadata, Source
from htdl.torrent.bounds import (
    MAX_DEPTH,
    MAX_MAGNET_BYTES,
    MAX_PEERS,
    MAX_PIECES,
    MAX_TOKENS,
    MAX_TORRENT_BYTES,
    MAX_TRACKERS,
    MAX_WEB_SEEDS,
)

if TYPE_CHECKING:
    from libtorrent import add_torrent_params

    Value = inspection.Value

MAX_URL_LENGTH = 2048  # of a tracker or web seed; one with a passkey has about 100
MAX_NAME_LENGTH = 255

# ws: and wss: trackers are left out on purpose: libtorrent 2.1 does not ask the ip_filter about them, and one
# that keeps its connection open keeps the session from closing.
_TRACKERS = frozenset({"http", "https", "udp"})
_WEB = frozenset({"http", "https"})
# Any: libtorrent's stub takes the limits for another dictionary.
_LIMITS: Any = {"max_pieces": MAX_PIECES, "max_decode_depth": MAX_DEPTH, "max_decode_tokens": MAX_TOKENS}
_HEX = re.compile(r"(?:[0-9a-f]{40}|(?:1220)?[0-9a-f]{64})", re.IGNORECASE)
_BASE32 = re.compile(r"[a-z2-7]{32}", re.IGNORECASE)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMBERED = re.compile(r"\.\d+$")  # tr.1, tr.2 …
_LIBTORRENT_CODE = re.compile(r"\s*\[\w+:\d+\]$")

_ACCEPTED = "give a magnet link, an info-hash, an http(s) URL of a .torrent, or a .torrent file"
_TRY_ANOTHER = "copy it again from where you found it"


def is_url(source: str) -> bool:
    """Whether this is a web address, to be fetched first."""
    return source.strip()[:8].lower().startswith(("http://", "https://"))


def is_web_page(raw: bytes) -> bool:
    """Whether these bytes are HTML or XML, as sites answer that want a login first."""
    return raw[:512].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def parse(source: str | bytes, *, allow_lan: bool) -> Source:
    """The checked request; a text that came as bytes is read as one.  Raises BadSource.

    Takes up to about 0.2 s for the largest .torrent that is accepted: not for the event loop.
    """
    if isinstance(source, bytes):
        if not source[:64].lstrip().lower().startswith(b"magnet:"):
            return _from_torrent(source)
        source = source[: MAX_MAGNET_BYTES + 1].decode("utf-8", "replace")
    text = source.strip()
    if not text:
        raise BadSource("the source is empty", hint=_ACCEPTED)
    if len(text) > MAX_MAGNET_BYTES:
        raise BadSource(f"the source is {len(text):,} characters long, more than any magnet", hint=_ACCEPTED)
    if text[:7].lower() == "magnet:":
        return _from_magnet(text, allow_lan=allow_lan)
    if _HEX.fullmatch(text) or _BASE32.fullmatch(text):
        return _source(_hashes([text], ""), None)
    raise _unknown(text)


def _unknown(text: str) -> BadSource:
    if is_url(text):
        return BadSource("a URL has to be fetched before it is read", hint=_ACCEPTED)
    scheme, colon, _ = text[:32].partition(":")
    if colon and scheme.isalpha():
        return BadSource(f"sources of the kind '{scheme.lower()}:' are not known", hint=_ACCEPTED)
    return BadSource(f"'{_clean(text[:60])}' is no magnet, info-hash or URL", hint=_ACCEPTED)


def _from_magnet(text: str, *, allow_lan: bool) -> Source:
    fields = _fields(text)
    params = _hashes(fields.get("xt", []), "urn:")
    params.name = _clean(next(iter(fields.get("dn", [])), ""))
    trackers = _at_most(MAX_TRACKERS, "trackers", fields.get("tr", []))
    params.trackers = _usable(trackers, _TRACKERS)
    params.tracker_tiers = list(range(len(params.trackers)))
    params.url_seeds = _usable(_at_most(MAX_WEB_SEEDS, "web seeds", fields.get("ws", [])), _WEB)
    params.peers = _peers(_at_most(MAX_PEERS, "peers", fields.get("x.pe", [])), allow_lan=allow_lan)
    return _source(params, None)


def _fields(text: str) -> dict[str, list[str]]:
    """The values of each parameter of a magnet, in order; `tr.1` counts as `tr`, and `&amp;` as `&`."""
    query = text.partition("?")[2].replace("&amp;", "&")
    fields: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, errors="replace"):
        fields.setdefault(_NUMBERED.sub("", key.lower()), []).append(value.strip())
    return fields


def _hashes(topics: Iterable[str], prefix: str) -> add_torrent_params:
    """Parameters with the info-hash of these `xt` values or bare ones; `urn:sha1:` and such are passed by."""
    v1: set[bytes] = set()
    v2: set[bytes] = set()
    for topic in topics:
        kind, _, digest = topic.lower().removeprefix(prefix).rpartition(":")
        if kind in {"btih", ""} and len(digest) in {32, 40}:
            v1.add(_digest(digest, 20))
        elif kind in {"btmh", ""} and len(digest) in {64, 68}:
            v2.add(_digest(digest.removeprefix("1220") if len(digest) == 68 else digest, 32))
        elif kind in {"btih", "btmh"}:
            raise BadSource(f"the info-hash '{_clean(digest[:80])}' has a wrong length", hint=_TRY_ANOTHER)
    if not v1 and not v2:
        raise BadSource("the magnet has no BitTorrent info-hash", hint="it must hold xt=urn:btih:…")
    if len(v1) > 1 or len(v2) > 1:
        raise BadSource("the magnet names several torrents", hint="add them one by one")
    return _with_hashes(v1, v2)


def _with_hashes(v1: set[bytes], v2: set[bytes]) -> add_torrent_params:
    params = lt.add_torrent_params()
    first = lt.sha1_hash(next(iter(v1), bytes(20)))
    second = lt.sha256_hash(next(iter(v2), bytes(32)))
    params.info_hashes = lt.info_hash_t(first, second)
    return params


def _digest(text: str, size: int) -> bytes:
    try:
        raw = base64.b32decode(text.upper()) if len(text) == 32 else bytes.fromhex(text)
    except (binascii.Error, ValueError) as exc:
        raise BadSource(f"'{_clean(text)}' is not an info-hash", hint=_TRY_ANOTHER) from exc
    if len(raw) != size:
        raise BadSource(f"'{_clean(text)}' is not an info-hash", hint=_TRY_ANOTHER)
    if not any(raw):
        raise BadSource("the info-hash is all zeros, which no torrent has", hint=_TRY_ANOTHER)
    return raw


def _from_torrent(raw: bytes) -> Source:
    top, end = _decoded(raw)
    info = top.get(b"info")
    if not isinstance(info, dict):
        raise BadSource("this .torrent describes no files: its info part is missing", hint=_TRY_ANOTHER)
    inspection.check_decoded(info)
    tiers = _tiers(top)
    web_seeds = _at_most(MAX_WEB_SEEDS, "web seeds", _texts(top.get(b"url-list")))
    params = _loaded(raw[:end])
    params.trackers = [url for tier in tiers for url in tier]
    params.tracker_tiers = [number for number, tier in enumerate(tiers) for _ in tier]
    params.url_seeds = _usable(web_seeds, _WEB)
    assert params.ti is not None  # of a .torrent that loads
    return _source(params, inspection.metadata(params.ti, params.renamed_files))


def _decoded(raw: bytes) -> tuple[dict[bytes, Value], int]:
    if len(raw) > MAX_TORRENT_BYTES:
        size = f"{len(raw) / (1 << 20):.1f} MiB"
        raise BadSource(f"this .torrent has {size}, more than {MAX_TORRENT_BYTES >> 20}", hint=_TRY_ANOTHER)
    if not raw.strip():
        raise BadSource("this .torrent is empty", hint=_TRY_ANOTHER)
    if is_web_page(raw):
        raise BadSource(
            "this is a web page, not a .torrent",
            hint="open the page in a browser and copy the magnet link, or save the .torrent itself",
        )
    if not raw.startswith(b"d"):
        raise BadSource("this is not a .torrent file", hint=_ACCEPTED)
    return inspection.decode(raw)


def _loaded(raw: bytes) -> add_torrent_params:
    try:
        return lt.load_torrent_buffer(raw, _LIMITS)
    except RuntimeError as exc:
        reason = _LIBTORRENT_CODE.sub("", str(exc))
        raise BadSource(f"this is not a valid torrent: {reason}", hint=_TRY_ANOTHER) from exc


def _tiers(top: dict[bytes, Value]) -> list[list[str]]:
    """The usable trackers by tier.  `announce` counts only where `announce-list` is missing (BEP 12)."""
    listed = top.get(b"announce-list")
    groups = [_texts(group) for group in listed] if isinstance(listed, list) else []
    if not any(groups):
        groups = [_texts(top.get(b"announce"))]
    _at_most(MAX_TRACKERS, "trackers", [url for group in groups for url in group])
    seen: set[str] = set()
    tiers = []
    for group in groups:
        tier = [url for url in _usable(group, _TRACKERS) if url not in seen]
        seen.update(tier)
        if tier:
            tiers.append(tier)
    return tiers


def _texts(value: Value | None) -> list[str]:
    """A text, or a list of texts, as a list; what is neither is left out."""
    values = value if isinstance(value, list) else [value]
    return [x.decode("utf-8", "replace").strip() for x in values if isinstance(x, bytes) and x]


def _source(params: add_torrent_params, metadata: Metadata | None) -> Source:
    hashes = params.info_hashes
    v2 = str(hashes.v2) if hashes.has_v2() else None
    return Source(
        info_hash=str(hashes.v1) if hashes.has_v1() else str(hashes.v2),
        info_hash_v2=v2,
        name=metadata.name if metadata else params.name,
        metadata=metadata,
        resume=lt.write_resume_data_buf(params),
    )


def _at_most(limit: int, what: str, values: list[str]) -> list[str]:
    if len(values) > limit:
        raise BadSource(
            f"the torrent is refused: it lists {len(values):,} {what}, more than {limit}",
            hint="use a link from another site",
        )
    return values


def _usable(urls: Iterable[str], schemes: frozenset[str]) -> list[str]:
    """Those that libtorrent can be given, each once, in order."""
    return list(dict.fromkeys(url for url in urls if _is_usable(url, schemes)))


def _is_usable(url: str, schemes: frozenset[str]) -> bool:
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a bracket that cannot be
        return False


def _peers(texts: Iterable[str], *, allow_lan: bool) -> list[tuple[str, int]]:
    """(address, port) of `x.pe` values; names are left out, and private addresses unless `allow_lan`."""
    peers: dict[tuple[str, int], None] = {}
    for text in texts:
        host, _, port = text.rpartition(":")
        try:
            address = ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            continue
        if (
            port.isascii()
            and port.isdigit()
            and 0 < int(port[:6]) < 65536
            and (allow_lan or is_public(address))
        ):
            peers[str(address), int(port)] = None
    return list(peers)


def _clean(text: str) -> str:
    """A name to show: what cannot be printed is left out."""
    return "".join(c for c in text[: 4 * MAX_NAME_LENGTH] if c.isprintable())[:MAX_NAME_LENGTH].strip()
