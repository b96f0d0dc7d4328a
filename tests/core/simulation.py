"""What the actions of the queue do, without an engine, a disk or a clock: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from htdl.core import schedule
from htdl.core.schedule import Action, Facts, Limits, decide
from htdl.jobs import Job, State


@dataclass(frozen=True)
class World:
    """Jobs by id, what is known of each, and the limits."""

    jobs: Mapping[str, Job]
    facts: Mapping[str, Facts]
    limits: Limits

    def decide(self) -> list[Action]:
        return decide(self.jobs.values(), self.facts, self.limits)

    def known(self, job: Job) -> Facts:
        return self.facts.get(job.id, Facts())

    def is_running(self, job: Job) -> bool:
        """Holds a slot: it downloads and is not stalled."""
        if job.status is not State.DOWNLOADING or not self.known(job).is_held:
            return False
        return not schedule.is_stalled(job, self.known(job), self.limits)


def act(world: World, actions: Sequence[Action]) -> World:
    """The world after these actions, done whole and at once."""
    jobs, facts = dict(world.jobs), dict(world.facts)
    for action in actions:
        tail = max(job.position for job in jobs.values()) + 1
        job, known = jobs[action.job_id], facts.get(action.job_id, Facts())
        jobs[job.id], facts[job.id] = _after(action, job, known, tail)
    return replace(world, jobs=jobs, facts=facts)


def settle(world: World, most: int = 6) -> tuple[World, list[list[Action]]]:
    """Act and decide until nothing is left to do: the world at rest and each round's actions."""
    rounds: list[list[Action]] = []
    while actions := world.decide():
        rounds.append(actions)
        assert len(rounds) <= most, f"does not come to rest: {rounds}"
        world = act(world, actions)
    return world, rounds


def _after(action: Action, job: Job, known: Facts, tail: int) -> tuple[Job, Facts]:
    fields: dict[str, Any] = dict(_CHANGES.get(type(action), {}))
    gone = Facts(is_watched=known.is_watched, found_disk_full=known.found_disk_full)
    held = replace(gone, is_held=True, has_seeded_enough=known.has_seeded_enough)
    match action:
        case schedule.Start() | schedule.Seed() | schedule.Complete():
            known = held
        case schedule.Queue():
            pass
        case schedule.Block(blocked_by=reason):
            fields["blocked_by"] = reason
        case schedule.Halt(blocked_by=reason, to_tail=to_tail):
            fields |= {"blocked_by": reason, "position": tail if to_tail else job.position}
            known = gone
        case _:
            known = gone
    if isinstance(action, schedule.Cancel) and job.has_ended:
        del fields["status"]
    return replace(job, **fields), known


_CHANGES: dict[type[Action], dict[str, Any]] = {
    schedule.Start: {"status": State.DOWNLOADING, "blocked_by": None},
    schedule.EndSeeding: {"seeding": False},
    schedule.Queue: {"status": State.PENDING, "blocked_by": None},
    schedule.Pause: {"status": State.PAUSED, "blocked_by": None},
    schedule.Cancel: {"status": State.CANCELLED, "seeding": False, "delete_data": False},
    schedule.Complete: {"status": State.COMPLETED, "seeding": True},
    schedule.Halt: {"status": State.PENDING},
    schedule.Fail: {"status": State.FAILED},
}
