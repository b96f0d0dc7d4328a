"""How `htdl play` waits, by what the daemon answers; a real one is asked in tests/daemon/test_play.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from htdl.cli.app import App
from htdl.cli.until_ready import Wanted, until_ready
from htdl.errors import Refused
from tests.cli.objects import ID, job


class Telling(App):
    """An app whose daemon says of a job what it is given, one answer a look, and then the last again."""

    def __init__(self, *jobs: dict[str, Any], ready: bool = True) -> None:
        super().__init__({}, config=None, socket=Path("nobody"))
        self._jobs = list(jobs)
        self._ready = ready

    def request(self, method: str, path: str, body: Any = None) -> tuple[Any, dict[str, str]]:
        if path.endswith("/stream"):  # by then the metadata of a magnet have come
            return {"file": 0, "readiness": job(ready=self._ready)["readiness"]}, {}
        return self._jobs.pop(0) if len(self._jobs) > 1 else self._jobs[0], {}


def test_files_that_become_known_while_it_asks_are_looked_at_again() -> None:
    before, after = job() | {"files": []}, job()
    for wait in (True, False):
        look = until_ready(Telling(before, after), Wanted(ID), wait=wait)
        assert (look.ready, look.job["files"]) == (True, after["files"])


def test_a_paused_job_is_watched_where_its_video_is_whole() -> None:
    paused = job(status="PAUSED", wish="PAUSE")
    assert until_ready(Telling(paused), Wanted(ID), wait=True).ready
    with pytest.raises(Refused, match="is paused"):
        until_ready(Telling(paused, ready=False), Wanted(ID), wait=True)
