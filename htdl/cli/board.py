"""The jobs that are followed, kept up to date by the daemon's events.  No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from htdl.cli import conversion, words
from htdl.cli.words import JobObject


class Board:
    """Follows `ids`, or where empty every job that lives or comes to live."""

    def __init__(self, ids: Collection[str] = ()) -> None:
        self._named = frozenset(ids)
        self.jobs: dict[str, JobObject] = {}
        self._removed: set[str] = set()

    def apply(self, event: Mapping[str, Any]) -> list[JobObject]:
        """Take in one line of the event stream; the jobs that it tells something of."""
        if event["event"] == "state":
            told = [job for job in event["jobs"] if self._is_followed(job)]
        elif event["event"] == "removed":
            self._removed.add(event["job"]["id"])
            told = []
        else:
            told = [job for job in [event["job"]] if self._is_followed(job)]
        for job in told:
            self.jobs[job["id"]] = job
            self._removed.discard(job["id"])
        return told

    def missing(self, event: Mapping[str, Any]) -> list[str]:
        """The ids of jobs that lived before this state line and are not in it: they ended unseen, while the
        daemon or the stream was away.
        """
        here = {job["id"] for job in event["jobs"]}
        return [x for x, job in self.jobs.items() if x not in here and not words.has_ended(job)]

    def forget(self, job_id: str) -> None:
        """This job is there no more."""
        self._removed.add(job_id)

    @property
    def living(self) -> list[JobObject]:
        return [x for x in self.jobs.values() if not words.has_ended(x) and x["id"] not in self._removed]

    @property
    def in_order(self) -> list[JobObject]:
        """What moves, then what stands still, then what has ended; of each kind as they came.  So where there
        is no room for all, what moves is shown.
        """
        return sorted(self.jobs.values(), key=self._stillness)

    @property
    def is_over(self) -> bool:
        return not self.living

    @property
    def unhappy(self) -> list[JobObject]:
        """Those that ended, but not well."""
        return [x for x in self.jobs.values() if x["status"] != "COMPLETED" and x not in self.living]

    def _stillness(self, job: JobObject) -> int:
        if words.has_ended(job) or job["id"] in self._removed:
            return 2
        return int(job["status"] in {"PENDING", "PAUSED"})

    def _is_followed(self, job: JobObject) -> bool:
        return job["id"] in self._named if self._named else job["id"] in self.jobs or not words.has_ended(job)


class Ticker:
    """Which changes are worth a line where lines cannot be redrawn: a new state or reason at once, a new
    percentage of the download or of a conversion, or what is missing to watch it, at most once a second.
    """

    def __init__(self, every_seconds: float = 1.0) -> None:
        self._every = every_seconds
        self._last: dict[str, tuple[tuple[str, str, bool], str, float]] = {}

    def is_due(self, job: JobObject, now: float) -> bool:
        """Whether to print it; if so, it counts as printed."""
        mark = (words.state(job), words.why(job), words.is_ready(job))
        number = words.percent(job) + words.waits_for(job) + conversion.stage(job)
        last = self._last.get(job["id"])
        if last and last[0] == mark and (last[1] == number or now - last[2] < self._every):
            return False
        self._last[job["id"]] = (mark, number, now)
        return True
