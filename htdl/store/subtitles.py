"""The WebVTT files beside the videos of each job, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import sqlite_utils

from htdl.jobs import Subtitle


def of(db: sqlite_utils.Database, job_ids: Sequence[str]) -> dict[str, tuple[Subtitle, ...]]:
    """Those of each of these jobs by file index and path; an empty tuple where there are none."""
    found: dict[str, list[Subtitle]] = {job_id: [] for job_id in job_ids}
    sql = (
        "SELECT job_id, file_index, path, language, title, origin, note FROM subtitles"
        " WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, file_index, path"
    )
    for row in db.query(sql, [json.dumps(list(found))]):
        found[row.pop("job_id")].append(Subtitle(**row))
    return {job_id: tuple(some) for job_id, some in found.items()}


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
