"""The order of a list by numbers that change all the time: the database is some seconds behind.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from htdl.jobs import Job, JobQuery, Sort


def is_steady(query: JobQuery) -> bool:
    """Whether the same jobs in the same order are meant until one of them changes more than its numbers."""
    return query.sort not in _MEASURES and not query.ready


def by_numbers(jobs: Sequence[Job], query: JobQuery) -> list[Job]:
    """These jobs, which are in the order of their rows, in that of their numbers now; unknown ones last."""
    measure = _MEASURES.get(query.sort) if query.sort else None
    if measure is None:
        return list(jobs)
    measured = [(measure(job), job) for job in jobs]
    is_falling = query.reverse == (query.sort is Sort.ETA)
    known = [(number, job) for number, job in measured if number is not None]
    known.sort(key=lambda one: one[0], reverse=is_falling)
    return [job for _, job in known] + [job for number, job in measured if number is None]


def _progress(job: Job) -> float:
    return job.done_bytes / job.total_bytes if job.total_bytes else job.progress / 100


def _speed(job: Job) -> int:
    return job.download_speed + job.upload_speed


def _eta(job: Job) -> int | None:
    return None if job.has_ended or job.eta_seconds < 0 else job.eta_seconds


_MEASURES: dict[Sort | None, Callable[[Job], float | None]] = {
    Sort.PROGRESS: _progress,
    Sort.SPEED: _speed,
    Sort.ETA: _eta,
}
