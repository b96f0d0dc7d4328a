"""What a scrape of `/metrics` reads: the state now, in Prometheus' families.

All of it is read from a `Now` that nothing changes, so that a thread may do it.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from htdl import __version__
from htdl.answers import Health
from htdl.config import Config
from htdl.core import admission
from htdl.core.checks import OK
from htdl.jobs import Blocked, Job
from htdl.torrent.api import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """All that one scrape tells of.  `by_status` counts all jobs, `jobs` are those that live; `network` is
    None while the engine does not answer.
    """

    jobs: list[Job]
    by_status: dict[str, int]
    health: Health
    network: Network | None
    events: int
    config: Config


class Scrape(Collector):
    """What was counted, and the state now."""

    def __init__(self, counted: Collector, now: Now) -> None:
        self._counted = counted
        self._now = now

    def collect(self) -> Iterator[Metric]:
        now = self._now
        yield from self._counted.collect()
        yield from _of_jobs(now)
        if now.network:
            yield from _of_network(now.network)
        yield _labelled(
            "htdl_check_ok",
            "Whether a part is well, as /health says.",
            "check",
            {name: said == OK for name, said in now.health.checks.items()},
        )
        yield _labelled(
            "htdl_disk_free_bytes", "Free in the file system of a folder.", "folder", _free(now.config)
        )
        yield CounterMetricFamily("htdl_events", "Events told on /api/v1/events.", now.events)
        yield InfoMetricFamily(
            "htdl_build",
            "What runs.",
            {
                "version": __version__,
                "libtorrent": importlib.metadata.version("libtorrent"),
                "python": platform.python_version(),
            },
        )


def _of_jobs(now: Now) -> Iterator[Metric]:
    """One pass over jobs: there may be tens of thousands."""
    blocked, down, up, seeding, missing = Tally[str](), 0, 0, 0, 0
    for job in now.jobs:
        down += job.download_speed
        up += job.upload_speed
        seeding += job.seeding
        if not job.has_ended:
            missing += max(0, job.total_bytes - job.done_bytes)
        if job.blocked_by:
            blocked[job.blocked_by.value] += 1
    by_status = {status.lower(): number for status, number in now.by_status.items()}
    yield _labelled("htdl_jobs", "Jobs in each status.", "status", by_status)
    yield _labelled(
        "htdl_jobs_blocked", "Jobs that stand still.", "reason", {x.value: blocked[x.value] for x in Blocked}
    )
    yield GaugeMetricFamily("htdl_jobs_seeding", "Complete jobs that upload.", seeding)
    yield GaugeMetricFamily("htdl_download_bytes_per_second", "Of all jobs.", down)
    yield GaugeMetricFamily("htdl_upload_bytes_per_second", "Of all jobs.", up)
    yield GaugeMetricFamily("htdl_missing_bytes", "Still to be downloaded, as far as known.", missing)


def _of_network(seen: Network) -> Iterator[Metric]:
    yield GaugeMetricFamily("htdl_peers", "Peers connected.", seen.peers)
    yield GaugeMetricFamily("htdl_dht_nodes", "Nodes of the DHT known.", seen.dht_nodes)
    yield _labelled(
        "htdl_trackers",
        "Trackers by their last answer.",
        "answer",
        {"good": seen.trackers_good, "bad": seen.trackers_bad},
    )
    for name, words, number in (
        ("htdl_downloaded_bytes", "Payload from peers and web seeds.", seen.received_bytes),
        ("htdl_uploaded_bytes", "Payload to peers.", seen.sent_bytes),
        ("htdl_wasted_bytes", "Downloaded twice, or damaged.", seen.wasted_bytes),
        ("htdl_incoming_connections", "Peers that came by themselves.", seen.incoming),
        ("htdl_engine_alerts", "What libtorrent said.", seen.alerts),
        ("htdl_engine_alerts_dropped", "How often it said more than was heard.", seen.alerts_dropped),
        ("htdl_engine_alert_seconds", "Spent in answering it, on the event loop.", seen.alert_seconds),
    ):
        yield CounterMetricFamily(name, words, number)


def _labelled(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _free(config: Config) -> dict[str, int]:
    folders = {
        "download": config.torrent.download_path,
        "videos": config.storage.base_path,
        "temp": config.storage.temp_path,
    }
    return {name: free for name, folder in folders.items() if (free := _free_in(folder)) is not None}


def _free_in(folder: Path) -> int | None:
    try:
        return admission.free_bytes(folder)
    except OSError:  # a network share that is away, say
        return None
