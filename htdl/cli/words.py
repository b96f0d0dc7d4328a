"""A job's object, as it comes over the socket, in words.

Names and messages come from strangers: whatever is shown passes `printable` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JobObject = Mapping[str, Any]
"""A job's JSON object: wire.job_object."""

SHORT_ID = 8
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED"})  # jobs.ENDED, without the price of importing it

_BLOCKED = {
    "disk_full": "the disk is full; it goes on by itself when there is room",
    "no_peers": "no peers found yet",
    "no_metadata": "no peer has sent the torrent's description yet",
    "peers_choking": "peers are connected, but none sends yet",
    "tracker_error": "the tracker does not answer",
    "queue": "waits for a free slot",
}
# Joiners, variation selectors, colours of skin: terminals do not agree on how wide the joined character is.
_DROPPED = dict.fromkeys([*map(ord, "\u00ad\u200c\u200d\ufe0e\ufe0f"), *range(0x1F3FB, 0x1F400)])
_SPACES = dict.fromkeys(
    map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"), " "
)


def printable(text: object) -> str:
    """One line that no terminal obeys: control characters, direction marks and broken text become escapes."""
    plain = str(text)
    if plain.isprintable() and plain.isascii():
        return plain
    plain = plain.translate(_DROPPED).translate(_SPACES)
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in plain)


def short_id(job: JobObject) -> str:
    return printable(job["id"])[:SHORT_ID]


def name(job: JobObject) -> str:
    """The torrent's name; its info-hash while nobody has told the name."""
    return printable(job.get("name") or job.get("info_hash") or job["id"])


def has_ended(job: JobObject) -> bool:
    return job["status"] in ENDED


def state(job: JobObject) -> str:
    """One lower-case word: the status, or what is nearer to the truth."""
    status, wish = job["status"], job.get("wish")
    if status == "COMPLETED" and job.get("seeding"):
        return "seeding"
    if status == "PENDING" and job.get("blocked_by") == "queue":
        return "queued"
    if wish == "CANCEL" and status not in ENDED:
        return "cancelling"
    if wish == "PAUSE" and status in {"DOWNLOADING", "CONVERTING"}:
        return "pausing"
    return printable(status).lower()


def why(job: JobObject) -> str:
    """What a person should know beside the state: why it failed or stands still; mostly nothing."""
    status, blocked = job["status"], job.get("blocked_by")
    if status == "FAILED":
        return printable(job.get("error_message") or job.get("error_code") or "failed without a reason")
    if is_gone(job):
        return "its files are gone"
    if status == "COMPLETED":
        return _unmade(job)
    if status not in {"PENDING", "DOWNLOADING", "CONVERTING"}:
        return ""
    if blocked == "queue" and status == "PENDING":
        return ""  # its state says "queued"
    if blocked:
        return printable(job.get("detail") or _BLOCKED.get(blocked, blocked))
    if job.get("download_speed") or status == "CONVERTING":  # `made` says how far that is
        return ""
    return printable(job.get("detail") or "")


def place(job: JobObject) -> str:
    """Of one that waits in the queue; nothing where that is not told."""
    number = job.get("queue_position")
    return f"place {number} in the queue" if number else ""


def made(job: JobObject) -> str:
    """How far the conversion of its videos is; nothing where nothing is made yet."""
    if not job.get("conversions"):
        return ""
    from htdl.cli import conversion  # as `units` below, here and further on

    return conversion.outlook(job)


def outlook(verdict: Mapping[str, Any]) -> str:
    """Whether it can be watched, and whether it would then play to its end, by `readiness` as JSON."""
    through = verdict.get("plays_through")
    if not verdict["ready"]:
        return "cannot be watched yet"
    if through == "yes":
        return "can be watched now"
    if isinstance(through, int):
        from htdl.cli import units  # the entry point imports this module, and does without

        return f"can be watched, plays through in {units.duration(through)}"
    return f"can be watched, {'would' if through == 'no' else 'may'} stop on the way"


def is_ready(job: JobObject) -> bool:
    """Whether it can be watched already, and plays on; of one that has ended the state says so."""
    verdict = job.get("readiness") or {"ready": False}
    return not has_ended(job) and bool(verdict["ready"]) and verdict.get("plays_through") == "yes"


def waits_for(job: JobObject) -> str:
    """Why a download that moves cannot be watched yet, or not to its end; nothing where `why` says more."""
    verdict = job.get("readiness")
    if not verdict or job["status"] != "DOWNLOADING" or not job.get("total_bytes"):
        return ""
    if why(job) or is_ready(job):
        return ""
    if not verdict["ready"]:
        return f"{outlook(verdict)}: {printable(verdict['reason'])}"
    if not job["download_speed"]:
        return f"{outlook(verdict)}: nothing comes"
    return outlook(verdict) + (": too slow" if verdict.get("plays_through") == "no" else "")


def left_out(shown: int, more: int, hint: str) -> str:
    """ "12 of 10,234 shown; all of them: htdl status --all" """
    return f"{shown:,} of {shown + more:,} shown; all of them: {hint}"


def note(job: JobObject) -> str:
    """What one line has room for beside the numbers: why it stands still, or whether it can be watched, and
    what is made of it.
    """
    own = why(job) or place(job) or (outlook(job["readiness"]) if is_ready(job) else waits_for(job))
    return "; ".join(filter(None, (own, made(job))))


def standstill(job: JobObject) -> str:
    """Why nothing comes of a job that has not ended, and what to do about it; nothing of one that moves."""
    word = state(job)
    if word in {"paused", "pausing"}:
        return f"{word}; let it go on with: htdl resume {short_id(job)}"
    if word == "queued":
        return f"queued, other downloads go first; begin it at once with: htdl play {short_id(job)}"
    return why(job) if job.get("blocked_by") else ""


def is_gone(job: JobObject) -> bool:
    """Whether it was downloaded, and its files were removed later."""
    return job["status"] == "COMPLETED" and not job.get("file_path")


def share(job: JobObject) -> float:
    """Percent of what it does now: of its download, and while that is all, of its conversion."""
    if job["status"] == "CONVERTING" and job.get("conversions"):
        from htdl.cli import conversion

        return conversion.share(job) or 0.0
    return float(job["progress_exact"])


def percent(job: JobObject) -> str:
    done = share(job) if job["status"] == "CONVERTING" else job["progress"]
    return f"{int(done)}%" if job.get("total_bytes") or job["progress"] else ""


def eta_seconds(job: JobObject) -> int:
    """Until what it does now is done; -1 where that is not known, or nothing is to be done."""
    if has_ended(job):
        return -1
    if job["status"] == "CONVERTING":
        from htdl.cli import conversion

        return conversion.eta_seconds(job)
    return int(job["eta_seconds"])


def _unmade(job: JobObject) -> str:
    if not job.get("conversions"):
        return ""
    from htdl.cli import conversion

    return conversion.unmade(job)
