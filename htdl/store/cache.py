"""The videos that are kept until nobody watches them any more, as rows: one a file that was made."""

from __future__ import annotations

import sqlite_utils

from htdl.jobs import CachedVideo


def of(db: sqlite_utils.Database) -> list[CachedVideo]:
    """All of them, the least recently watched first."""
    sql = (
        "SELECT path, job_id, video_id, bytes, last_access, pinned FROM cached_videos"
        " ORDER BY last_access, path"
    )
    return [CachedVideo(**{**row, "pinned": bool(row["pinned"])}) for row in db.query(sql)]


def pinned_sources(db: sqlite_utils.Database) -> list[tuple[str, str]]:
    """The files of the torrents of all pinned jobs: each its job's folder, and its path in there."""
    sql = "SELECT save_path, path FROM download_jobs JOIN job_files ON job_id = id WHERE pinned"
    return list(db.execute(sql))


def put(db: sqlite_utils.Database, video: CachedVideo) -> None:
    """Keep it in place of what was at its path.  It is pinned when it says so, or when its job or any video
    of that is; the job's id is left out when that was removed meanwhile.
    """
    db.execute(
        "INSERT INTO cached_videos (path, job_id, video_id, bytes, last_access, pinned)"
        " VALUES (:path, (SELECT id FROM download_jobs WHERE id = :job_id), :video_id, :bytes, :last_access,"
        " :pinned OR EXISTS (SELECT 1 FROM cached_videos WHERE job_id = :job_id AND pinned)"
        " OR EXISTS (SELECT 1 FROM download_jobs WHERE id = :job_id AND pinned))"
        " ON CONFLICT (path) DO UPDATE SET job_id = excluded.job_id, video_id = excluded.video_id,"
        " bytes = excluded.bytes, last_access = excluded.last_access, pinned = excluded.pinned",
        {name: getattr(video, name) for name in CachedVideo.__slots__},
    )


def touch(db: sqlite_utils.Database, path: str, now: str) -> None:
    """It was watched at this time, or later; nothing where no video is kept there."""
    db.execute("UPDATE cached_videos SET last_access = MAX(last_access, ?) WHERE path = ?", [now, path])


def pin(db: sqlite_utils.Database, job_id: str, pinned: bool) -> int:
    """Keep the videos of a job for ever, or no longer so.  Returns how many there are."""
    count: int = db.execute("UPDATE cached_videos SET pinned = ? WHERE job_id = ?", [pinned, job_id]).rowcount
    return count


def forget(db: sqlite_utils.Database, path: str) -> None:
    """No video is kept there any more."""
    db.execute("DELETE FROM cached_videos WHERE path = ?", [path])
