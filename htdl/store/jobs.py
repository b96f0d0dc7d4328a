"""Jobs and their files as rows.

Every function takes the database first and is meant for `Database.run`.  Nothing here decides a transition or
reads a clock: rows are written as they are given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

import sqlite_utils

from htdl.jobs import ENDED, Blocked, Job, JobFile, JobQuery, Narrow, Sort, State, Wanted, Wish
from htdl.store import resume as resume_data
from htdl.store.resume import Resume

# Running jobs, waiting ones, ended ones.  The first two by priority and position; the ended ones by time.
# `migrations` has an index of the same terms, which is what makes a page of a long list cheap.
LISTING_ORDER = """
ORDER BY
    CASE status WHEN 'DOWNLOADING' THEN 0 WHEN 'CONVERTING' THEN 0
                WHEN 'PENDING' THEN 1 WHEN 'PAUSED' THEN 1 ELSE 2 END,
    CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN updated_at END DESC,
    priority DESC,
    position
"""
_LIVING = json.dumps([state for state in State if state not in ENDED])
_NUMBER = re.compile(r"[0-9]+")
_MAGIC = re.compile(r"[*?\[]")  # what fnmatch heeds
_COLUMNS = tuple(field.name for field in fields(Job))
_NAMES = ", ".join(_COLUMNS)

# S608: these are put together from the names of our own fields, never from input.
_SELECT = f"SELECT {_NAMES} FROM download_jobs "  # noqa: S608
_INSERT = f"INSERT INTO download_jobs ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_UPDATE = f"UPDATE download_jobs SET {', '.join(f'{x} = ?' for x in _COLUMNS)} WHERE id = ?"  # noqa: S608
_NARROW = {
    Narrow.ACTIVE: "status IN ('DOWNLOADING', 'CONVERTING') OR seeding = 1",
    Narrow.SEEDING: "status = 'COMPLETED' AND seeding = 1",
    Narrow.PAUSING: "status IN ('DOWNLOADING', 'CONVERTING') AND wish = 'PAUSE'",
    Narrow.CANCELLING: "status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED') AND wish = 'CANCEL'",
}
# By what, and which way round it is wanted first.
_SORTS = {
    Sort.NAME: ("numbered(name)", "ASC"),
    Sort.PROGRESS: ("IIF(total_bytes > 0, 1.0 * done_bytes / total_bytes, progress / 100.0)", "DESC"),
    Sort.SPEED: ("download_speed + upload_speed", "DESC"),
    Sort.ETA: (
        "IIF(status IN ('COMPLETED', 'FAILED', 'CANCELLED') OR eta_seconds < 0, NULL, eta_seconds)",
        "ASC",
    ),
    Sort.ADDED: ("created_at", "DESC"),
    Sort.SIZE: ("total_bytes", "DESC"),
}
_READY = """
    (status = 'COMPLETED' AND file_path IS NOT NULL) OR id IN (SELECT value FROM json_each(:ready))
