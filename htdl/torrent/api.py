"""What the torrent room offers, in plain types.  No libtorrent object leaves the room.

A torrent is named by its *key*, a text the caller chooses (htdl uses the job's id).  All speeds are bytes a
second, -1 for no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from htdl.torrent.pieces import Pieces


@dataclass(frozen=True, slots=True)
class TorrentFile:
    """`path` is relative to the save path, cleaned, with forward slashes; `index` is the torrent's own;
    `offset` is that of its first byte in the torrent.
    """

    index: int
    path: str
    size: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the info dictionary says (BEP 3, BEP 52).  Padding files (BEP 47) are left out of `files`."""

    name: str
    total_bytes: int
    piece_length: int
    num_pieces: int
    files: tuple[TorrentFile, ...]
    info_hash: str  # v1 where there is one, else v2; lower-case hex
    info_hash_v2: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A checked request: what a magnet, an info-hash or a .torrent asks for.

    `resume` is libtorrent resume data without any progress: all that `Engine.add` needs, in the one form that
    is also kept in the database.
    """

    info_hash: str
    info_hash_v2: str | None
    name: str  # may be empty for a magnet
    metadata: Metadata | None  # None for a magnet
    resume: bytes


class Phase(StrEnum):
    METADATA = "metadata"  # waits for the info dictionary from peers
    CHECKING = "checking"  # verifies files that are on disk
    DOWNLOADING = "downloading"
    FINISHED = "finished"  # all that is wanted is here; uploads


@dataclass(frozen=True, slots=True)
class Status:
    """A torrent as it was at the last update, at most about a second old."""

    phase: Phase
    done_bytes: int  # of the wanted files, verified
    total_bytes: int  # of the wanted files
    checked: float  # 0.0-1.0, of the check while CHECKING
    download_speed: int
    upload_speed: int
    uploaded_bytes: int  # ever
    peers: int
    candidates: int  # peers known of, connected or not
    seeding_seconds: int
    tracker_error: str | None  # the last announce to every tracker failed; the last reason
    is_forsaken: bool = False  # pieces came damaged, and of its peers none is left to be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the session stands towards its peers.  Counts of connections are since its start."""

    port: int | None  # where it listens for peers; None: nowhere
    addresses: tuple[str, ...]  # that it listens on at this port
    incoming: int  # connections that peers opened
    peers: int  # connected now
    dht_nodes: int  # known now
    trackers_good: int  # that answered last time, of all torrents that are held
    trackers_bad: int  # that did not
    tracker_error: str | None  # what one of these said
    received_bytes: int = 0  # payload since its start, as all below
    sent_bytes: int = 0
    wasted_bytes: int = 0  # received twice, or damaged
    alerts: int = 0  # of libtorrent
    alerts_dropped: int = 0  # times that there were too many to keep
    alert_seconds: float = 0.0  # that were spent with them


@dataclass(frozen=True, slots=True)
class TorrentEvent:
    key: str


@dataclass(frozen=True, slots=True)
class GotMetadata(TorrentEvent):
    """The info dictionary is here.  Nothing is fetched until `Engine.select` says what."""

    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Finished(TorrentEvent):
    """All of `wanted`, which was selected then, is verified and readable from disk."""

    wanted: frozenset[int]
    resume: bytes


@dataclass(frozen=True, slots=True)
class NoRoom(TorrentEvent):
    """A write found the disk full.  The torrent stands still until it is removed or added again."""

    message: str


@dataclass(frozen=True, slots=True)
class Lost(TorrentEvent):
    """A file is not where it was written.  The torrent stands still until it is removed or added again."""

    message: str


@dataclass(frozen=True, slots=True)
class Failed(TorrentEvent):
    """The torrent cannot go on: hostile metadata (`invalid_torrent`), or a disk that does not answer
    (`io_error`).
    """

    code: str
    message: str


Listener = Callable[[TorrentEvent], None]


class Engine(Protocol):
    """Many torrents, one session.  Every method is called from the event loop, and none blocks it.

    Methods that name a key do nothing when no torrent has it, but `add`, which raises ValueError when one
    has it already.
    """

    listener: Listener
    """Called on the event loop, in order, for each event."""

    async def inspect(self, source: str | bytes) -> Source:
        """Read a magnet, an info-hash, an http(s) URL of a .torrent (fetched), or the bytes of a .torrent.

        Raises BadSource.
        """

    async def add(
        self,
        key: str,
        resume: bytes,
        save_path: Path,
        *,
        wanted: Sequence[int] | None,
        max_download_speed: int = -1,
        max_upload_speed: int = -1,
        recheck: bool = False,
    ) -> None:
        """Begin or go on with a torrent.  `wanted` is the file indices, None while there is no metadata.

        `recheck` trusts no progress in `resume` and verifies what is on disk.  Returns once it is accepted;
        raises BadSource for resume data that cannot be read, Refused for a torrent that is held under
        another key.
        """

    async def remove(self, key: str) -> bytes | None:
        """Let go of a torrent; trackers are told.  Returns its last resume data, None where there is none.
        Its files stay.
        """

    def select(self, key: str, wanted: Sequence[int]) -> None:
        """Fetch just these files, in playing order; unknown indices are left out."""

    def set_limits(self, key: str, *, max_download_speed: int, max_upload_speed: int) -> None: ...

    def limit(self, *, max_download_speed: int, max_upload_speed: int) -> None:
        """What all torrents together may take, in place of what the configuration says."""

    def reannounce(self, key: str) -> None:
        """Ask trackers and DHT for peers now."""

    def status(self, key: str) -> Status | None: ...

    def metadata(self, key: str) -> Metadata | None:
        """None while its info dictionary is not here."""

    def pieces(self, key: str) -> Pieces | None:
        """Which of its pieces can be read; None while there is no metadata.  The same object for as long as
        the torrent is held; `is_gone` once it is not.
        """

    def want(self, key: str, pieces: Sequence[int]) -> None:
        """Fetch these before all else, the first soonest: what somebody watches.  Each call replaces the
        last; empty, all that is selected comes in playing order.  Pieces that are here, or that no selected
        file has, are passed over.
        """

    def trouble(self) -> str | None:
        """Why peers cannot reach it, in words, or None."""

    async def network(self) -> Network:
        """How it stands towards its peers, as of now.  Raises HtdlError while it does not run."""

    def held(self) -> set[str]:
        """The torrents it holds."""

    async def file_progress(self, key: str) -> dict[int, int]:
        """Verified bytes by file index; empty while there is no metadata."""

    async def save(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Resume data of those that changed since they were last saved, after a flush of what is written:
        no piece in it is missing from the disk.
        """
