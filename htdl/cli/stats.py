"""`htdl stats`."""

from __future__ import annotations

from typing import Any

import click

from htdl.cli import plain, units
from htdl.cli.app import App
from htdl.cli.options import as_json, examples
from htdl.cli.output import json_text
from htdl.cli.words import printable


@click.command("stats", epilog=examples("htdl stats", "htdl stats --json | jq .success_rate"))
@as_json
@click.pass_obj
def command(app: App, as_json: bool) -> None:
    """Sum up all downloads: how many, how well, how fast, and what is kept of them."""
    stats = app.call("GET", "/stats")
    if as_json:
        click.echo(json_text(stats))
    else:
        click.echo("\n".join(plain.aligned(_rows(stats))))


def _rows(stats: dict[str, Any]) -> list[tuple[str, str]]:
    rate, average = stats["success_rate"], stats["average_seconds"]
    return [
        *((printable(state).lower(), str(count)) for state, count in stats["by_status"].items()),
        ("active", f"{stats['active']} now, {stats['waiting']} waiting, {stats['seeding']} seeding"),
        ("success", f"{rate:.1f}% of those that ended" if rate is not None else units.UNKNOWN),
        ("average time", units.duration(average) if average is not None else units.UNKNOWN),
        ("speed", f"{units.speed(stats['download_speed'])} down, {units.speed(stats['upload_speed'])} up"),
        (
            "transferred",
            f"{units.size(stats['downloaded_bytes'])} down, {units.size(stats['uploaded_bytes'])} up",
        ),
        ("disk free", units.size(stats["disk_free_bytes"])),
        *_cache(stats),
        ("daemon", f"{printable(stats['version'])}, up {units.duration(stats['uptime_seconds'])}"),
    ]


def _cache(stats: dict[str, Any]) -> list[tuple[str, str]]:
    """What is kept; nothing of a daemon that does not say."""
    if "cache_bytes" not in stats:
        return []
    count, most = stats["cache_videos"], stats["cache_max_bytes"]
    limit = f"of at most {units.size(most)}" if most else "without a limit"
    parts = [f"{count} video{'' if count == 1 else 's'}, {units.size(stats['cache_bytes'])} {limit}"]
    if pinned := stats["cache_pinned_bytes"]:
        parts.append(f"{units.size(pinned)} pinned")
    if removable := stats["cache_removable_bytes"]:
        parts.append(f"{units.size(removable)} to be removed next")
    return [("kept", ", ".join(parts))]
