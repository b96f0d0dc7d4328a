"""What the watch page is told about a job: the JSON of its `status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from htdl import wire
from htdl.errors import HtdlError
from htdl.jobs import Job, JobFile, JobView
from htdl.stream.kinds import is_video, media_type, natural

if TYPE_CHECKING:
    from htdl.core.service import Service

MOST_FILES = 500  # that the page lists; each is sent again every second
MOST_RUNS = 2000  # that its bar is told of; no screen shows more


async def status_object(service: Service, view: JobView, index: int | None) -> dict[str, Any]:
    """The job, and of its file `index`, else of its main one, what is here and whether it can be watched.

    `file` is the index of that file, null where there is none to play.  `runs` are what is here of it, as
    fractions of its size; null while that is not known.
    """
    job, streams = view.job, service.streams
    playing = _playing(service, view, index)
    videos = listed(view.files)
    shown = _shown(videos, playing)
    verdict = view.readiness
    if playing:
        streams.attend(job.id, playing.index)
        verdict = streams.readiness(job, view.files, playing.index)
    runs = _runs(service, view, playing)
    return {
        "name": job.name or job.info_hash,
        "status": job.status,
        "wish": job.wish,
        "detail": job.detail,
        "blocked_by": job.blocked_by,
        "error_message": job.error_message,
        "progress": wire.progress_exact(job),
        "download_speed": job.download_speed,
        "eta_seconds": job.eta_seconds,
        "peers": job.peers,
        "file": playing.index if playing else None,
        "is_whole": runs == [(0.0, 1.0)],
        "runs": runs,
        "readiness": verdict,
        "play": service.live.how(job, playing) if playing else "source",
        "hls": _hls(service, job, playing) if playing else None,
        "conversion": next((x for x in view.conversions if playing and x.file_index == playing.index), None),
        "files": [_file_object(file, _path(service, job.id, file)) for file in shown],
        "more": len(videos) - len(shown),
        "subtitles": await _subtitles(service, view, playing) if playing else [],
    }


def _playing(service: Service, view: JobView, index: int | None) -> JobFile | None:
    try:
        return service.streams.file(view.job, view.files, index)
    except HtdlError:  # no such file, not chosen, or removed: the page says so by `readiness` and `detail`
        return None


def _runs(service: Service, view: JobView, file: JobFile | None) -> list[tuple[float, float]] | None:
    if file is None:
        return []
    if file.progress >= 100:
        return [(0.0, 1.0)]
    size = max(1, file.size)
    runs = service.streams.runs(view.job.id, file)
    return None if runs is None else [(run.start / size, run.stop / size) for run in runs[:MOST_RUNS]]


def _path(service: Service, job_id: str, file: JobFile) -> str:
    """Of a file on the server that also serves the page, under whatever name that was reached."""
    return _local(service, service.links.video(job_id, file))


def _local(service: Service, url: str | None) -> str:
    return (url or "").removeprefix(service.links.base_url or "")


def _hls(service: Service, job: Job, file: JobFile) -> dict[str, Any] | None:
    """The playlist of what is made of it meanwhile, the media type of its segments, and its whole length."""
    if not service.live.is_shown(job, file):
        return None
    return {
        "url": _local(service, service.links.live(job.id, file)),
        "type": service.live.media_type(job.id, file.index),
        "duration": service.live.duration(job.id, file.index),
    }


def listed(files: Sequence[JobFile]) -> list[JobFile]:
    """The videos in their natural order; where there is none, everything."""
    found = [file for file in files if is_video(file.path)] or files
    return sorted(found, key=lambda file: natural(file.path))


def _shown(videos: Sequence[JobFile], playing: JobFile | None) -> list[JobFile]:
    shown = list(videos[:MOST_FILES])
    return [*shown, playing] if playing and playing not in shown else shown


def _file_object(file: JobFile, url: str) -> dict[str, Any]:
    return {
        "index": file.index,
        "name": file.path,
        "size": file.size,
        "wanted": file.wanted,
        "progress": file.progress,
        "type": media_type(file.path),
        "url": url,
    }


async def _subtitles(service: Service, view: JobView, video: JobFile) -> list[dict[str, Any]]:
    """Those that can be shown.  `note` changes with what they hold."""
    found = service.links.subtitles(view.job.id, video, await service.subtitling.kept(view.job))
    return [
        {"url": _local(service, one.url), "language": one.language, "label": one.label, "note": one.note}
        for one in found
        if one.url
    ]
