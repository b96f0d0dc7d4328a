"""Logging to stderr, one line a moment, `key=value`.

Under systemd (JOURNAL_STREAM) a line begins with its syslog priority, sd-daemon(3), and has no time of its
own: the journal keeps both.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).replace("\n", "\n  ")
        return f"<{_PRIORITY.get(record.levelno, 6)}>{text}"


def set_up(level: str, environ: Mapping[str, str], stream: TextIO = sys.stderr) -> None:
    handler = logging.StreamHandler(stream)
    if "JOURNAL_STREAM" in environ:
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(
            logging.Formatter(
                "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
            )
        )
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
    quiet = logging.WARNING if level != "debug" else logging.INFO
    for name in ("aiohttp", "watchfiles", "asyncio"):
        logging.getLogger(name).setLevel(quiet)
