"""The WebVTT files beside the videos of each job, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlite_utils

from htdl.jobs import Subtitle


def of(db: sqlite_utils.Database, job_ids: Sequence[str]) -> dict[str, tuple[Subtitle, ...]]:
    """Those of each of these jobs by file index and path; an empty tuple where there are none."""
    sql = (
        "SELECT job_id, file_index, path, language, title, origin, note FROM subtitles"
        " WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, file_index, path"
    )
    some = _by_job(db.query(sql, [json.dumps(list(job_ids))]))
    return {job_id: some.get(job_id, ()) for job_id in job_ids}


def every(db: sqlite_utils.Database) -> dict[str, tuple[Subtitle, ...]]:
    """Those of all jobs that have some, as `of` gives them."""
    sql = (
        "SELECT job_id, file_index, path, language, title, origin, note FROM subtitles"
        " ORDER BY job_id, file_index, path"
    )
    return _by_job(db.query(sql))


def has_folder(db: sqlite_utils.Database, folder: str) -> bool:
    """Whether a path begins with this one, which ends with "/"."""
    sql = "SELECT 1 FROM subtitles WHERE substr(path, 1, ?) = ? LIMIT 1"
    return db.execute(sql, [len(folder), folder]).fetchone() is not None


def _by_job(found: Iterable[dict[str, Any]]) -> dict[str, tuple[Subtitle, ...]]:
    some: dict[str, list[Subtitle]] = {}
    for row in found:
        some.setdefault(row.pop("job_id"), []).append(Subtitle(**row))
    return {job_id: tuple(subtitles) for job_id, subtitles in some.items()}


def replace_all(
    db: sqlite_utils.Database, job_id: str, file_index: int, subtitles: Iterable[Subtitle]
) -> None:
    """Make these the subtitles of this file, in place of those it had.  A path that another file of the job
    had is this one's then; a job that was removed meanwhile stays removed.
    """
    db.execute("DELETE FROM subtitles WHERE job_id = ? AND file_index = ?", [job_id, file_index])
    db.conn.executemany(
        "INSERT OR REPLACE INTO subtitles (job_id, file_index, path, language, title, origin, note)"
        " SELECT id, ?, ?, ?, ?, ?, ? FROM download_jobs WHERE id = ?",
        [[file_index, x.path, x.language, x.title, x.origin, x.note, job_id] for x in subtitles],
    )
