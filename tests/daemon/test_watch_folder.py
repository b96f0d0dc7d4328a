"""Watched folders: a real daemon takes what is put there, also what came while it was down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from htdl.jobs import State
from tests.daemon.downloads import completed
from tests.daemons import Daemon
from tests.swarm import Swarm
from tests.torrents import make_info, make_torrent
from tests.waiting import until

Make = Callable[..., Daemon]

RARELY = 3600  # what the kernel tells is all that is heard between two looks


def names(folder: Path) -> set[str]:
    return {str(x.relative_to(folder)) for x in folder.rglob("*") if not x.is_dir()}


def sources(daemon: Daemon) -> list[str]:
    return sorted(job.info_hash[:1] for job in daemon.client.jobs())


def magnet(letter: str) -> str:
    return f"magnet:?xt=urn:btih:{letter * 40}"


def test_what_is_put_into_a_folder_is_downloaded_once(
    make_daemon: Make, swarm: Swarm, tmp_path: Path
) -> None:
    folder, later = tmp_path / "watched", tmp_path / "later"
    folder.mkdir()
    later.mkdir()
    (folder / "early.magnet").write_text(f"# came first\n{magnet('a')}\n{magnet('b')}\n")
    watch = {"paths": [str(folder)], "poll_seconds": RARELY}
    daemon = make_daemon(watch=watch)
    until(lambda: names(folder) == {"added/early.magnet"})
    assert sources(daemon) == ["a", "b"]

    torrent = swarm.seed({"video.mkv": 200_000})
    (folder / "film.MAGNET").write_text(torrent.magnet)
    until(lambda: "added/film.MAGNET" in names(folder))
    (job,) = [x for x in daemon.client.jobs() if x.info_hash == torrent.info_hash]
    completed(daemon, torrent, job.id)

    daemon.kill()
    raw = make_torrent(make_info("other.mkv"))
    (folder / "other.torrent").write_bytes(raw)
    (folder / "early.magnet").write_text(magnet("a"))  # as after a crash before it was put away
    daemon.start()
    until(lambda: {"added/other.torrent", "added/early.2.magnet"} <= names(folder))
    assert len(daemon.client.jobs()) == 4

    (later / "c.magnet").write_text(magnet("c"))
    daemon.configure({"watch": {"paths": [str(later)], "poll_seconds": RARELY, "start_paused": True}})
    until(lambda: names(later) == {"added/c.magnet"})
    (job,) = [x for x in daemon.client.jobs() if x.info_hash.startswith("cc")]
    until(lambda: daemon.client.job(job.id).status is State.PAUSED)
    assert "Traceback" not in daemon.log()
    assert daemon.stop() == 0
