"""The .torrent behind an http(s) URL, fetched from a site that is not trusted.

The address is checked where the socket is made, after the name was resolved, so that neither a redirect nor a
name that changes its address between two looks (DNS rebinding) leads into the local network.  No proxy is
taken from the environment, for the same reason; no cookies are kept.  Messages show the scheme and host of a
URL alone: what follows often holds a passkey.
"""

from __future__ import annotations

import asyncio
import os
import socket
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

import htdl
from htdl.errors import BadSource
from htdl.torrent.addresses import is_public
from htdl.torrent.bounds import MAX_TORRENT_BYTES
from htdl.torrent.sources import is_url, is_web_page

TIMEOUT_SECONDS = 15.0  # for all of it, redirects too
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 8000  # RFC 9110 section 4.1 asks for that many; what is longer is refused by most servers

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "User-Agent": f"htdl/{htdl.__version__}",
    "Accept": "application/x-bittorrent, */*;q=0.5",
    "Accept-Encoding": "identity",
}
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # zlib finds out which of them it is
_IN_A_BROWSER = "open it in a browser and save the .torrent, or copy the magnet link"
_TRY_LATER = "check the address and the network, then try again"


class _PrivateAddressError(OSError):
    """A connection into the local network was about to be made."""


async def fetch(
    url: str,
    *,
    allow_lan: bool,
    may_reach: Callable[[str], bool] = is_public,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bytes | str:
    """The body of this URL; or, where the site redirects to a magnet link, that link as text.

    Connects only to addresses that `may_reach` says yes to; to any with `allow_lan`.
    At most MAX_TORRENT_BYTES, also once decompressed.  Raises BadSource for whatever goes wrong.
    """
    url = url.strip()
    if len(url) > MAX_URL_LENGTH:
        raise BadSource(f"{_shown(url[:300])} is {len(url):,} characters long", hint=_IN_A_BROWSER)
    try:
        async with asyncio.timeout(timeout_seconds), _session(_any if allow_lan else may_reach) as session:
            return await _follow(session, url)
    except TimeoutError as exc:
        raise BadSource(
            f"{_shown(url)} did not answer within {timeout_seconds:g} s", hint=_TRY_LATER
        ) from exc


def _any(address: str) -> bool:
    return True


def _session(may_reach: Callable[[str], bool]) -> aiohttp.ClientSession:
    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        """For a result of getaddrinfo.  Every connection takes one from here, also to a literal address."""
        family, kind, protocol, _, address = info
        if not may_reach(address[0]):
            raise _PrivateAddressError("a private address")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=aiohttp.ThreadedResolver(),  # the system's own, whatever else is installed
        socket_factory=checked_socket,
        force_close=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,  # `_inflated` does it within bounds
        timeout=aiohttp.ClientTimeout(total=None),  # `fetch` keeps one for all requests together
        trust_env=False,
    )


async def _follow(session: aiohttp.ClientSession, url: str) -> bytes | str:
    for _ in range(MAX_REDIRECTS + 1):
        if not is_url(url):
            raise BadSource(f"{_shown(url)} is not an http or https address", hint=_IN_A_BROWSER)
        answer = await _get(session, url)
        if isinstance(answer, bytes):
            return answer
        if answer[:7].lower() == "magnet:":
            return answer
        url = _target(url, answer)
    raise BadSource(f"{_shown(url)} redirects more than {MAX_REDIRECTS} times", hint=_IN_A_BROWSER)


def _target(url: str, location: str) -> str:
    """Where a redirect leads (RFC 9110 section 10.2.2)."""
    try:
        return urljoin(url, location)
    except ValueError as exc:
        raise BadSource(f"{_shown(url)} redirects to no valid address", hint=_IN_A_BROWSER) from exc


async def _get(session: aiohttp.ClientSession, url: str) -> bytes | str:
    """One request: the body, or where it redirects to."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return location.strip()
            if response.status != 200:
                raise _status(url, response.status)
            body = await _body(url, response)
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        # ValueError: an address that cannot be parsed, the user's or a redirect's
        raise _failure(url, exc) from exc
    if is_web_page(body):
        raise BadSource(f"{_shown(url)} gave a web page, not a .torrent", hint=_IN_A_BROWSER)
    return body


async def _body(url: str, response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    if (response.content_length or 0) > MAX_TORRENT_BYTES:
        raise _too_large(url)
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_TORRENT_BYTES:
            raise _too_large(url)
    return _inflated(url, bytes(body), response.headers.get("Content-Encoding", ""))


def _inflated(url: str, body: bytes, encoding: str) -> bytes:
    """The body without its content encoding, which some sites apply though none was asked for."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise BadSource(f"{_shown(url)} sent an encoding that cannot be read", hint=_IN_A_BROWSER)
    try:
        plain = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, MAX_TORRENT_BYTES + 1)
    except zlib.error as exc:
        raise BadSource(f"{_shown(url)} sent damaged data", hint=_TRY_LATER) from exc
    if len(plain) > MAX_TORRENT_BYTES:
        raise _too_large(url)
    return plain


def _too_large(url: str) -> BadSource:
    return BadSource(
        f"{_shown(url)} sends more than {MAX_TORRENT_BYTES >> 20} MiB, too much for a .torrent",
        hint="give the URL of the .torrent, not of the video",
    )


def _status(url: str, status: int) -> BadSource:
    words = {401: "wants a login", 403: "refuses access", 404: "has no such page", 429: "asks us to wait"}
    said = words.get(status, "did not give the file")
    return BadSource(f"{_shown(url)} {said} (HTTP {status})", hint=_IN_A_BROWSER)


def _failure(url: str, exc: Exception) -> BadSource:
    """What went wrong with a connection, in words; the order is from the particular to the general."""
    shown = _shown(url)
    if isinstance(exc, aiohttp.ClientConnectorError) and isinstance(exc.os_error, _PrivateAddressError):
        return BadSource(
            f"{shown} is on this machine or its local network",
            hint="set torrent.allow_lan = true if that is meant",
        )
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return BadSource(f"{shown}: there is no host of this name", hint=_TRY_LATER)
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return BadSource(
            f"{shown} has no valid TLS certificate", hint="it may not be the site it claims to be"
        )
    if isinstance(exc, aiohttp.ClientSSLError):
        return BadSource(f"{shown} does not speak TLS as it should", hint="try it with http://, or later")
    if isinstance(exc, aiohttp.InvalidURL) or not isinstance(exc, aiohttp.ClientError | OSError):
        return BadSource(f"{shown} is not a valid address", hint="copy it again from where you found it")
    if isinstance(exc, aiohttp.ClientConnectorError):
        return BadSource(f"cannot connect to {shown}: {_reason(exc.os_error)}", hint=_TRY_LATER)
    return BadSource(f"{shown} broke off the answer", hint=_TRY_LATER)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "no address answers"


def _shown(url: str) -> str:
    """scheme://host/…, which is all of a URL that may be shown."""
    try:
        parts = urlsplit(url)
        host = "".join(c for c in (parts.hostname or "")[:255] if c.isprintable())
    except ValueError:
        return "the URL"
    return f"{parts.scheme}://{host}/…" if parts.scheme in {"http", "https"} and host else "the URL"