"""
_OTHER_WAY = {"ASC": "DESC", "DESC": "ASC"}


@dataclass(frozen=True, slots=True)
class Totals:
    """All rows together.  `by_status` has every State; `success_rate` is percent COMPLETED of all that ended,
    `average_seconds` from created to completed; both None where there is none.
    """

    by_status: dict[str, int]
    success_rate: float | None
    average_seconds: float | None
    downloaded_bytes: int
    uploaded_bytes: int


def insert(
    db: sqlite_utils.Database, job: Job, files: Iterable[JobFile] = (), resume: Resume | None = None
) -> None:
    """A new job with all that hangs on it.  sqlite3.IntegrityError when the id is there already."""
    db.execute(_INSERT, _values(job))
    put_files(db, job.id, files)
    if resume is not None:
        resume_data.put(db, job.id, resume)


def update(db: sqlite_utils.Database, jobs: Iterable[Job]) -> None:
    """Write these rows whole.  A job that was removed meanwhile stays removed."""
    db.conn.executemany(_UPDATE, [[*_values(job), job.id] for job in jobs])


def delete(db: sqlite_utils.Database, job_id: str) -> None:
    """Forget the job, its files and its resume data."""
    db.execute("DELETE FROM download_jobs WHERE id = ?", [job_id])


def fetch(db: sqlite_utils.Database, job_id: str) -> Job | None:
    return _first(_jobs(db, "WHERE id = ?", [job_id]))


def find(db: sqlite_utils.Database, prefix: str, limit: int = 2) -> list[Job]:
    """At most `limit` jobs whose ids begin so, in the order of their ids."""
    if not prefix.isascii():  # ids are; and a lone surrogate from the command line cannot even be asked for
        return []
    return _jobs(db, "WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", [prefix, prefix + "\N{DELETE}", limit])


def listing(db: sqlite_utils.Database, query: JobQuery, ready: Iterable[str] = ()) -> list[Job]:
    """Running jobs, then waiting ones, each by priority and position; then those that ended, newest first; or
    as `query` says.  `ready` are those that can be watched and have not ended, where that is asked for.
    """
    limit = -1 if query.limit is None else query.limit
    rest = f"{_where(db, query)}{_order(db, query)}LIMIT :limit"
    return _jobs(db, rest, _asked(query, ready) | {"limit": limit})


def count(db: sqlite_utils.Database, query: JobQuery, ready: Iterable[str] = ()) -> int:
    """How many rows `listing` would give without its limit."""
    sql = f"SELECT COUNT(*) FROM download_jobs {_where(db, query)}"  # noqa: S608 our own text
    number: int = db.execute(sql, _asked(query, ready)).fetchone()[0]
    return number


def living(db: sqlite_utils.Database) -> list[Job]:
    """Those that have not ended, and those that ended but still seed or have data to be removed; in the order
    of `listing`.
    """
    where = "WHERE status IN (SELECT value FROM json_each(?)) OR seeding = 1 OR delete_data = 1"
    return _jobs(db, where + LISTING_ORDER, [_LIVING])


def same_torrent(db: sqlite_utils.Database, info_hash: str, info_hash_v2: str | None) -> list[Job]:
    """The jobs that share a hash with this torrent, newest first.

    A hybrid torrent has both (BEP 52) and a magnet may name only one, so either is sought in either column.
    Jobs without a torrent have none in common.
    """
    hashes = json.dumps([x for x in (info_hash, info_hash_v2) if x])
    rest = (
        "WHERE info_hash IN (SELECT value FROM json_each(:hashes))"
        " OR info_hash_v2 IN (SELECT value FROM json_each(:hashes))"
        " ORDER BY created_at DESC, position DESC"
    )
    return _jobs(db, rest, {"hashes": hashes})


def by_video(db: sqlite_utils.Database, video_id: str) -> Job | None:
    """The job of this video: one that lives before one that ended, then the newest."""
    rest = (
        "WHERE video_id = ? ORDER BY status NOT IN (SELECT value FROM json_each(?)),"
        " created_at DESC, position DESC LIMIT 1"
    )
    return _first(_jobs(db, rest, [video_id, _LIVING]))


def of_video(db: sqlite_utils.Database, video_id: str, limit: int = 2) -> list[Job]:
    """At most `limit` jobs of just this video, newest first."""
    if not video_id.isascii():  # as `find`
        return []
    rest = "WHERE video_id = ? ORDER BY created_at DESC, position DESC LIMIT ?"
    return _jobs(db, rest, [video_id, limit])


def next_position(db: sqlite_utils.Database) -> int:
    """The place behind all others."""
    number: int = db.execute("SELECT COALESCE(MAX(position), 0) + 1 FROM download_jobs").fetchone()[0]
    return number


def has_folder(db: sqlite_utils.Database, save_path: str) -> bool:
    """Whether the files of any job are in this folder."""
    sql = "SELECT EXISTS (SELECT 1 FROM download_jobs WHERE save_path = ?)"
    return bool(db.execute(sql, [save_path]).fetchone()[0])


def forget_paths(db: sqlite_utils.Database, save_path: str) -> None:
    """Ended jobs of torrents whose data in this folder is gone have no `file_path` any more."""
    sql = (
        "UPDATE download_jobs SET file_path = NULL"
        " WHERE save_path = ? AND info_hash != '' AND status NOT IN (SELECT value FROM json_each(?))"
    )
    db.execute(sql, [save_path, _LIVING])


def put_files(db: sqlite_utils.Database, job_id: str, files: Iterable[JobFile]) -> None:
    """Make these the files of the job, in place of those it had."""
    db.execute("DELETE FROM job_files WHERE job_id = ?", [job_id])
    db.conn.executemany(
        "INSERT INTO job_files (job_id, file_index, path, size, wanted, progress, output)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [[job_id, x.index, x.path, x.size, x.wanted, x.progress, x.output] for x in files],
    )


def update_files(db: sqlite_utils.Database, rows: Iterable[tuple[str, JobFile]]) -> None:
    """Write these files whole; one that is not there is left out."""
    db.conn.executemany(
        "UPDATE job_files SET path = ?, size = ?, wanted = ?, progress = ?, output = ?"
        " WHERE job_id = ? AND file_index = ?",
        [[x.path, x.size, x.wanted, x.progress, x.output, job_id, x.index] for job_id, x in rows],
    )


def files(db: sqlite_utils.Database, ids: Sequence[str]) -> dict[str, tuple[JobFile, ...]]:
    """The files of each of these jobs by index; an empty tuple where there are none."""
    found: dict[str, list[JobFile]] = {job_id: [] for job_id in ids}
    sql = (
        "SELECT job_id, file_index, path, size, wanted, progress, output FROM job_files"
        " WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, file_index"
    )
    for job_id, index, path, size, wanted, progress, output in db.execute(sql, [json.dumps(list(found))]):
        file = JobFile(
            index=index, path=path, size=size, wanted=bool(wanted), progress=progress, output=output
        )
        found[job_id].append(file)
    return {job_id: tuple(some) for job_id, some in found.items()}


def totals(db: sqlite_utils.Database) -> Totals:
    by_status = dict.fromkeys(map(str, State), 0)
    by_status.update(db.execute("SELECT status, COUNT(*) FROM download_jobs GROUP BY status"))
    ended = sum(by_status[state] for state in ENDED)
    downloaded, uploaded, average = db.execute(
        "SELECT COALESCE(SUM(done_bytes) FILTER (WHERE info_hash != ''), 0),"
        " COALESCE(SUM(uploaded_bytes), 0),"
        " AVG((julianday(completed_at) - julianday(created_at)) * 86400) FILTER (WHERE status = 'COMPLETED')"
        " FROM download_jobs"
    ).fetchone()
    return Totals(
        by_status=by_status,
        success_rate=100 * by_status[State.COMPLETED] / ended if ended else None,
        average_seconds=None
        if average is None
        else round(average, 3),  # julianday is good to the millisecond
        downloaded_bytes=downloaded,
        uploaded_bytes=uploaded,
    )


def _where(db: sqlite_utils.Database, query: JobQuery) -> str:
    """The conditions of this query, with the parameters of `_asked`."""
    conditions = []
    if query.status:
        narrow = [_NARROW[x] for x in query.status if isinstance(x, Narrow)]
        # the + keeps SQLite from the index of the status, after which all that it finds has to be sorted
        states = "+status IN (SELECT value FROM json_each(:status))"
        conditions.append(" OR ".join([states, *narrow]))
    if query.ids:
        conditions.append("id IN (SELECT value FROM json_each(:ids))")
    if query.ready:
        conditions.append(_READY)
    if query.name:  # the function is the connection's own, and stays
        db.register_function(_is_named, name="is_named", deterministic=True)
        conditions.append("is_named(:name, name)")
    return "WHERE " + " AND ".join(f"({x})" for x in conditions) if conditions else ""


def _order(db: sqlite_utils.Database, query: JobQuery) -> str:
    if query.sort is None:
        return LISTING_ORDER
    if query.sort is Sort.NAME:
        db.register_function(_numbered, name="numbered", deterministic=True)
    by, way = _SORTS[query.sort]
    way = _OTHER_WAY[way] if query.reverse else way
    return LISTING_ORDER.replace("ORDER BY", f" ORDER BY ({by}) IS NULL, ({by}) {way},")


def _asked(query: JobQuery, ready: Iterable[str]) -> dict[str, Any]:
    """The parameters of `_where`: JSON arrays, for SQLite takes only so many variables."""
    return {
        "status": json.dumps(query.status),
        "ids": json.dumps(query.ids),
        "ready": json.dumps(list(ready)),
        "name": query.name.casefold(),
    }


def _numbered(name: str) -> str:
    """By what names are ordered: capitals do not matter, and E2 comes before E10."""
    return _NUMBER.sub(lambda number: number[0].zfill(20), name.casefold())


def _is_named(wanted: str, name: str) -> bool:
    """Whether the name is meant by this text, which is folded already: a part of it, or a pattern of all."""
    if _MAGIC.search(wanted):
        return fnmatchcase(name.casefold(), wanted)
    return wanted in name.casefold()


def _jobs(db: sqlite_utils.Database, rest: str, parameters: Sequence[Any] | dict[str, Any]) -> list[Job]:
    return [_job(row) for row in db.query(_SELECT + rest, parameters)]


def _first(jobs: list[Job]) -> Job | None:
    return jobs[0] if jobs else None


def _job(row: Mapping[str, Any]) -> Job:
    """The job of a row."""
    typed = dict(row)
    typed["status"] = State(row["status"])
    typed["wish"] = Wish(row["wish"])
    typed["blocked_by"] = Blocked(row["blocked_by"]) if row["blocked_by"] else None
    typed["selection"] = tuple(json.loads(row["selection"]))
    typed["seeding"] = bool(row["seeding"])
    typed["delete_data"] = bool(row["delete_data"])
    typed["wanted"] = _wanted(row["wanted"])
    typed["pinned"] = bool(row["pinned"])
    return Job(**typed)


def _values(job: Job) -> list[Any]:
    """The row of a job, in the order of `_COLUMNS`."""
    values = {name: getattr(job, name) for name in _COLUMNS}
    values["selection"] = json.dumps(job.selection)
    values["wanted"] = json.dumps(asdict(job.wanted)) if job.wanted else None
    return list(values.values())


def _wanted(text: str | None) -> Wanted | None:
    if text is None:
        return None
    told = json.loads(text)
    return Wanted(**{**told, "audio": tuple(told["audio"])})
