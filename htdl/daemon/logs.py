"""Logging to stderr, one line a moment: `key=value` for people, or a JSON object (`[log] format = "json"`).

All that is logged passes here last, so here it is made harmless, whoever wrote it: text from strangers cannot
begin a line or move a cursor, and what opens a door (a stream's token, a tracker's passkey, a password in a
URL) is left out.  A line that tells of a job carries its id, see `core.about`.

Under systemd (JOURNAL_STREAM) a line begins with its syslog priority, sd-daemon(3), and has no time of its
own: the journal keeps both.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from htdl.config import Log
from htdl.core import about

LEVELS = ("debug", "info", "warning", "error")
MAX_LENGTH = 4000  # characters of a message: what a stranger said may be a megabyte
SHORT_ID = 8  # characters of a job's id, as every list shows it

_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_CHATTY = ("aiohttp", "watchfiles", "asyncio")
_TIME = "%Y-%m-%dT%H:%M:%S"

_JOB = re.compile(r"\bjob=([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
_SECRETS = [
    # a magnet names trackers, and a tracker's URL its user: of a URL only the host is told
    (re.compile(r"magnet(:|%3a)(\?|%3f)\S+", re.IGNORECASE), "magnet:?..."),
    (
        re.compile(r"\b([a-z][a-z0-9+.-]{0,15})://(?:[^\s/?#]*@)?([^\s/?#]*)[/?#]\S*", re.IGNORECASE),
        r"\1://\2/...",
    ),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,15})://[^\s/?#]*@", re.IGNORECASE), r"\1://...@"),
    (re.compile(r"\b([a-z]{1,15})%3a%2f%2f\S+", re.IGNORECASE), r"\1%3A%2F%2F..."),
    (
        re.compile(
            r"\b(tr|pass_?key|pass(?:word|wd)?|torrent_pass|auth(?:_?key)?|api_?key|token|secret)"
            r"(?:\.\d+)?(=|%3d)[^\s&]+",
            re.IGNORECASE,
        ),
        r"\1\2...",
    ),
    # the token behind a job's id in the path of a stream, see `core.links`
    (re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27}/)[\w-]{22}"), r"\1..."),
]


def harmless(text: str) -> str:
    """One line of bounded length, without control characters, direction marks and secrets."""
    text = text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "..."
    if not text.isprintable():
        text = "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in text)
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


class _Lines(logging.Formatter):
    """`head` is what a line begins with, in logging's own words."""

    def __init__(self, head: str, *, is_journal: bool) -> None:
        super().__init__(head, _TIME)
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        text = self._line(record)
        if not self._is_journal:
            return text
        priority = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in text.split("\n"))  # the journal takes each for its own

    def _line(self, record: logging.LogRecord) -> str:
        job, message = _job_of(record), harmless(record.getMessage())
        known = "" if _names_job(record) or job is None else f" job={job[:SHORT_ID]}"
        record.message = _JOB.sub(lambda x: f"job={x[1][:SHORT_ID]}", message) + known
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        trace = "".join(f"\n  {harmless(x)}" for x in _trace(self, record))
        return self.formatMessage(record) + trace


class _Json(_Lines):
    def _line(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": harmless(record.getMessage()),
        }
        if job := _job_of(record):
            told["job"] = job
        if trace := _trace(self, record):
            told["trace"] = "\n".join(map(harmless, trace))
        return json.dumps(told)


def _job_of(record: logging.LogRecord) -> str | None:
    """The id of the job that a line tells of: as its words name it, else that of the work at hand."""
    found = _JOB.search(record.getMessage()) if _names_job(record) else None
    return found[1] if found else about.job_id()


def _names_job(record: logging.LogRecord) -> bool:
    """By the words in the source: those of a stranger name none."""
    return "job=%s" in str(record.msg)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    text = formatter.formatException(record.exc_info) if record.exc_info else ""
    return (text + (f"\n{record.stack_info}" if record.stack_info else "")).splitlines()


def set_up(settings: Log, environ: Mapping[str, str], stream: TextIO = sys.stderr) -> None:
    handler = logging.StreamHandler(stream)
    logging.basicConfig(handlers=[handler], force=True)
    apply(settings, environ)


def apply(settings: Log, environ: Mapping[str, str]) -> None:
    """Take over a changed configuration."""
    is_journal = "JOURNAL_STREAM" in environ
    head = "%(name)s: %(message)s"
    if not is_journal:
        head = "%(asctime)s.%(msecs)03d %(levelname)-7s " + head
    kind = _Json if settings.format == "json" else _Lines
    for handler in logging.getLogger().handlers:
        handler.setFormatter(kind(head, is_journal=is_journal))
    set_level(settings.level)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
    quiet = logging.WARNING if level != "debug" else logging.INFO
    for name in _CHATTY:
        logging.getLogger(name).setLevel(quiet)


def level() -> str:
    """The one that holds now."""
    return logging.getLevelName(logging.getLogger().level).lower()
