"""Which job the work at hand is for: whatever is logged meanwhile, also by a task or a thread that is begun
inside, carries its id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_job: ContextVar[str | None] = ContextVar("job", default=None)


@contextlib.contextmanager
def job(job_id: str) -> Iterator[None]:
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def job_id() -> str | None:
    return _job.get()
