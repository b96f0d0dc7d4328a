"""What libtorrent needs to go on where it was: opaque bytes, and whether to believe them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlite_utils


@dataclass(frozen=True, slots=True)
class Resume:
    """`saved_at` is UTC ISO-8601.  `boot_id` names the boot in whose page cache the payload may still be;
    None: the payload was synced to disk, so it is trusted after any boot.
    """

    blob: bytes
    saved_at: str
    boot_id: str | None


def put(db: sqlite_utils.Database, job_id: str, resume: Resume) -> None:
    """Keep it in place of what was there.  A job that was removed meanwhile stays removed."""
    db.execute(
        "INSERT INTO resume_data (job_id, blob, saved_at, boot_id)"
        " SELECT id, ?, ?, ? FROM download_jobs WHERE id = ?"
        " ON CONFLICT (job_id) DO UPDATE"
        " SET blob = excluded.blob, saved_at = excluded.saved_at, boot_id = excluded.boot_id",
        [resume.blob, resume.saved_at, resume.boot_id, job_id],
    )


def get(db: sqlite_utils.Database, job_id: str) -> Resume | None:
    found = db.execute(
        "SELECT blob, saved_at, boot_id FROM resume_data WHERE job_id = ?", [job_id]
    ).fetchone()
    return Resume(*found) if found else None


def put_session(db: sqlite_utils.Database, key: str, value: bytes) -> None:
    """State of the whole session, such as the nodes of the DHT."""
    db.execute("INSERT OR REPLACE INTO session_state (key, value) VALUES (?, ?)", [key, value])


def get_session(db: sqlite_utils.Database, key: str) -> bytes | None:
    found = db.execute("SELECT value FROM session_state WHERE key = ?", [key]).fetchone()
    return bytes(found[0]) if found else None
