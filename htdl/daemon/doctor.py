"""What `htdl doctor` can find out where no daemon runs: the same looks, in the process of the command."""

from __future__ import annotations

import asyncio
from pathlib import Path

from htdl import paths
from htdl.answers import Finding
from htdl.config import Config
from htdl.core import diagnosis


def look(config: Config, state_dir: Path) -> list[Finding]:
    """For a daemon that would be started with this configuration."""
    return asyncio.run(diagnosis.of_machine(config, paths.database(state_dir)))
