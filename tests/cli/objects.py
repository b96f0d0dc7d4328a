"""Job objects as the daemon sends them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from htdl.jobs import Conversion, ConversionState, Job, JobFile, JobView, Readiness
from htdl.wire import job_object

ID = "3f2a91bc-0000-4000-8000-000000000000"


def job(**fields: Any) -> dict[str, Any]:
    """A job through wire and JSON, with `fields` over it: columns, `ready=True`, `plays_through`,
    `conversions`, or the paths of its `files`.
    """
    conversions = tuple(fields.pop("conversions", ()))
    paths = fields.pop("files", ["Sintel.mkv"])
    ready = fields.pop("ready", False)
    through = fields.pop("plays_through", "yes" if ready else None)
    known = {
        "id": ID,
        "video_id": ID,
        "torrent_id": "t",
        "status": "DOWNLOADING",
        "name": "Sintel.mkv",
        "total_bytes": 4 << 20,
        "done_bytes": 1 << 20,
        "progress": 25,
        "download_speed": 1 << 20,
        "eta_seconds": 3,
        "peers": 7,
        "save_path": "/downloads/x",
    }
    view = JobView(
        job=Job(**(known | fields)),
        files=tuple(JobFile(index=n, path=path, size=4 << 20, progress=25.0) for n, path in enumerate(paths)),
        conversions=conversions,
        readiness=Readiness(ready=ready, reason="25 % are here", threshold=10.0, plays_through=through),
    )
    value = job_object(view)
    for name in ("files", "conversions"):
        value[name] = [asdict(x) for x in value[name]]
    value["readiness"] = asdict(view.readiness)
    result: dict[str, Any] = json.loads(json.dumps(value))
    return result


def converting(progress: float = 43.2, *, file: int = 0, **fields: Any) -> Conversion:
    """One that runs, with `fields` over it."""
    known = {"status": ConversionState.RUNNING, "effort": "transcode", "reason": "no browser plays MPEG-4"}
    known |= {"speed": 2.13, "eta_seconds": 40, "output": f"/videos/{file}.mp4"}
    return Conversion(file_index=file, progress=progress, **(known | fields))


def converted(file: int = 0) -> Conversion:
    return converting(100.0, file=file, status=ConversionState.DONE, speed=None, eta_seconds=0)


def waiting(file: int = 0, **fields: Any) -> Conversion:
    return converting(0.0, file=file, status=ConversionState.WAITING, speed=None, eta_seconds=-1, **fields)


def unconverted(file: int = 0, code: str = "no_ffmpeg") -> Conversion:
    failed = {"status": ConversionState.FAILED, "speed": None, "eta_seconds": -1}
    return converting(0.0, file=file, error_code=code, error_message=f"{code}: \x1b[31mwhy", **failed)
