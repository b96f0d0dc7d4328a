"""Whether a job has come as far as somebody waits for.  Pure."""

from __future__ import annotations

from typing import Literal

from htdl.errors import ConversionFailed, HtdlError, JobFailed
from htdl.jobs import ConversionState, State
from htdl.wire import JobInfo

Until = Literal["ready", "downloaded", "completed"]


def is_reached(job: JobInfo, until: Until) -> bool:
    """`ready`: can be watched; `downloaded`: the files are whole; `completed`: and converted."""
    can_be_watched = job.readiness is not None and job.readiness.ready
    if job.status is State.COMPLETED:
        return can_be_watched  # else its files were removed
    if until == "downloaded":
        return job.status is State.CONVERTING or (job.progress == 100 and _is_unconverted(job))
    return until == "ready" and not job.has_ended and can_be_watched


def _is_unconverted(job: JobInfo) -> bool:
    """Whether it is its conversion that failed the job."""
    failed = {x.error_code for x in job.conversions if x.status is ConversionState.FAILED}
    return job.status is State.FAILED and job.error_code in failed | ConversionFailed.codes


def end_of(job: JobInfo) -> HtdlError:
    """What a job's end is to one who waits for another."""
    hint = f"begin it again with: htdl retry {job.id[:8]}"
    if _is_unconverted(job):
        words = f"the conversion of job {job.id[:8]} failed: {job.error_message}"
        return ConversionFailed(words, hint=hint, code=job.error_code)
    called = f"{job.name or 'job'} ({job.id[:8]})"
    if job.status is State.CANCELLED:
        return JobFailed(f"{called} was cancelled", hint=hint)
    return JobFailed(f"{called} is {job.status.lower()}: {_why_not(job)}", hint=hint)


def _why_not(job: JobInfo) -> str:
    """Why a job that has ended is of no use."""
    if job.status is State.COMPLETED and job.readiness:
        return job.readiness.reason
    return job.error_message or "nobody knows why"
