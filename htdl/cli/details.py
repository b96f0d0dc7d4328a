"""All of a job for people: labels and values, without colour; a pure function of its JSON object."""

from __future__ import annotations

from htdl.cli import units, verdict, words
from htdl.cli.words import JobObject, printable

FOLDER, MAIN_FILE = "folder", "main file"


def details(job: JobObject) -> list[tuple[str, str]]:
    """What is known and worth a line, in reading order."""
    rows = [
        ("name", words.name(job)),
        ("id", printable(job["id"])),
        ("state", _state(job)),
        ("progress", _progress(job)),
        *_readiness(job),
        ("speed", f"{units.speed(job['download_speed'])} down, {units.speed(job['upload_speed'])} up"),
        ("limits", _limits(job)),
        ("peers", str(job["peers"])),
        ("uploaded", units.size(job["uploaded_bytes"]) if job["uploaded_bytes"] else ""),
        ("priority", str(job["priority"]) if job["priority"] else ""),
        (FOLDER, printable(job["save_path"])),
        (MAIN_FILE, printable(job["file_path"] or "")),
        ("info-hash", printable(job["info_hash"])),
        ("video id", printable(job["video_id"]) if job["video_id"] != job["id"] else ""),
        ("stream", printable(job.get("stream_url") or "")),
        ("added", printable(job["created_at"])),
        ("completed", printable(job["completed_at"] or "")),
        ("attempts", str(job["attempts"]) if job["attempts"] > 1 else ""),
    ]
    return [(label, value) for label, value in rows if value]


def files(job: JobObject) -> list[tuple[str, str, str, str]]:
    """Index, progress, size and path of each file; "-" for the progress of one that is not wanted."""
    return [
        (
            str(file["index"]),
            f"{int(file['progress'])}%" if file["wanted"] else units.UNKNOWN,
            units.size(file["size"]),
            printable(file["path"]),
        )
        for file in job.get("files", ())
    ]


def _state(job: JobObject) -> str:
    reason = words.why(job)
    return f"{words.state(job)} ({reason})" if reason else words.state(job)


def _progress(job: JobObject) -> str:
    total = job["total_bytes"]
    if not total:
        return f"{job['progress']}%" if job["progress"] else ""
    eta = (
        f", {units.duration(job['eta_seconds'])} to go"
        if job["eta_seconds"] >= 0 and not words.has_ended(job)
        else ""
    )
    return f"{job['progress_exact']:g}%, {units.size(job['done_bytes'])} of {units.size(total)}{eta}"


def _readiness(job: JobObject) -> list[tuple[str, str]]:
    """The verdict; of a job that has ended, whether it can be watched is all there is to say."""
    found = job.get("readiness")
    if not found or words.is_gone(job):
        return []
    ready = ("ready", verdict.answer(found))
    if words.has_ended(job):
        return [ready]
    return [
        ready,
        ("buffered", verdict.buffered(found)),
        ("index", verdict.index(found)),
        ("plays through", verdict.plays_through(found)),
    ]


def _limits(job: JobObject) -> str:
    limits = (("down", job["max_download_speed"]), ("up", job["max_upload_speed"]))
    return ", ".join(f"{units.speed(limit)} {way}" for way, limit in limits if limit >= 0)
