"""The torrents that the session holds, and what we know of each."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from htdl.torrent import order
from htdl.torrent._lt import lt
from htdl.torrent.api import Metadata, Phase, Status
from htdl.torrent.barrier import Barrier
from htdl.torrent.course import Course
from htdl.torrent.status import is_whole, status_of

if TYPE_CHECKING:
    import libtorrent

_SEEKING = {Phase.METADATA, Phase.DOWNLOADING}
SPEED_SECONDS = 0.9  # that a speed is measured over: about one update
FIRST_SPEED_SECONDS = 0.4  # the first, which says whether it can be watched

SAVE = lt.torrent_handle.flush_disk_cache | lt.torrent_handle.save_info_dict
SAVE_CHANGED = SAVE | lt.torrent_handle.only_if_modified
# `total_done` has only whole pieces without the second
_PIECES_AND_BLOCKS = lt.torrent_handle.query_pieces | lt.torrent_handle.query_accurate_download_counters


@dataclass(slots=True, eq=False)
class Held:
    """One torrent.  All that it asks of libtorrent is answered by an alert."""

    key: str
    handle: libtorrent.torrent_handle
    metadata: Metadata | None = None
    peers: tuple[tuple[str, int], ...] = ()  # that it came with
    wanted: frozenset[int] | None = None  # None: not selected yet
    is_selected: bool = False  # libtorrent has applied `wanted`
    is_finishing: bool = False  # all that is wanted is here
    is_flushing: bool = False  # and waits to be readable
    status: Status | None = None
    # the last answer of each tracker, by its URL and our own address; None where it is no error
    tracker_answers: dict[tuple[object, ...], str | None] = field(default_factory=dict)
    lonely_updates: int = 0  # in a row
    unknown_updates: int = 0  # in a row
    saves: list[asyncio.Future[bytes | None]] = field(default_factory=list)  # oldest first
    removal: asyncio.Task[bytes | None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    rival: Held | None = None  # the same torrent, which waits until this one is gone
    rival_info: bytes = b""
    _wanted_bytes: int = 0
    _sample: tuple[float, int] = (0.0, 0)  # when, and how much had been downloaded
    _speed: int = 0
    _seen_pieces: int = -1  # so many when `see` was told which
    _is_behind: bool = True  # there are more
    barrier: Barrier = field(init=False)
    course: Course | None = field(init=False, default=None)  # while there is no metadata

    def __post_init__(self) -> None:
        self.barrier = Barrier(self.handle.flush_cache, self.key)
        if self.metadata:
            self.learn(self.metadata)

    def learn(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.course = Course(self.handle, metadata, self.barrier)

    # --- what is wanted ---

    @property
    def _empty(self) -> frozenset[int]:
        """The files without a byte.  libtorrent 2.1 stops a torrent ("file too short") when such a file is
        wanted after it was not, and there is a part file.
        """
        files = self.metadata.files if self.metadata else ()
        return frozenset(file.index for file in files if not file.size)

    def want(self, indices: Collection[int]) -> frozenset[int]:
        """Note what is selected of the files there are."""
        files = self.metadata.files if self.metadata else ()
        self.wanted = frozenset(indices) & {file.index for file in files}
        self._wanted_bytes = sum(file.size for file in files if file.index in self.wanted)
        return self.wanted

    def select(self, indices: Sequence[int]) -> None:
        """Ask libtorrent for these files; `apply_selection` follows when it has them."""
        info, before = self.handle.torrent_file(), self.wanted
        if self.course is None or self.metadata is None or info is None:
            return
        chosen = self.want(indices)
        self.is_selected = self.is_finishing = self.is_flushing = False
        new = chosen - (chosen if before is None else before)
        self.course.suspend(file for file in self.metadata.files if file.index in new)
        fetched = chosen if before is None else chosen - (self._empty - before)
        self.handle.prioritize_files(order.file_priorities(info.layout().num_files(), fetched))

    def apply_selection(self) -> None:
        """libtorrent has the files' priorities."""
        self.handle.unset_flags(lt.torrent_flags.share_mode)  # not before: see `Engine.add`
        self.is_selected = True
        if self.course and self.wanted is not None:
            self.course.begin(self.wanted)

    # --- how it goes ---

    def look(self) -> None:
        """Ask which pieces are here, where that may have changed; `see` gets the answer."""
        is_moving = self.is_flushing or self._is_behind or (self.status and self.status.peers)
        if self.is_selected and is_moving and not self.removal:
            self.handle.post_status(_PIECES_AND_BLOCKS if self.is_watched else lt.torrent_handle.query_pieces)
            self.barrier.look()

    def see(self, update: libtorrent.torrent_status) -> bool:
        """Note which pieces are here, and the speed; not how much: it may count blocks too, which can be lost
        again.  True where all seems to be here, as the numbers may say if asked for.
        """
        self._seen_pieces = update.num_pieces
        if self.status:
            self.status = replace(self.status, download_speed=self._measured(update))
        if self.course:
            self.course.see(update)
        if self.is_flushing:
            self.barrier.ask()
        return bool(self.course and not self.is_finishing and self.course.missing_bytes() == 0)

    def flushed(self) -> bool:
        """A flush is through; True when all that is wanted can be read now, which `is_flushing` waits for."""
        covered = self.barrier.answered()
        if covered is None or self.course is None:
            return False
        is_whole = self.course.passed(covered) and self.is_flushing
        self.is_flushing = self.is_flushing and not is_whole
        return is_whole

    def take(self, update: libtorrent.torrent_status) -> bool:
        """Note the numbers; True when they say, for the first time, that all that is selected is here."""
        size = self._wanted_bytes if self.is_selected else None
        missing = self.course.missing_bytes() if self.course else None
        self._is_behind = update.num_pieces != self._seen_pieces
        self.status = replace(
            status_of(update, wanted_bytes=size, missing=missing, tracker_error=self.tracker_error),
            download_speed=self._measured(update),
        )
        is_new = self.is_selected and not self.is_finishing and is_whole(self.status)
        self.is_finishing = self.is_finishing or is_new
        return is_new

    def _measured(self, update: libtorrent.torrent_status) -> int:
        """Bytes a second over the last update: libtorrent's own mean takes ten seconds to arrive there."""
        now, count = monotonic(), update.total_payload_download
        at, before = self._sample
        if not (at and before):  # it is measured from the first bytes on, not while they are waited for
            self._sample = now, count
        elif now - at >= (SPEED_SECONDS if self._speed else FIRST_SPEED_SECONDS):
            self._speed = int((count - before) / (now - at))
            self._sample = now, count
        return self._speed

    @property
    def is_watched(self) -> bool:
        return bool(self.course and self.course.is_watched)

    @property
    def is_lonely(self) -> bool:
        """Whether it knows of peers, and none is connected."""
        status = self.status
        return bool(status and status.candidates and not status.peers and status.phase is not Phase.FINISHED)

    @property
    def is_unknown(self) -> bool:
        """Whether it looks for peers, and has heard of none."""
        status = self.status
        return bool(status and not (status.candidates or status.peers) and status.phase in _SEEKING)

    @property
    def tracker_error(self) -> str | None:
        """Why no tracker answers; None while one does."""
        answers = list(self.tracker_answers.values())
        return None if None in answers else next(iter(answers), None)

    def tracker_answered(self, tracker: tuple[object, ...], error: str | None) -> None:
        """A torrent that stands still gets no new numbers, and its trackers may be why."""
        self.tracker_answers[tracker] = error
        if self.status:
            self.status = replace(self.status, tracker_error=self.tracker_error)

    # --- resume data ---

    def save(self, flags: int) -> asyncio.Future[bytes | None]:
        """Its resume data; None when nothing changed, or it goes."""
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.saves.append(future)
        self.handle.save_resume_data(flags)
        return future

    def saved(self, data: bytes | None) -> None:
        """Answer the oldest who waits."""
        while self.saves:
            future = self.saves.pop(0)
            if not future.done():
                future.set_result(data)
                return


