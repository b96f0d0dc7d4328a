"""What becomes of a job's videos, in words; pure functions of its JSON object.

A conversion object is a jobs.Conversion.  Of a job that has ended, a list may come without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htdl.cli import units
from htdl.cli.words import JobObject, printable
from htdl.errors import ConversionFailed

Conversion = Mapping[str, Any]

INSTALL = "pip install 'htdl[ffmpeg]'"
NO_ROOM = "the conversion waits for room on the disk"
_EFFORTS = {
    "none": "as it is",
    "remux": "copied",
    "audio": "sound encoded",
    "transcode": "picture encoded",
}
_STATES = {"WAITING": "waits", "RUNNING": "converting", "DONE": "done", "FAILED": "failed"}


def known(job: JobObject) -> list[Conversion]:
    """Those of a job, by file."""
    return list(job.get("conversions") or ())


def share(job: JobObject) -> float | None:
    """Percent of all its videos together, by their size; None where none is known."""
    sizes = {file["index"]: file["size"] for file in job.get("files", ())}
    parts = [(sizes.get(x["file_index"], 0) or 1, x) for x in known(job)]
    total = sum(size for size, _ in parts)
    return (
        sum(size * (100.0 if _has_ended(x) else x["progress"]) for size, x in parts) / total
        if parts
        else None
    )


def eta_seconds(job: JobObject) -> int:
    """Until the last one is made; -1 while one waits, or tells no time."""
    left = [x for x in known(job) if not _has_ended(x)]
    if any(x["status"] != "RUNNING" or x["eta_seconds"] < 0 for x in left):
        return -1
    return max((x["eta_seconds"] for x in left), default=-1)


def outlook(job: JobObject) -> str:
    """What is made of a living job, and how far it is: "converting 43%, 2.1x, ETA 40s", or
    "3 of 12 converted, the next 43%, 2.1x, ETA 40s"; nothing where nothing is made yet.
    """
    if job["status"] not in {"DOWNLOADING", "CONVERTING"} or job.get("blocked_by") == "disk_full":
        return ""  # `words.why` says that of the whole job
    some = known(job)
    if missing := unmade(job):
        return missing
    return _only(job, some[0]) if len(some) == 1 else _of_several(some)


def stage(job: JobObject) -> str:
    """Changes when one of its conversions begins, ends, or is a percent further."""
    return " ".join(f"{x['status']}{int(x['progress'])}" for x in known(job))


def course(one: Conversion) -> str:
    """How far one is that runs: "43%, 2.1x, ETA 40s"; what is not known is left out."""
    return ", ".join(filter(None, (f"{int(one['progress'])}%", speed(one), _eta(one))))


def speed(one: Conversion) -> str:
    """In times the video's own length: "2.1x"."""
    return f"{one['speed']:.1f}x" if one.get("speed") else ""


def unmade(job: JobObject) -> str:
    """That videos stay as they were downloaded, for want of a program, and what to do."""
    some = known(job)
    missing = sum(x["error_code"] == "no_ffmpeg" and x["status"] == "FAILED" for x in some)
    if not missing:
        return ""
    which = "" if missing == len(some) else f"{missing} of {len(some)} "
    return f"{which}not converted: no ffmpeg serves; {INSTALL}"


def has_failed(job: JobObject) -> bool:
    """Whether it is its conversion that failed the job."""
    code = job.get("error_code")
    if job["status"] != "FAILED" or not code:
        return False
    return code in ConversionFailed.codes or any(
        x["status"] == "FAILED" and x["error_code"] == code for x in known(job)
    )


def state(one: Conversion) -> str:
    """One word."""
    return _STATES.get(one["status"], printable(one["status"]).lower())


def effort(one: Conversion) -> str:
    """What is done to it; empty until it was looked at."""
    return _EFFORTS.get(one["effort"], printable(one["effort"]))


def reason(one: Conversion) -> str:
    """Why that is done, or what went wrong."""
    if not one["error_message"] or one["status"] == "DONE":
        return printable(one["reason"])
    again = "tried again when there is room: " if _lacks_room(one) else "tried again: "
    return ("" if one["status"] == "FAILED" else again) + printable(one["error_message"])


def sentence(one: Conversion) -> str:
    """All of one: "converting 43%, 2.1x, ETA 40s (picture encoded): no browser plays MPEG-4"."""
    now = f"{state(one)} {course(one)}" if one["status"] == "RUNNING" else state(one)
    how = f" ({effort(one)})" if one["effort"] else ""
    return ": ".join(filter(None, (now + how, reason(one))))


def output(one: Conversion) -> str:
    """Where the result is, once it is whole; a path."""
    return printable(one["output"] or "") if one["status"] == "DONE" else ""


def _of_several(some: list[Conversion]) -> str:
    done, failed = (sum(x["status"] == state for x in some) for state in ("DONE", "FAILED"))
    now = _under_way([x for x in some if x["status"] == "RUNNING"])
    if not now and any(map(_lacks_room, some)):
        now = NO_ROOM
    if not now and not done and not failed:
        return ""
    parts = (f"{done} of {len(some)} converted", f"{failed} failed" if failed else "", now)
    return ", ".join(filter(None, parts))


def _under_way(running: list[Conversion]) -> str:
    if len(running) == 1:
        return f"the next {course(running[0])}"
    return f"{len(running)} under way" if running else ""


def _only(job: JobObject, one: Conversion) -> str:
    """Of a job's only video.  A job that does nothing else has the numbers in its row."""
    is_all = job["status"] == "CONVERTING"
    if one["status"] == "RUNNING":
        return " at ".join(filter(None, (effort(one), speed(one)))) if is_all else f"converting {course(one)}"
    if one["status"] == "WAITING" and one["error_message"]:
        return NO_ROOM if _lacks_room(one) else f"converting it is {reason(one)}"
    if one["status"] == "FAILED":
        return f"not converted: {reason(one)}"
    return "waits to be converted" if is_all and one["status"] == "WAITING" else ""


def _eta(one: Conversion) -> str:
    return f"ETA {units.duration(one['eta_seconds'])}" if one["eta_seconds"] >= 0 else ""


def _lacks_room(one: Conversion) -> bool:
    return (one["status"], one["error_code"]) == ("WAITING", "disk_full")


def _has_ended(one: Conversion) -> bool:
    return one["status"] in {"DONE", "FAILED"}
