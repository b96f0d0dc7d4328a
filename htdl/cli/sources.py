"""What `add` is given, made ready for the socket.  The command line reads files itself: the daemon may run
elsewhere, and need not be allowed to read them.
"""

from __future__ import annotations

import os
import re
import stat
from base64 import b64encode
from typing import BinaryIO

from htdl.errors import BadSource

MAX_TORRENT_BYTES = 10 << 20
STDIN = "-"

_LINK = re.compile(r"(magnet:|https?://)", re.IGNORECASE)
_OTHER_URL = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)  # RFC 3986, 3.1
# BEP 9: v1 in hex or base32; BEP 52: v2 in hex
_INFO_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|[a-z2-7]{32}", re.IGNORECASE)


def read(given: str, stdin: BinaryIO) -> dict[str, str]:
    """{"source": text} or {"torrent": base64 of the bytes}, as AddRequest has them.  Raises BadSource."""
    text = given.strip()
    if _OTHER_URL.match(text):
        raise BadSource(f"{text!r} cannot be fetched", hint="an http or https URL can, and a magnet link")
    if _LINK.match(text) or _INFO_HASH.fullmatch(text):
        return {"source": text}
    if given == STDIN:
        return _piped(stdin.read(MAX_TORRENT_BYTES + 1))
    return {"torrent": b64encode(_whole(_file(given), given)).decode()}


def _piped(data: bytes) -> dict[str, str]:
    """A .torrent, or a line with a magnet or URL."""
    line = data[:8192].strip()
    if _LINK.match(line[:8].decode("latin-1")):
        return {"source": line.decode(errors="replace")}
    return {"torrent": b64encode(_whole(data, "standard input")).decode()}


def _file(path: str) -> bytes:
    """The bytes of a regular file; a FIFO or device is never waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise BadSource(
            f"{path!r} is no magnet, info-hash or URL, and no such file exists",
            hint="give a magnet link, an info-hash, a URL or the path of a .torrent file",
        ) from exc
    except OSError as exc:
        raise BadSource(f"cannot read {path!r}: {exc.strerror}") from exc
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise BadSource(f"{path!r} is {kind}", hint="give the path of a .torrent file")
        with open(handle, "rb", closefd=False) as file:
            return file.read(MAX_TORRENT_BYTES + 1)
    except OSError as exc:
        raise BadSource(f"cannot read {path!r}: {exc.strerror}") from exc
    finally:
        os.close(handle)


def _whole(data: bytes, name: str) -> bytes:
    if not data:
        raise BadSource(f"{name!r} is empty", hint="give the path of a .torrent file")
    if len(data) > MAX_TORRENT_BYTES:
        raise BadSource(
            f"{name!r} is larger than {MAX_TORRENT_BYTES >> 20} MiB", hint="is it really a .torrent file?"
        )
    return data
