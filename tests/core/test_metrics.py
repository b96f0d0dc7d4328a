"""What events and conversions count as; the scrape of a real daemon is in tests/daemon/test_metrics.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from htdl.core.metrics import Metrics
from htdl.events import Kind
from htdl.jobs import Blocked, Conversion, ConversionState, Job, State
from tests.core.examples import new_job
from tests.core.world import World, running_world


class Told:
    """Metrics on a clock that the test moves, and what a scrape of them says."""

    def __init__(self, world: World) -> None:
        service = world.service
        self.now = 0.0
        self.bus = world.bus
        self.metrics = Metrics(
            world.db, world.book, world.bus, lambda: service.config, service.health, service.network,
            lambda: self.now,
        )  # fmt: skip
        world.bus.observer = self.metrics.on_event

    def tell(self, kind: Kind, job: Job, **changes: object) -> Job:
        job = replace(job, **changes)
        self.bus.publish(kind, job)
        return job

    async def value(self, name: str, **labels: str) -> float:
        text = (await self.metrics.text()).decode()
        samples = [x for family in text_string_to_metric_families(text) for x in family.samples]
        return next(x.value for x in samples if x.name == name and x.labels == labels)


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    async with running_world(tmp_path) as world:
        yield Told(world)


async def test_the_wait_in_the_queue_is_from_being_queued_to_being_begun(told: Told) -> None:
    job = told.tell(Kind.ADDED, new_job())
    told.now = 7.0
    job = told.tell(Kind.CHANGED, job, status=State.DOWNLOADING)
    told.now = 50.0
    job = told.tell(Kind.CHANGED, job, status=State.PAUSED)
    told.now = 60.0
    job = told.tell(Kind.CHANGED, job, status=State.PENDING)
    told.now = 62.0
    told.tell(Kind.CHANGED, job, status=State.DOWNLOADING)
    assert await told.value("htdl_queue_wait_seconds_sum") == 9.0
    assert await told.value("htdl_queue_wait_seconds_count") == 2


async def test_the_time_to_ready_begins_anew_with_a_retry(told: Told) -> None:
    job = told.tell(Kind.ADDED, new_job())
    told.now = 100.0
    job = told.tell(Kind.FAILED, job, status=State.FAILED)
    told.now = 200.0
    job = told.tell(Kind.CHANGED, job, status=State.PENDING)
    told.now = 205.0
    told.tell(Kind.READY, job, status=State.DOWNLOADING)
    assert await told.value("htdl_time_to_ready_seconds_sum") == 5.0
    assert await told.value("htdl_jobs_ended_total", status="failed") == 1


async def test_what_was_begun_by_an_earlier_daemon_is_not_timed(told: Told) -> None:
    job = new_job()
    told.metrics.know([job])
    told.now = 5.0
    job = told.tell(Kind.CHANGED, job, status=State.DOWNLOADING)
    told.tell(Kind.READY, job)
    assert await told.value("htdl_queue_wait_seconds_count") == 0
    assert await told.value("htdl_time_to_ready_seconds_count") == 0


async def test_a_stall_is_counted_once_by_its_reason(told: Told) -> None:
    job = told.tell(Kind.ADDED, new_job(), blocked_by=Blocked.QUEUE)
    for reason in (Blocked.NO_PEERS, Blocked.NO_PEERS, None, Blocked.NO_PEERS, Blocked.PEERS_CHOKING):
        job = told.tell(Kind.CHANGED, job, blocked_by=reason, detail=f"{reason}")
    assert await told.value("htdl_stalls_total", reason="no_peers") == 2
    assert await told.value("htdl_stalls_total", reason="peers_choking") == 1


async def test_no_job_that_is_gone_is_remembered(told: Told) -> None:
    first, second = told.tell(Kind.ADDED, new_job(1)), told.tell(Kind.ADDED, new_job(2))
    ended = told.tell(Kind.COMPLETED, first, status=State.COMPLETED, seeding=True)
    told.tell(Kind.CHANGED, ended, seeding=False)
    told.tell(Kind.REMOVED, second)
    assert not told.metrics._seen


async def test_conversions_are_counted_by_kind_and_end(told: Told) -> None:
    waits = Conversion(file_index=0, effort="remux", updated_at="2024-05-01T10:00:00.000+00:00")
    runs = replace(waits, status=ConversionState.RUNNING)
    after = replace(runs, updated_at="2024-05-01T10:00:04.500+00:00")
    steps = [
        (waits, runs),
        (runs, replace(after, progress=50.0)),
        (runs, replace(after, status=ConversionState.DONE)),
        (runs, replace(after, status=ConversionState.WAITING, error_code="disk_full")),
        (runs, replace(after, status=ConversionState.WAITING, error_code="io_error")),
        (runs, replace(after, status=ConversionState.WAITING)),  # it was cut off, and nothing went wrong
        (waits, replace(after, status=ConversionState.FAILED, effort="")),
    ]
    for before, then in steps:
        told.metrics.on_conversion(before, then)
    for outcome in ("done", "no_room", "retried"):
        assert await told.value("htdl_conversions_total", kind="remux", outcome=outcome) == 1
    assert await told.value("htdl_conversions_total", kind="remux", outcome="failed") == 0
    assert await told.value("htdl_conversions_total", kind="unknown", outcome="failed") == 1
    assert await told.value("htdl_conversion_seconds_sum", kind="remux") == 13.5
