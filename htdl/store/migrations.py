"""The shape of the database, as numbered steps.

A step that has been released is never edited: a change is a new step at the end.  Each runs once, in a
transaction of its own together with its row in `schema_migrations`.  New columns of `download_jobs` go to its
end, as new fields go to the end of `jobs.Job`.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlite_utils


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str


# The terms of `download_jobs_listing` are those of `jobs.LISTING_ORDER`, word for word: only then can SQLite
# walk the index instead of sorting.  `status` and `id` end it so that a filter on them reads no row.
_JOBS = """
CREATE TABLE download_jobs (
    id TEXT PRIMARY KEY NOT NULL,
    video_id TEXT NOT NULL,
    torrent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    progress INTEGER NOT NULL,
    download_speed INTEGER NOT NULL,
    eta_seconds INTEGER NOT NULL,
    file_path TEXT,
    error_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    source TEXT NOT NULL,
    info_hash TEXT NOT NULL,
    info_hash_v2 TEXT,
    name TEXT NOT NULL,
    wish TEXT NOT NULL,
    priority INTEGER NOT NULL,
    position INTEGER NOT NULL,
    detail TEXT NOT NULL,
    blocked_by TEXT,
    total_bytes INTEGER NOT NULL,
    done_bytes INTEGER NOT NULL,
    upload_speed INTEGER NOT NULL,
    uploaded_bytes INTEGER NOT NULL,
    peers INTEGER NOT NULL,
    error_code TEXT,
    attempts INTEGER NOT NULL,
    save_path TEXT NOT NULL,
    selection TEXT NOT NULL,
    max_download_speed INTEGER NOT NULL,
    max_upload_speed INTEGER NOT NULL,
    seeding INTEGER NOT NULL,
    delete_data INTEGER NOT NULL,
    metadata_at TEXT
);
CREATE INDEX download_jobs_status ON download_jobs (status);
CREATE INDEX download_jobs_info_hash ON download_jobs (info_hash);
CREATE INDEX download_jobs_info_hash_v2 ON download_jobs (info_hash_v2);
CREATE INDEX download_jobs_video_id ON download_jobs (video_id);
CREATE INDEX download_jobs_position ON download_jobs (position);
CREATE INDEX download_jobs_seeding ON download_jobs (seeding) WHERE seeding = 1;
CREATE INDEX download_jobs_listing ON download_jobs (
    CASE status WHEN 'DOWNLOADING' THEN 0 WHEN 'CONVERTING' THEN 0
                WHEN 'PENDING' THEN 1 WHEN 'PAUSED' THEN 1 ELSE 2 END,
    CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN updated_at END DESC,
    priority DESC,
    position,
    status,
    id
);

CREATE TABLE job_files (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    progress REAL NOT NULL,
    output TEXT,
    PRIMARY KEY (job_id, file_index)
) WITHOUT ROWID;

CREATE TABLE resume_data (
    job_id TEXT PRIMARY KEY NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    blob BLOB NOT NULL,
    saved_at TEXT NOT NULL,
    boot_id TEXT
);

CREATE TABLE session_state (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);
"""

_MEDIA = """
CREATE TABLE conversions (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    status TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    plan TEXT,
    output TEXT,
    error_code TEXT,
    error_message TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    PRIMARY KEY (job_id, file_index)
) WITHOUT ROWID;

CREATE TABLE subtitles (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    path TEXT NOT NULL,
    language TEXT,
    title TEXT,
    origin TEXT NOT NULL,
    PRIMARY KEY (job_id, path)
) WITHOUT ROWID;

CREATE TABLE cached_videos (
    path TEXT PRIMARY KEY NOT NULL,
    job_id TEXT REFERENCES download_jobs (id) ON DELETE SET NULL,
    video_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    last_access TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX cached_videos_job_id ON cached_videos (job_id);
CREATE INDEX cached_videos_last_access ON cached_videos (last_access);
"""

_WORDS = """
ALTER TABLE conversions ADD COLUMN effort TEXT NOT NULL DEFAULT '';
ALTER TABLE conversions ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE subtitles ADD COLUMN note TEXT NOT NULL DEFAULT '';
"""

_WANTED = """
ALTER TABLE download_jobs ADD COLUMN wanted TEXT;
ALTER TABLE download_jobs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
"""

MIGRATIONS = (
    Migration("jobs", _JOBS),
    Migration("media", _MEDIA),
    Migration("words", _WORDS),
    Migration("wanted", _WANTED),
)
"""Number 1 is the first."""


def applied(db: sqlite_utils.Database) -> int:
    """The number of the newest step this database has; 0 for an empty one."""
    if "schema_migrations" not in db.table_names():
        return 0
    number: int | None = db.execute("SELECT MAX(number) FROM schema_migrations").fetchone()[0]
    return number or 0


def migrate(db: sqlite_utils.Database, now: str) -> None:
    """Take the steps that are still to come; `now` is written beside each."""
    with db.atomic():
        db.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
        )
        done = applied(db)
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        with db.atomic():
            db.executescript(step.sql)
            db.execute("INSERT INTO schema_migrations VALUES (?, ?, ?)", [number, step.name, now])
