"""A torrent's numbers, from libtorrent's words into ours.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htdl.torrent._lt import lt
from htdl.torrent.api import Phase, Status

if TYPE_CHECKING:
    import libtorrent

_STATES = lt.torrent_status.states
_PHASES = {
    _STATES.checking_resume_data: Phase.CHECKING,
    _STATES.checking_files: Phase.CHECKING,
    _STATES.downloading_metadata: Phase.METADATA,
    _STATES.downloading: Phase.DOWNLOADING,
    _STATES.finished: Phase.FINISHED,
    _STATES.seeding: Phase.FINISHED,
}


def status_of(
    update: libtorrent.torrent_status,
    *,
    wanted_bytes: int | None,
    missing: int | None = None,
    tracker_error: str | None,
) -> Status:
    """`wanted_bytes`: the size of the wanted files; None while libtorrent has not applied what is wanted, and
    "finished" says nothing.  `missing`: bytes of them, where libtorrent counts only a part.

    libtorrent counts whole pieces, which reach into files that nobody wants.  What is missing of them counts
    as missing of the wanted files: so all is here only when every piece is.
    """
    # while a torrent starts, libtorrent says "finished" of nothing
    is_selected = wanted_bytes is not None and (missing is not None or update.total_wanted >= wanted_bytes)
    phase = _PHASES.get(update.state, Phase.CHECKING)
    if phase is Phase.FINISHED and (missing or not is_selected):
        phase = Phase.DOWNLOADING if update.has_metadata else Phase.METADATA
    missing = update.total_wanted - update.total_wanted_done if missing is None else missing
    return Status(
        phase=phase,
        done_bytes=max(0, (wanted_bytes or 0) - missing) if is_selected else 0,
        total_bytes=(wanted_bytes or 0) if is_selected else 0,
        checked=update.progress if phase is Phase.CHECKING else 0.0,
        download_speed=update.download_payload_rate,
        upload_speed=update.upload_payload_rate,
        uploaded_bytes=update.all_time_upload,
        peers=update.num_peers,
        candidates=update.list_peers,
        seeding_seconds=int(update.seeding_duration.total_seconds()),
        tracker_error=tracker_error,
        is_forsaken=bool(update.total_failed_bytes) and not (update.num_peers or update.connect_candidates),
    )


def is_whole(status: Status) -> bool:
    """Whether all that is selected has been downloaded and verified."""
    return status.phase is Phase.FINISHED and status.done_bytes >= status.total_bytes
