from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import htdl
from htdl.errors import BadSource
from htdl.torrent.bounds import MAX_TORRENT_BYTES
from htdl.torrent.fetch import MAX_REDIRECTS, fetch
from tests.torrents import make_torrent

TORRENT = make_torrent()
SECRET = "passkey=0123456789"
MAGNET = "magnet:?xt=urn:btih:c12fe1c06bba254a9dc9f519b335aa7c1367a88a&dn=a b"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """A web server on a loopback address that answers every path alike and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.answer: Answer = sends(TORRENT)
        self.address = "127.0.0.1"
        self.port = 0

    async def start(self, address: str, context: ssl.SSLContext | None = None) -> web.AppRunner:
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)  # type: ignore[arg-type]
        await runner.setup()
        await web.TCPSite(runner, address, 0, ssl_context=context).start()
        self.address, self.port = runner.addresses[0][:2]
        return runner  # type: ignore[return-value]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answer(request)

    def url(
        self, *, scheme: str = "http", host: str | None = None, path: str = f"/x.torrent?{SECRET}"
    ) -> str:
        return f"{scheme}://{host or self.address}:{self.port}{path}"


def sends(body: bytes, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=named)

    return answer


def redirects(to: str, status: int = 302) -> Answer:
    return sends(b"", status, Location=to)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    runner = await site.start("127.0.0.1")
    yield site
    await runner.cleanup()


@pytest.fixture
async def other_site() -> AsyncIterator[Site]:
    site = Site()
    runner = await site.start("127.0.0.2")
    yield site
    await runner.cleanup()


async def refusal(url: str, *, allow_lan: bool = True, **more: Any) -> BadSource:
    with pytest.raises(BadSource) as caught:
        await fetch(url, allow_lan=allow_lan, **more)
    assert SECRET not in caught.value.message + str(caught.value.hint)
    assert caught.value.hint
    return caught.value


async def test_the_body_comes_back_unchanged(site: Site) -> None:
    assert await fetch(f" {site.url()}\n", allow_lan=True) == TORRENT
    assert site.requests[0].headers["User-Agent"] == f"htdl/{htdl.__version__}"


async def test_a_login_in_the_url_is_sent_and_never_shown(site: Site) -> None:
    await fetch(site.url(host="user:secret@127.0.0.1"), allow_lan=True)
    assert site.requests[0].headers["Authorization"].startswith("Basic ")
    site.answer = sends(b"", 404)
    assert "secret" not in (await refusal(site.url(host="user:secret@127.0.0.1"))).message


# --- addresses ---


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_a_local_address_is_not_reached_and_told(site: Site, host: str) -> None:
    assert "local network" in (await refusal(site.url(host=host), allow_lan=False)).message
    assert site.requests == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "017700000001", "127。0。0。1", "①27.0.0.1"])
async def test_a_strange_spelling_of_a_local_address_is_not_reached(site: Site, host: str) -> None:
    await refusal(site.url(host=host), allow_lan=False)
    assert site.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]:9/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "https://192.168.1.1/",
    ],
)
async def test_private_networks_are_not_reached(url: str) -> None:
    assert "allow_lan" in str((await refusal(url, allow_lan=False)).hint)


async def test_a_redirect_does_not_lead_where_a_first_request_may_not_go(
    site: Site, other_site: Site
) -> None:
    site.answer = redirects(other_site.url())
    error = await refusal(site.url(), allow_lan=False, may_reach=lambda address: address == site.address)
    assert "http://127.0.0.2/… is on this machine" in error.message
    assert (len(site.requests), len(other_site.requests)) == (1, 0)


async def test_no_proxy_is_taken_from_the_environment(
    site: Site, other_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other_site.url(path=""))
    assert await fetch(site.url(), allow_lan=True) == TORRENT
    assert other_site.requests == []


# --- redirects ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_relative_ones_too(site: Site, status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        is_last = request.path == "/b.torrent"
        return await (sends(TORRENT) if is_last else redirects("../b.torrent", status))(request)

    site.answer = answer
    assert await fetch(site.url(path="/a/x"), allow_lan=True) == TORRENT


async def test_cookies_are_not_carried_along(site: Site) -> None:
    site.answer = sends(b"", 302, Location="/again", Set_Cookie="id=1")
    await refusal(site.url(host="localhost"))  # a jar takes no cookies of bare addresses anyway
    assert len(site.requests) > 1
    assert not any("Cookie" in request.headers for request in site.requests)


async def test_redirects_end_somewhere(site: Site) -> None:
    site.answer = redirects("/again")
    assert f"more than {MAX_REDIRECTS} times" in (await refusal(site.url())).message
    assert len(site.requests) == MAX_REDIRECTS + 1


async def test_a_redirect_to_a_magnet_is_given_back_as_text(site: Site) -> None:
    site.answer = redirects(MAGNET)
    assert await fetch(site.url(), allow_lan=True) == MAGNET


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://h/x", "javascript:x", "http://[::1", "http://h:99999999/"]
)
async def test_a_redirect_to_anything_else_is_refused(site: Site, target: str) -> None:
    site.answer = redirects(target)
    await refusal(site.url())
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "magnet:?xt=x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://h:x/",
        "http://h\0/",
    ],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    await refusal(url)


# --- bodies ---


async def test_a_web_page_is_called_one(site: Site) -> None:
    site.answer = sends(b"\n<!DOCTYPE html><title>Log in</title>")
    assert "web page, not a .torrent" in (await refusal(site.url())).message


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "refuses access"), (404, "no such page"), (503, "HTTP 503"), (204, "HTTP 204")],
)
async def test_an_http_error_is_told_in_words(site: Site, status: int, words: str) -> None:
    site.answer = sends(b"", status)
    assert words in (await refusal(site.url())).message


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_a_compressed_body_is_unpacked(
    site: Site, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    site.answer = sends(encode(TORRENT), Content_Encoding=encoding)
    assert await fetch(site.url(), allow_lan=True) == TORRENT


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_a_body_in_an_encoding_that_cannot_be_read_is_refused(site: Site, encoding: str) -> None:
    site.answer = sends(b"\x0bnonsense", Content_Encoding=encoding)
    await refusal(site.url())


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(site: Site) -> None:
    never = asyncio.Event()

    async def announces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(MAX_TORRENT_BYTES + 1)})
        await response.prepare(request)
        await never.wait()
        return response

    site.answer = announces
    assert "more than 10 MiB" in (await refusal(site.url(), timeout_seconds=60)).message


async def test_a_body_that_never_ends_is_cut_off(site: Site) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 20))
            sent += 1

    site.answer = endless
    assert "more than 10 MiB" in (await refusal(site.url())).message
    assert sent < 40


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(site: Site) -> None:
    bomb = gzip.compress(bytes(MAX_TORRENT_BYTES * 3))
    assert len(bomb) < 100_000
    site.answer = sends(bomb, Content_Encoding="gzip")
    assert "more than 10 MiB" in (await refusal(site.url())).message


async def test_a_body_that_breaks_off_is_told(site: Site) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"d4:")
        assert request.transport is not None
        request.transport.close()
        return response

    site.answer = half
    assert "broke off" in (await refusal(site.url())).message


async def test_a_site_that_does_not_answer_is_given_up(site: Site) -> None:
    never = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    site.answer = silent
    assert "within 0.2 s" in (await refusal(site.url(), timeout_seconds=0.2)).message


# --- connections ---


async def test_a_closed_port_is_told(site: Site) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody else takes it, and it does not listen
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/{SECRET}"
        assert "connection refused" in (await refusal(url)).message


async def test_a_host_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:  # for no query may leave this machine
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "no host of this name" in (await refusal(f"http://nowhere.invalid/?{SECRET}")).message


async def test_a_server_without_tls_is_told(site: Site) -> None:
    assert "TLS" in (await refusal(site.url(scheme="https"))).message


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    making = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=here -days 1"
    )
    await asyncio.to_thread(
        subprocess.run,
        [*making.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site = Site()
    runner = await site.start("127.0.0.1", context)
    assert "no valid TLS certificate" in (await refusal(site.url(scheme="https", host="localhost"))).message
    assert site.requests == []
    await runner.cleanup()


async def test_an_endless_address_is_not_asked_for() -> None:
    with pytest.raises(BadSource, match=r"http://example\.org/… is 1,000,\d+ characters long"):
        await fetch(f"http://example.org/{'x' * 10**6}", allow_lan=False)