@dataclass(slots=True, eq=False)
class Addition:
    """A torrent that libtorrent has been asked to take."""

    key: str
    metadata: Metadata | None
    peers: tuple[tuple[str, int], ...]
    accepted: asyncio.Future[Held]


class Torrents:
    """By key and by handle, oldest first; and those that are on their way in, by their hashes."""

    def __init__(self) -> None:
        self._by_key: dict[str, Held] = {}
        self._by_handle: dict[libtorrent.torrent_handle, Held] = {}
        self.additions: dict[tuple[str, str], Addition] = {}

    def __iter__(self) -> Iterator[Held]:
        return iter(self._by_key.values())

    def keys(self) -> set[str]:
        return set(self._by_key)

    def get(self, key: str) -> Held | None:
        return self._by_key.get(key)

    def standing(self, key: str) -> Held | None:
        """One that is not on its way out: its handle can be used."""
        torrent = self._by_key.get(key)
        return torrent if torrent and not torrent.removal else None

    def of(self, handle: libtorrent.torrent_handle) -> Held | None:
        return self._by_handle.get(handle)

    def put(self, torrent: Held) -> None:
        self._by_key[torrent.key] = self._by_handle[torrent.handle] = torrent

    def drop(self, torrent: Held) -> None:
        """It is gone: nobody waits for its answers any longer."""
        self._by_handle.pop(torrent.handle, None)
        self._by_key.pop(torrent.key, None)
        while torrent.saves:
            torrent.saved(None)
        if torrent.course:
            torrent.course.end()
        torrent.gone.set()

    def clear(self) -> None:
        for torrent in list(self):
            self.drop(torrent)


def identity(hashes: libtorrent.info_hash_t) -> tuple[str, str]:
    return str(hashes.v1), str(hashes.v2)
