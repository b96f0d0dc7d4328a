"""What has been found out about each job since its torrent was begun.

In memory alone: after a restart it is found out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from htdl.core import download
from htdl.core.download import Course
from htdl.core.schedule import Facts
from htdl.jobs import Job, JobFile
from htdl.torrent.api import Finished, Status

DISK_FULL_SECONDS = 15.0  # after a write found no room, before it is tried again


@dataclass(slots=True)
class Finding:
    course: Course
    fault: tuple[str, str] | None = None  # code and message of what cannot be mended by waiting
    is_lost: bool = False  # a file of it is not as it was written
    whole: Finished | None = None
    no_room_at: float | None = None  # when a write failed for want of room
    has_seeded_enough: bool = False


class Findings:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_job: dict[str, Finding] = {}
        self._verified: set[str] = set()  # jobs whose files were looked at whole, since one was lost

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._by_job

    def of(self, job_id: str) -> Finding:
        if job_id not in self._by_job:
            self._by_job[job_id] = Finding(Course(moved_at=self._clock()))
        return self._by_job[job_id]

    def begin(self, job_id: str, *, again: bool = False) -> None:
        """The job begins: nothing found before counts; where it does so again, only that it was verified."""
        if not again:
            self._verified.discard(job_id)
        self._by_job[job_id] = Finding(Course(moved_at=self._clock()))

    def forget(self, job_id: str) -> None:
        """All but that there was no room, which holds for a while."""
        finding = self._by_job.pop(job_id, None)
        if finding and finding.no_room_at is not None:
            self.of(job_id).no_room_at = finding.no_room_at

    def drop(self, job_id: str) -> None:
        """All of it: the job has ended."""
        self._by_job.pop(job_id, None)
        self._verified.discard(job_id)

    def lose(self, job: Job, message: str) -> None:
        """A file of it is not as it was written: all are to be verified, once."""
        finding = self.of(job.id)
        if job.has_ended or self.was_verified(job.id):
            finding.fault = ("io_error", message)
        else:
            finding.is_lost = True

    def was_verified(self, job_id: str) -> bool:
        return job_id in self._verified

    def verify(self, job_id: str) -> None:
        """Its files are looked at whole now."""
        self.forget(job_id)
        self._verified.add(job_id)

    def found_no_room(self, job_id: str) -> None:
        self.of(job_id).no_room_at = self._clock()

    def follow(self, job_id: str, status: Status) -> Course:
        finding = self.of(job_id)
        finding.course = download.follow(finding.course, status, self._clock())
        return finding.course

    def is_whole(self, job: Job, files: Iterable[JobFile]) -> bool:
        """Whether it finished with what is wanted now, and that is written; the choice may have changed."""
        finding = self._by_job.get(job.id)
        if finding is None or finding.whole is None:
            return False
        return job.has_metadata and finding.whole.wanted == {file.index for file in files if file.wanted}

    def facts(self, job: Job, files: Iterable[JobFile], known: Facts) -> Facts:
        """`known`, and what has been found out."""
        finding = self._by_job.get(job.id)
        if finding is None:
            return known
        now, no_room_at = self._clock(), finding.no_room_at
        is_lost = finding.is_lost or finding.course.may_be_damaged(now)
        return replace(
            known,
            is_whole=self.is_whole(job, files),
            fault=finding.fault,
            is_lost=is_lost and not self.was_verified(job.id),
            idle_seconds=finding.course.idle_seconds(now),
            found_disk_full=no_room_at is not None and now - no_room_at < DISK_FULL_SECONDS,
            has_seeded_enough=finding.has_seeded_enough,
        )
