"""Job objects as the daemon sends them."""

from __future__ import annotations

import json
from typing import Any

from htdl.jobs import Job, JobFile, JobView, Readiness
from htdl.wire import job_object

ID = "3f2a91bc-0000-4000-8000-000000000000"


def job(**fields: Any) -> dict[str, Any]:
    """A job through wire and JSON, with `fields` over it: columns, `ready=True`, or `plays_through`."""
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
        files=(JobFile(index=0, path="Sintel.mkv", size=4 << 20, progress=25.0),),
        readiness=Readiness(ready=ready, reason="25 % are here", threshold=10.0, plays_through=through),
    )
    value = job_object(view)
    value["files"] = [{name: getattr(x, name) for name in x.__slots__} for x in view.files]
    value["readiness"] = {name: getattr(view.readiness, name) for name in view.readiness.__slots__}
    result: dict[str, Any] = json.loads(json.dumps(value))
    return result
