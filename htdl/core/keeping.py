"""What is kept, as the database and the disk have it: the videos that were made, what they were made of, and
their subtitles.

Only a job of which a video is in the cache has its files counted here, and only those in its own folder of
the download folder: a file that was converted where its owner keeps it is never the cache's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlite_utils

from htdl.config import Config
from htdl.core.cleaning import Kept, Kind
from htdl.jobs import CachedVideo, Conversion, ConversionState, Job, JobFile, JobQuery, Subtitle
from htdl.store import cache, conversions, jobs, subtitles
from htdl.stream.kinds import is_video

_UNDER_WAY = {ConversionState.WAITING, ConversionState.RUNNING}


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database says of the cache; all but the first two by job."""

    videos: dict[str, CachedVideo]  # by path
    pinned: frozenset[
        str
    ]  # paths of what pinned jobs have downloaded, also of those that have no videos here
    newest: dict[str, CachedVideo]  # the one that was watched last
    jobs: dict[str, Job]
    files: Mapping[str, tuple[JobFile, ...]]
    conversions: Mapping[str, tuple[Conversion, ...]]
    subtitles: Mapping[str, tuple[Subtitle, ...]]


def read(db: sqlite_utils.Database) -> Rows:
    videos = cache.of(db)
    newest = {video.job_id: video for video in videos if video.job_id}
    ids = tuple(newest)
    return Rows(
        videos={video.path: video for video in videos},
        pinned=frozenset(str(Path(folder) / path) for folder, path in cache.pinned_sources(db)),
        newest=newest,
        jobs={job.id: job for job in jobs.listing(db, JobQuery(ids=ids))} if ids else {},
        files=jobs.files(db, ids),
        conversions=conversions.of(db, ids),
        subtitles=subtitles.of(db, ids),
    )


def find(rows: Rows, config: Config, busy: Collection[str]) -> list[Kept]:
    """All that is kept, looked at on disk.  `busy` are the folders of torrents that download or seed."""
    results = {x.path: x for x in _results(rows, config.storage.base_path)}
    others = {x.path: x for x in _subtitles(rows, config.storage.subtitle_path)}
    sources: dict[str, Kept] = {}
    for job in rows.jobs.values():
        if job.info_hash and _is_below(job.save_path, str(config.torrent.download_path)):
            for one in _sources(rows, job, results, is_busy=job.save_path in busy):
                same = sources.get(one.path)
                sources[one.path] = _shared(same, one) if same else one
    return list((results | others | sources).values())


def _results(rows: Rows, base_path: Path) -> Iterator[Kept]:
    made = {x.output: x for some in rows.conversions.values() for x in some}
    for video in rows.videos.values():
        if home := _home(video.path, base_path):
            kept, conversion = _kept(video.path, home, Kind.RESULT, video), made.get(video.path)
            if conversion:
                under_way = conversion.status in _UNDER_WAY
                kept = replace(kept, file=conversion.file_index, in_use=under_way)
            yield kept


def _sources(rows: Rows, job: Job, results: Mapping[str, Kept], *, is_busy: bool) -> Iterator[Kept]:
    """What the job has downloaded.  A file was watched when its result was."""
    converted, newest = rows.conversions[job.id], rows.newest[job.id]
    outputs = {x.file_index: x.output or "" for x in converted}
    made = {x.file_index for x in converted if _is_made(x, results)}
    is_read = any(x.status in _UNDER_WAY for x in converted)
    is_to_stay = job.wanted is not None and job.wanted.keep
    for file in rows.files[job.id]:
        path = str(Path(job.save_path) / file.path)
        if _is_below(path, job.save_path):
            row = rows.videos.get(path) or rows.videos.get(outputs.get(file.index, "")) or newest
            kind = Kind.SOURCE if is_video(path) else Kind.SIDE
            kept = _kept(path, job.save_path, kind, row)
            if file.wanted or kept.bytes:  # what is no longer wanted may be there
                spare = file.index in made  # of the others of a season it may be the only copy
                pinned = kept.pinned or path in rows.pinned or (spare and is_to_stay)
                yield replace(kept, file=file.index, in_use=is_busy or is_read, spare=spare, pinned=pinned)


def _shared(one: Kept, other: Kept) -> Kept:
    """What two jobs of one torrent have downloaded together stays for either."""
    return replace(
        other,
        last_access=max(one.last_access, other.last_access),
        pinned=one.pinned or other.pinned,
        in_use=one.in_use or other.in_use,
        spare=one.spare and other.spare,
    )


def _subtitles(rows: Rows, subtitle_path: Path) -> Iterator[Kept]:
    for job_id, some in rows.subtitles.items():
        for subtitle in some:
            if home := _home(subtitle.path, subtitle_path):
                kept = _kept(subtitle.path, home, Kind.SUBTITLE, rows.newest[job_id])
                yield replace(kept, file=subtitle.file_index)


def _kept(path: str, home: str, kind: Kind, row: CachedVideo) -> Kept:
    """A file as it lies there; a row of the cache says whose it is and when that was watched."""
    try:
        found = os.lstat(path)
        is_file = stat.S_ISREG(found.st_mode)
    except OSError:  # not there, or not to be looked at
        is_file = False
    return Kept(
        path=path,
        home=home,
        kind=kind,
        job=row.job_id,
        file=None,
        bytes=min(found.st_size, found.st_blocks * 512) if is_file else 0,  # stat(2): in units of 512 bytes
        data=(found.st_dev, found.st_ino) if is_file else None,
        last_access=_time(row.last_access),
        pinned=row.pinned,
    )


def _is_made(conversion: Conversion, results: Mapping[str, Kept]) -> bool:
    result = results.get(conversion.output or "")
    return conversion.status is ConversionState.DONE and result is not None and result.bytes > 0


def _home(path: str, root: Path) -> str | None:
    """The folder below this root that the file lies in, by the path's words; None when it does not."""
    parts = Path(path).relative_to(root).parts if _is_below(path, str(root)) else ()
    return str(root / parts[0]) if len(parts) > 1 else None


def _is_below(path: str, folder: str) -> bool:
    below = Path(path)
    return below.is_relative_to(folder) and below != Path(folder) and ".." not in below.parts


def _time(text: str) -> datetime:
    """UTC where no zone is named, as SQLite's own functions leave it out.  What is no time at all, which only
    another program can have written, is never long ago.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
