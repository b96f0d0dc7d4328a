"""What is asked of the daemon: checked, and turned into a job.  Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from htdl.core import selection
from htdl.errors import BadRequest
from htdl.jobs import AddRequest, Job, JobFile, JobPatch, State, Wish
from htdl.torrent.api import Source, TorrentFile

TORRENT_NAMESPACE = uuid.UUID(
    "6d6ff1b5-4a36-5e2e-9b7a-3f0a4f1f5c11"
)  # of ids made from an info-hash (UUIDv5)

NOT_SEEDING: dict[str, Any] = {"seeding": False, "upload_speed": 0, "peers": 0}

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")  # names a folder, so nothing that could leave it


def new_job(
    request: AddRequest, source: Source, files: Sequence[JobFile], download_path: Path, now: str
) -> Job:
    """A job that has not begun; its `position` is the store's to give."""
    job_id = str(uuid.uuid4())
    video_id = request.video_id or job_id
    job = Job(
        id=job_id,
        video_id=video_id,
        torrent_id=request.torrent_id or str(uuid.uuid5(TORRENT_NAMESPACE, source.info_hash)),
        created_at=now,
        updated_at=now,
        source=request.source or f"{source.name}.torrent",
        info_hash=source.info_hash,
        info_hash_v2=source.info_hash_v2,
        name=source.name or source.info_hash,
        wish=Wish.PAUSE if request.paused else Wish.RUN,
        priority=request.priority,
        total_bytes=sum(file.size for file in files if file.wanted),
        save_path=str(download_path / video_id),
        selection=wanted(request),
        max_download_speed=request.max_download_speed,
        max_upload_speed=request.max_upload_speed,
        metadata_at=now if source.metadata else None,
    )
    return replace(job, file_path=main_path(job, files))


def free_folder(job: Job, *, is_taken: bool) -> str:
    """Where a new job's files go: a folder of its torrent's own, below its video's, where that holds files
    already.  They may have the same names, and nothing that is there is written over.
    """
    return str(Path(job.save_path) / job.info_hash[:8]) if is_taken else job.save_path


def wanted(request: AddRequest) -> tuple[str, ...]:
    """The selection: globs and indices, empty for the usual choice."""
    return selection.ALL if request.all_files else request.files


def is_kept(job: Job) -> bool:
    """Whether a job is complete and has its files still, as far as is known without a look at them."""
    return job.status is State.COMPLETED and job.file_path is not None and not job.delete_data


def gives(job: Job, files: tuple[JobFile, ...], request: AddRequest) -> bool:
    """Whether a complete job has all that is asked for: its files, under its video's id where one is given.

    Raises BadRequest as `choose` does.
    """
    if request.video_id not in {None, job.video_id}:
        return False
    asked = choose_again(files, wanted(request))
    return all(had.wanted for had, file in zip(files, asked, strict=True) if file.wanted)


def check(request: AddRequest) -> None:
    """Raises BadRequest for what cannot be taken."""
    if (request.source is None) == (request.torrent is None):
        raise BadRequest(
            "give either a source or the bytes of a .torrent", hint="`source` is a magnet, hash or URL"
        )
    for name, key in (("video_id", request.video_id), ("torrent_id", request.torrent_id)):
        if key is not None and not _KEY.fullmatch(key):
            raise BadRequest(
                f"{name} {key!r:.120} cannot be used",
                hint="use up to 100 letters, digits, and . _ - (not . first)",
            )
    check_patterns(request.files)
    check_numbers(request.priority, request.max_download_speed, request.max_upload_speed)


def check_patterns(patterns: tuple[str, ...]) -> None:
    """Raises BadRequest for more than can be gone through."""
    if len(patterns) > 1000 or any(len(pattern) > 1000 for pattern in patterns):
        raise BadRequest("too many or too long file patterns", hint="at most 1,000 of 1,000 characters")


def check_numbers(priority: int, *speeds: int | None) -> None:
    """Raises BadRequest for what is out of range; None is not given."""
    if abs(priority) > 1000:
        raise BadRequest(f"priority {priority} is out of range", hint="use -1000 to 1000; higher goes first")
    for speed in speeds:
        if speed is not None and not (speed == -1 or 1 <= speed < 2**31):
            raise BadRequest(
                f"a speed limit of {speed} bytes/s cannot be kept", hint="use -1 for none, or 1 and more"
            )


def check_place(patch: JobPatch) -> None:
    """Raises BadRequest for a place in the queue that cannot be."""
    if patch.position is not None and patch.before is not None:
        raise BadRequest("give either a position or the job to come before")
    if patch.position is not None and (patch.position < -1 or patch.position == 0):
        raise BadRequest(f"there is no place {patch.position} in the queue", hint="1 is next, -1 the end")


def is_of_limits(patch: JobPatch) -> bool:
    """Whether it changes nothing but speed limits."""
    return replace(patch, max_download_speed=None, max_upload_speed=None) == JobPatch()


def files_of(source: Source, patterns: tuple[str, ...]) -> list[JobFile]:
    """The files of a torrent whose metadata is known; none of a magnet."""
    return job_files(source.metadata.files, patterns) if source.metadata else []


def job_files(files: tuple[TorrentFile, ...], patterns: tuple[str, ...]) -> list[JobFile]:
    """The rows of a torrent's files, with what is wanted of them.  Raises BadRequest as `choose` does."""
    chosen = set(selection.choose(files, patterns))
    return [JobFile(index=x.index, path=x.path, size=x.size, wanted=x.index in chosen) for x in files]


def choose_again(files: tuple[JobFile, ...], patterns: tuple[str, ...]) -> list[JobFile]:
    """The same files with something else wanted.  Raises BadRequest as `choose` does."""
    plain = [TorrentFile(file.index, file.path, file.size) for file in files]
    chosen = set(selection.choose(plain, patterns))
    return [replace(file, wanted=file.index in chosen) for file in files]


def emptied(files: Iterable[JobFile]) -> tuple[JobFile, ...]:
    """The same files with nothing of them on disk."""
    return tuple(replace(file, progress=0.0, output=None) for file in files)


def main_path(job: Job, files: Sequence[JobFile]) -> str | None:
    """Where the file to watch is, or will be; None while the files are not known."""
    main = selection.main_file(files)
    return str(Path(job.save_path) / main.path) if main else None


def living_of(jobs: Iterable[Job]) -> Job | None:
    """The first that has not ended."""
    return next((job for job in jobs if not job.has_ended), None)


def called(job: Job) -> str:
    """The job as messages name it."""
    return f"job {job.id[:8]} ({job.name})"
