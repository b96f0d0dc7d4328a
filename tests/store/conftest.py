"""A real database in a temp folder, and jobs to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from htdl.jobs import Job
from htdl.store.db import Database

NOW = "2024-05-01T10:00:00+00:00"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "state" / "htdl.db", now=NOW)
    yield database
    await database.close()


@pytest.fixture
def new_job() -> Callable[..., Job]:
    """`new_job(7, status=…)`: job number 7; numbers make ids, hashes and positions distinct."""

    def make(number: int = 1, **changes: Any) -> Job:
        values: dict[str, Any] = {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "video_id": f"video-{number}",
            "torrent_id": f"torrent-{number}",
            "created_at": NOW,
            "updated_at": NOW,
            "info_hash": f"{number:040x}",
            "position": number,
        }
        return Job(**(values | changes))

    return make
