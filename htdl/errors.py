"""What can go wrong, as one tree.

HtdlError
├── BadRequest         2  the request itself is malformed
│   └── BadConfig      2  the configuration has faults; all of them are named
├── NoDaemon           3  nothing answers on the socket
├── NoSuchJob          4  no job has this id (or several share the prefix)
├── BadSource          5  not a magnet, info-hash or .torrent that can be taken
├── DiskFull           6  no room for what is still to come
├── TimedOut           7  not finished within the time given
├── ConversionFailed   8  the download is whole, its conversion failed
├── Refused            9  understood, but not in this state or not for this caller
└── JobFailed          1  the job itself ended as FAILED or CANCELLED

Every error has a `code` for programs, a `message` that says what happened to what, a `hint` that says what
to do next, and the `exit_code` of the command line.  Foreign errors are mapped once, at the seam, `from exc`.
"""

from __future__ import annotations


class HtdlError(Exception):
    """Something a person should read: `message` and, where there is a next step, `hint`."""

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).code


class BadRequest(HtdlError):
    code = "bad_request"
    exit_code = 2


class BadConfig(BadRequest):
    code = "bad_config"


class NoDaemon(HtdlError):
    code = "no_daemon"
    exit_code = 3


class NoSuchJob(HtdlError):
    code = "no_such_job"
    exit_code = 4


class BadSource(HtdlError):
    code = "bad_source"
    exit_code = 5


class DiskFull(HtdlError):
    code = "disk_full"
    exit_code = 6


class TimedOut(HtdlError):
    code = "timed_out"
    exit_code = 7


class ConversionFailed(HtdlError):
    code = "conversion_failed"
    codes = frozenset({"bad_media", "conversion_failed", "no_ffmpeg"})  # that nothing else has
    exit_code = 8


class Refused(HtdlError):
    code = "refused"
    exit_code = 9


class JobFailed(HtdlError):
    code = "job_failed"
    exit_code = 1
