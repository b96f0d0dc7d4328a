"""`python -m tests.bench [NAME...]`: measure, side by side, on loopback; a table each and all as JSON.

What is compared runs in turn within one run: a ratio holds on a busy machine, a time does not.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path

NAMES = (
    "download",
    "latency",
    "cli",
    "idle",
    "socket",
    "order",
    "window",
    "stream",
    "watched",
    "readers",
    "serve",
    "convert",
)
DEFAULTS = {"runs": 3, "mib": 1024}  # a measurement may have `DEFAULTS` of its own


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without")
    parser.add_argument("--runs", type=int, help="of each contender (default 3)")
    parser.add_argument("--mib", type=int, help="size of what is downloaded (default 1024)")
    parser.add_argument("--jobs", type=int, default=1000, help="torrents that idle (default 1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no measurement is named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print(
        f"python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    reports = {}
    for name in options.names or NAMES:
        module = importlib.import_module(f"tests.bench.{name}")
        report = module.measure(_filled(options, DEFAULTS | getattr(module, "DEFAULTS", {})))
        print(f"\n{report.text()}", flush=True)
        reports[name] = report.json()
    if options.json:
        options.json.write_text(json.dumps(reports, indent=1))
    return 1 if any(row["is_met"] is False for report in reports.values() for row in report["rows"]) else 0


def _filled(options: argparse.Namespace, defaults: dict[str, int]) -> argparse.Namespace:
    given = {name: value for name, value in vars(options).items() if value is not None}
    return argparse.Namespace(**(defaults | given))


if __name__ == "__main__":
    raise SystemExit(main())
