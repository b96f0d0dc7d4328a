"""What becomes of the videos of each job, as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlite_utils

from htdl.jobs import Conversion, ConversionState
from htdl.store import jobs

_NOT_KEPT = {"speed", "eta_seconds"}  # of the running ffmpeg, and gone with it
_COLUMNS = tuple(field.name for field in fields(Conversion) if field.name not in _NOT_KEPT)
_NAMES = ", ".join(_COLUMNS)

_PUT = (
    f"INSERT INTO conversions (job_id, {_NAMES})"  # noqa: S608 - the names of our own fields
    f" SELECT id, {', '.join('?' * len(_COLUMNS))} FROM download_jobs WHERE id = ?"
    f" ON CONFLICT (job_id, file_index) DO UPDATE SET {', '.join(f'{x} = excluded.{x}' for x in _COLUMNS)}"
)
_OF = (
    f"SELECT job_id, {_NAMES} FROM conversions"  # noqa: S608 - the names of our own fields
    " WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, file_index"
)


def living(db: sqlite_utils.Database) -> dict[str, tuple[Conversion, ...]]:
    """Those of each job in `jobs.living`, as `of` gives them."""
    return of(db, [job.id for job in jobs.living(db)])


def of(db: sqlite_utils.Database, job_ids: Sequence[str]) -> dict[str, tuple[Conversion, ...]]:
    """Those of each of these jobs by file index; an empty tuple where there are none."""
    found: dict[str, list[Conversion]] = {job_id: [] for job_id in job_ids}
    for row in db.query(_OF, [json.dumps(list(found))]):
        found[row.pop("job_id")].append(_conversion(row))
    return {job_id: tuple(some) for job_id, some in found.items()}


def put(db: sqlite_utils.Database, job_id: str, conversion: Conversion) -> None:
    """Keep it in place of that file's last.  A job that was removed meanwhile stays removed."""
    db.execute(_PUT, [*(getattr(conversion, name) for name in _COLUMNS), job_id])


def renew(db: sqlite_utils.Database, job_id: str, now: str) -> None:
    """All conversions of a job wait to be made again; where their results lie stays."""
    db.execute(
        "UPDATE conversions SET status = 'WAITING', progress = 0, effort = '', reason = '', attempts = 0,"
        " error_code = NULL, error_message = NULL, updated_at = ?, completed_at = NULL WHERE job_id = ?",
        [now, job_id],
    )


def delete(db: sqlite_utils.Database, job_id: str) -> None:
    """Forget all conversions of a job."""
    db.execute("DELETE FROM conversions WHERE job_id = ?", [job_id])


def _conversion(row: Mapping[str, Any]) -> Conversion:
    return Conversion(**{**row, "status": ConversionState(row["status"])})
