"""The places of the queue: the higher priority first, then the lower position.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from htdl.jobs import Job, State, Wish


def is_waiting(job: Job) -> bool:
    """Whether it has a place in the queue of downloads."""
    return job.status is State.PENDING and job.wish is Wish.RUN and not job.is_local


def place(jobs: Iterable[Job], job: Job) -> int | None:
    """The place of one job, 1 is next; None for one that does not wait."""
    if not is_waiting(job):
        return None
    own = _key(job)
    return 1 + sum(x.status is State.PENDING and _key(x) < own and is_waiting(x) for x in jobs)


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Those that have not ended."""
    return sorted((x for x in jobs if not x.has_ended), key=_key)


def places(jobs: Iterable[Job]) -> dict[str, int]:
    """By id the place of each that waits; 1 is next."""
    waiting = in_order(x for x in jobs if is_waiting(x))
    return {job.id: place for place, job in enumerate(waiting, 1)}


def _key(job: Job) -> tuple[int, int]:
    return (-job.priority, job.position)


def at_place(jobs: Iterable[Job], job: Job, place: int) -> Job | None:
    """The one that waits there while `job` is left out; None past the last, or for a negative place."""
    waiting = in_order(x for x in jobs if is_waiting(x) and x.id != job.id)
    return waiting[place - 1] if 1 <= place <= len(waiting) else None


def moved(jobs: Iterable[Job], job: Job, before: Job | None) -> list[Job]:
    """The jobs that change when this one comes just before another, or with None to the end.

    Its priority changes only as far as the place asks for it.  Where there is no free position, those in
    front make way.
    """
    order = [x for x in in_order(jobs) if x.id != job.id]
    index = next((n for n, x in enumerate(order) if before and x.id == before.id), len(order))
    ahead, behind = order[:index], order[index:]
    priority = job.priority
    if ahead:
        priority = min(priority, ahead[-1].priority)
    if behind:
        priority = max(priority, behind[0].priority)
    equals = [x for x in ahead if x.priority == priority]
    followers = [x for x in behind if x.priority == priority]
    position = job.position
    if followers:
        position = followers[0].position - 1
    elif equals:
        position = equals[-1].position + 1
    return [replace(job, priority=priority, position=position), *_below(equals, position)]


def _below(jobs: list[Job], position: int) -> list[Job]:
    """Those of these jobs, which are in order, that must change to come before a position."""
    changed = []
    for job in reversed(jobs):
        if job.position < position:
            break
        position -= 1
        changed.append(replace(job, position=position))
    return changed
