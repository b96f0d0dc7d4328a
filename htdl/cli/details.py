"""All of a job for people: labels and values, without colour; a pure function of its JSON object and the
time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from htdl.cli import conversion, levels, units, verdict, words
from htdl.cli.words import JobObject, printable

UNBROKEN = frozenset({"folder", "main file", "stream"})  # labels of what is copied as a whole


def details(job: JobObject) -> list[tuple[str, str]]:
    """What is known and worth a line, in reading order."""
    rows = [
        ("name", words.name(job)),
        ("id", printable(job["id"])),
        ("state", _state(job)),
        ("progress", _progress(job)),
        ("conversion", _conversion(job)),
        *_readiness(job),
        ("speed", _speed(job)),
        ("limits", _limits(job)),
        ("peers", str(job["peers"]) if _has_swarm(job) else ""),
        ("uploaded", units.size(job["uploaded_bytes"]) if job["uploaded_bytes"] else ""),
        ("priority", levels.word(job["priority"]) if job["priority"] else ""),
        ("queue", f"place {job['queue_position']}" if job.get("queue_position") else ""),
        ("folder", printable(job["save_path"])),
        ("main file", printable(job["file_path"] or "")),
        ("info-hash", printable(job["info_hash"])),
        ("video id", printable(job["video_id"]) if job["video_id"] != job["id"] else ""),
        ("stream", printable(job.get("stream_url") or "")),
        ("subtitles", _subtitles(job)),
        ("added", _moment(job["created_at"])),
        ("completed", _moment(job["completed_at"] or "")),
        ("attempts", str(job["attempts"]) if job["attempts"] > 1 else ""),
    ]
    return [(label, value) for label, value in rows if value]


def files(job: JobObject) -> list[tuple[str, str, str, str]]:
    """Index, progress, size and path of each file, in order; "-" for the progress of one not wanted."""
    return [
        (
            str(file["index"]),
            f"{int(file['progress'])}%" if file["wanted"] else units.UNKNOWN,
            units.size(file["size"]),
            printable(file["path"]),
        )
        for file in in_order(job)
    ]


def conversions(job: JobObject) -> list[tuple[str, ...]]:
    """Of each video that is or was converted, in the order of the files: its index, state, how far it is,
    what is done, why, and where the result is.
    """
    made = {x["file_index"]: x for x in conversion.known(job)}
    some = [made[file["index"]] for file in in_order(job) if file["index"] in made]
    return [tuple(cell or units.UNKNOWN for cell in _cells(one)) for one in some]


def _cells(one: conversion.Conversion) -> tuple[str, ...]:
    return (
        str(one["file_index"]),
        conversion.state(one),
        conversion.course(one) if one["status"] == "RUNNING" else "",
        conversion.effort(one),
        conversion.reason(one),
        conversion.output(one),
    )


def in_order(job: JobObject) -> list[Mapping[str, Any]]:
    """Its files as people number them: E2 before E10."""
    return sorted(job.get("files", ()), key=lambda file: _natural(file["path"]))


def _natural(path: str) -> str:
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(20), path.casefold())


def _state(job: JobObject) -> str:
    reason = words.why(job)
    return f"{words.state(job)} ({reason})" if reason else words.state(job)


def _progress(job: JobObject) -> str:
    total = job["total_bytes"]
    if not total:
        return f"{job['progress']}%" if job["progress"] else ""
    seconds = words.eta_seconds(job) if job["status"] != "CONVERTING" else -1  # which is its conversion's
    eta = f", {units.duration(seconds)} to go" if seconds >= 0 else ""
    return f"{job['progress_exact']:g}%, {units.size(job['done_bytes'])} of {units.size(total)}{eta}"


def _conversion(job: JobObject) -> str:
    """Of all its videos together, while they are made."""
    share, seconds = conversion.share(job), words.eta_seconds(job)
    if job["status"] != "CONVERTING" or share is None:
        return words.made(job)
    eta = f"{units.duration(seconds)} to go" if seconds >= 0 else ""
    return ", ".join(filter(None, (f"{int(share)}%", eta, words.made(job))))


def _subtitles(job: JobObject) -> str:
    """Those of the main file, and what was lost of them: "Forced (de); English: without its styles"."""
    return printable("; ".join(map(_subtitle, job.get("subtitles", ()))))


def _subtitle(one: Mapping[str, Any]) -> str:
    language, note = one["language"], one.get("note")
    if not language and one["label"] == "und":  # ISO 639-2, but who knows that
        return f"of no named language: {note}" if note else "of no named language"
    named = one["label"] if language in {"", one["label"]} else f"{one['label']} ({language})"
    return f"{named}: {note}" if note else str(named)


def _readiness(job: JobObject) -> list[tuple[str, str]]:
    """The verdict; of a job whose files are whole, whether it can be watched is all there is to say, and
    where one ended before that, its state says all.
    """
    found = job.get("readiness")
    if not found or words.is_gone(job) or (job["status"] in {"FAILED", "CANCELLED"} and not found["ready"]):
        return []
    ready = ("ready", verdict.answer(found))
    if words.has_ended(job) or job["status"] == "CONVERTING":
        return [ready]
    return [
        ready,
        ("buffered", verdict.buffered(found)),
        ("index", verdict.index(found)),
        ("plays through", verdict.plays_through(found)),
    ]


def _speed(job: JobObject) -> str:
    if not _has_swarm(job):
        return ""
    return f"{units.speed(job['download_speed'])} down, {units.speed(job['upload_speed'])} up"


def _has_swarm(job: JobObject) -> bool:
    """Not of a file that was here already, nor when it has ended and is not seeded."""
    return bool(job["info_hash"]) and (not words.has_ended(job) or bool(job.get("seeding")))


def _moment(stamp: str) -> str:
    """A timestamp of the daemon by the clock on the wall: "2026-11-23 16:25:43 +0100"."""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S %z}"
    except (ValueError, OverflowError):
        return printable(stamp)


def _limits(job: JobObject) -> str:
    limits = (("down", job["max_download_speed"]), ("up", job["max_upload_speed"]))
    return ", ".join(f"{units.speed(limit)} {way}" for way, limit in limits if limit >= 0)
