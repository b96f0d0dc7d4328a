"""Where videos can be reached: addresses that nobody can guess."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import quote

from htdl.jobs import JobFile, Subtitle, SubtitleLink


class Links:
    """`secret` makes the tokens.  It is kept, so that a player's address outlives the daemon."""

    FEED = "feed"  # the use of what arrives, by its conversion

    def __init__(self, secret: bytes) -> None:
        self.base_url: str | None = None  # of the video server, while there is one
        self._secret = secret

    def token(self, job_id: str, use: str = "") -> str:
        """What an address must hold to reach this job's videos: 128 bits that nobody guesses.  That of FEED
        reaches nothing else: it stands among ffmpeg's arguments, which every user of the machine can read.
        """
        mac = hmac.digest(self._secret, f"{use}{job_id}".encode(), hashlib.sha256)[:16]
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def is_token(self, job_id: str, token: str, use: str = "") -> bool:
        """In the same time for any that is wrong."""
        return hmac.compare_digest(self.token(job_id, use).encode(), token.encode("utf-8", "replace"))

    def video(self, job_id: str, file: JobFile) -> str | None:
        """Of what was made of a file, else of the file itself; None while no server listens.  Its name is
        there for the player to show.
        """
        name = quote(PurePosixPath(file.output or file.path).name, safe="")
        return self._address("video" if file.output else "stream", job_id, f"{file.index}/{name}")

    def live(self, job_id: str, file: JobFile) -> str | None:
        """Of the playlist of what is made of a file meanwhile."""
        return self._address("hls", job_id, f"{file.index}/index.m3u8")

    def feed(self, job_id: str, file: JobFile) -> str | None:
        """Of a file that is still arriving, for its conversion."""
        name = quote(PurePosixPath(file.path).name, safe="")
        return self._address(self.FEED, job_id, f"{file.index}/{name}")

    def subtitles(self, job_id: str, video: JobFile, some: Iterable[Subtitle]) -> tuple[SubtitleLink, ...]:
        """Those of this video, of all the job's."""
        return tuple(self._subtitle(job_id, one) for one in some if one.file_index == video.index)

    def _subtitle(self, job_id: str, one: Subtitle) -> SubtitleLink:
        path = PurePosixPath(one.path)
        rest = f"subtitle/{one.file_index}/{quote(path.name, safe='')}"
        return SubtitleLink(
            url=self._address("watch", job_id, rest) if path.is_absolute() else None,
            language=one.language or "",
            label=one.title or (path.stem if path.is_absolute() else one.origin),
            origin=one.origin,
            note=one.note,
        )

    def page(self, job_id: str, index: int | None = None) -> str | None:
        """Of the page that plays this file, the main one where none is named."""
        return self._address("watch", job_id, "" if index is None else f"#file={index}")

    def playlist(self, job_id: str) -> str | None:
        return self._address("watch", job_id, "job.m3u")

    def _address(self, kind: str, job_id: str, rest: str) -> str | None:
        token = self.token(job_id, kind if kind == self.FEED else "")
        return f"{self.base_url}/{kind}/{job_id}/{token}/{rest}" if self.base_url else None
