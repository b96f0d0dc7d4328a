"""`/metrics`: what Prometheus reads, and the dashboard that draws it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import htdl
from htdl.jobs import Blocked, State
from tests.clips import clip
from tests.daemon.downloads import in_state, once
from tests.daemon.test_start import fill
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.waiting import until

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
DASHBOARD = Path(htdl.__file__).parent / "data" / "grafana.json"


def scrape(daemon: Daemon) -> Samples:
    status, headers, body = daemon.get("/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (x.name, frozenset(x.labels.items())): x.value
        for family in text_string_to_metric_families(body.decode())
        for x in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("metrics"), {"conversion": {"enabled": True}})
    daemon.start()
    until(lambda: daemon.client.health().ok)  # it answers before its engine does
    yield daemon
    daemon.end()


def test_a_download_and_its_conversion_are_counted(shared: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    film = clip(tmp_path, "mkv").read_bytes()
    before = scrape(shared)
    torrent = swarm.seed({"film.mkv": film})
    job = shared.client.add(torrent.magnet)
    in_state(shared, job.id, State.COMPLETED, timeout=60)
    shared.client.cancel(job.id)
    shared.client.remove(job.id, delete=True)
    after = scrape(shared)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("htdl_jobs_ended_total", status="completed") == 1
    assert more("htdl_queue_wait_seconds_count") == 1
    assert more("htdl_time_to_ready_seconds_count") == 1
    assert more("htdl_conversions_total", kind="remux", outcome="done") == 1
    assert more("htdl_conversion_seconds_count", kind="remux") == 1
    assert more("htdl_downloaded_bytes_total") >= len(film), "though the job is removed"
    assert more("htdl_events_total") > 3
    assert more("htdl_engine_alerts_total") > 3
    assert more("htdl_turn_seconds_count") > 1
    for operation in ("read", "write"):
        assert more("htdl_database_operation_seconds_count", operation=operation) > 1
    assert value(after, "htdl_jobs", status="completed") == 0


def test_a_job_that_stands_still_is_told_and_counted(shared: Daemon) -> None:
    before = scrape(shared)
    shared.configure({"storage": {"min_free": "1000TiB"}})
    shared.client.reload()
    job = shared.client.add("a" * 40)
    once(shared, job.id, lambda x: x.blocked_by is Blocked.DISK_FULL)
    after = scrape(shared)
    assert value(after, "htdl_jobs", status="pending") == 1
    assert value(after, "htdl_jobs_blocked", reason="disk_full") == 1
    name = "htdl_stalls_total"
    assert value(after, name, reason="disk_full") == value(before, name, reason="disk_full") + 1
    assert value(after, "htdl_check_ok", check="disk") == 0
    shared.client.cancel(job.id)
    shared.client.remove(job.id)
    shared.configure({"conversion": {"enabled": True}})
    shared.client.reload()


def test_checks_and_what_runs_are_told(shared: Daemon) -> None:
    samples = scrape(shared)
    assert all(value(samples, "htdl_check_ok", check=x) == 1 for x in shared.client.health().checks)
    (build,) = [dict(labels) for name, labels in samples if name == "htdl_build_info"]
    assert build["version"] == htdl.__version__
    assert value(samples, "htdl_disk_free_bytes", folder="download") > 0
    assert value(samples, "process_resident_memory_bytes") > 1 << 20


def test_the_names_keep_the_conventions(shared: Daemon) -> None:
    """prometheus.io/docs/practices/naming: a prefix, base units, and _total for what only grows."""
    connection = scrape(shared)
    for name in {name for name, _ in connection}:
        assert re.fullmatch(r"(htdl|process)_[a-z_]+", name), name
        assert not re.search(r"_(ms|milliseconds|kb|mb|percent|minutes)(_|$)", name), name
    assert len(connection) < 400, "no label has a job's id, of which there may be thousands"


def test_the_dashboard_draws_what_there_is(shared: Daemon) -> None:
    known = {name for name, _ in scrape(shared)}
    board = json.loads(DASHBOARD.read_text())
    texts = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    texts += [json.dumps(variable) for variable in board["templating"]["list"]]
    drawn = {name for text in texts for name in re.findall(r"\b(?:htdl|process)_[a-z_]+", text)}
    assert len(texts) > 20
    assert drawn <= known, drawn - known
    left = {re.sub(r"_(bucket|count|sum)$", "", x) for x in known if x.startswith("htdl_")}
    assert left == {re.sub(r"_bucket$", "", x) for x in drawn if x.startswith("htdl_")}, "all of them"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_with_ten_thousand_jobs_it_is_the_same_size(make_daemon: Callable[..., Daemon]) -> None:
    daemon = make_daemon(start=False)
    asyncio.run(fill(daemon, 10_000))
    daemon.start()
    samples = scrape(daemon)
    assert value(samples, "htdl_jobs", status="paused") == 10_000
    assert len(samples) < 400
