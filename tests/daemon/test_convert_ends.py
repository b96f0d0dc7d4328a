"""A conversion that is cut off: by a kill, a stop, a verb, a lack of bytes.  Nothing half-made is kept."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import libtorrent as lt
import pytest

from htdl.jobs import ConversionState, State
from htdl.wire import JobInfo
from tests.clips import clip, repeated
from tests.daemon.converting import encoders, files, frozen, is_made, leftovers, results, slow
from tests.daemon.downloads import in_state, once
from tests.daemons import Daemon
from tests.probing import probed
from tests.processes import lives
from tests.swarm import Swarm, quiet_session
from tests.waiting import until

SECONDS = 20  # of the film
RATE = 100_000  # of its seeder, bytes a second: it arrives for half a minute, but where it is let go

Make = Callable[..., Daemon]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return clip(tmp_path_factory.mktemp("clips"), "mkv", seconds=SECONDS, noise=10).read_bytes()


def arriving(make: Make, swarm: Swarm, film: bytes) -> tuple[Daemon, JobInfo]:
    """A job whose film is converted while it arrives."""
    daemon = make(conversion={"enabled": True})
    torrent = swarm.seed({"film.mkv": film}, rate=RATE)
    job = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    until(lambda: encoders(daemon))
    assert job.status is State.DOWNLOADING
    return daemon, job


def whole(make: Make, swarm: Swarm, film: bytes, speed: float = 0.5) -> tuple[Daemon, JobInfo]:
    """A job whose film is here, and is being converted at this speed: for longer than any test takes."""
    folder = Path(swarm.seed({"aside.mkv": 1}).folder)
    daemon = make(conversion={"enabled": True, "ffmpeg_path": str(slow(folder, speed))})
    torrent = swarm.seed({"film.mkv": film})
    job_id = daemon.client.add(torrent.magnet).id
    job = once(daemon, job_id, lambda x: x.status is State.CONVERTING and is_made(x))
    until(lambda: encoders(daemon))
    return daemon, job


def hurry(daemon: Daemon, swarm: Swarm) -> None:
    """What is begun from now on takes no longer than it must; one that is away reads it when it starts."""
    swarm.limit(0)
    daemon.configure({"conversion": {"enabled": True}})


Begin = Callable[[Make, Swarm, bytes], tuple[Daemon, JobInfo]]
both = pytest.mark.parametrize("begin", [arriving, whole])


def ends_well(daemon: Daemon, job_id: str) -> JobInfo:
    """It is COMPLETED by itself: one result, of the full length, and nothing beside it."""
    job = in_state(daemon, job_id, State.COMPLETED, 60)
    assert job.file_path
    assert results(daemon) == [Path(job.file_path)]
    assert probed(Path(job.file_path)).duration == pytest.approx(SECONDS, abs=0.5)
    assert leftovers(daemon) == []
    assert job.conversion
    assert (job.conversion.status, job.conversion.error_message) == (ConversionState.DONE, None)
    return job


@both
def test_a_killed_daemon_takes_its_ffmpeg_with_it_and_begins_again(
    make_daemon: Make, swarm: Swarm, film: bytes, begin: Begin
) -> None:
    daemon, job = begin(make_daemon, swarm, film)
    pids = encoders(daemon)
    daemon.kill()
    until(lambda: not any(map(lives, pids)), what=f"{pids} end with the daemon")
    assert results(daemon) == []
    hurry(daemon, swarm)
    daemon.start()
    ends_well(daemon, job.id)


def test_kills_all_along_a_conversion(make_daemon: Make, swarm: Swarm, film: bytes) -> None:
    daemon, job = whole(make_daemon, swarm, film, 2)  # for ten seconds
    for share in (5, 20, 40):
        once(daemon, job.id, lambda x, share=share: x.conversion and x.conversion.progress > share)  # type: ignore[misc]
        daemon.restart()
        once(daemon, job.id, is_made)
    hurry(daemon, swarm)
    daemon.restart()
    ends_well(daemon, job.id)


@both
def test_a_stop_in_the_middle_is_quick_and_clean(
    make_daemon: Make, swarm: Swarm, film: bytes, begin: Begin
) -> None:
    daemon, job = begin(make_daemon, swarm, film)
    pids = encoders(daemon)
    assert daemon.stop(20) == 0, "what would have gone on for longer is not waited for"
    assert not any(map(lives, pids))
    assert results(daemon) == leftovers(daemon) == []
    hurry(daemon, swarm)
    daemon.start()
    ends_well(daemon, job.id)


@both
def test_a_pause_ends_it_and_resume_begins_it_again(
    make_daemon: Make, swarm: Swarm, film: bytes, begin: Begin
) -> None:
    daemon, job = begin(make_daemon, swarm, film)
    pids = encoders(daemon)
    paused = daemon.client.pause(job.id)
    assert paused.status is State.PAUSED
    until(lambda: not any(map(lives, pids)))
    until(lambda: not leftovers(daemon))
    once(daemon, job.id, lambda x: [x.status for x in x.conversions] == [ConversionState.WAITING])
    assert results(daemon) == []
    hurry(daemon, swarm)
    daemon.client.reload()
    daemon.client.resume(job.id)
    ends_well(daemon, job.id)


@both
def test_a_cancel_ends_it_and_retry_begins_it_again(
    make_daemon: Make, swarm: Swarm, film: bytes, begin: Begin
) -> None:
    daemon, job = begin(make_daemon, swarm, film)
    pids = encoders(daemon)
    assert daemon.client.cancel(job.id).status is State.CANCELLED
    until(lambda: not any(map(lives, pids)))
    until(lambda: not leftovers(daemon))
    once(daemon, job.id, lambda x: ConversionState.RUNNING not in {x.status for x in x.conversions})
    assert results(daemon) == []
    hurry(daemon, swarm)
    daemon.client.reload()
    daemon.client.retry(job.id)
    ends_well(daemon, job.id)


@both
def test_a_cancel_that_removes_the_data_leaves_nothing(
    make_daemon: Make, swarm: Swarm, film: bytes, begin: Begin
) -> None:
    daemon, job = begin(make_daemon, swarm, film)
    daemon.client.cancel(job.id, delete=True)
    until(lambda: not encoders(daemon))
    until(lambda: not leftovers(daemon))
    assert results(daemon) == []
    assert not Path(job.save_path).exists()
    hurry(daemon, swarm)
    daemon.client.reload()
    daemon.client.retry(job.id)
    ends_well(daemon, job.id)


def test_a_retry_in_the_middle_disturbs_nothing(make_daemon: Make, swarm: Swarm, film: bytes) -> None:
    daemon, job = arriving(make_daemon, swarm, film)
    pids = encoders(daemon)
    with frozen(pids):
        swarm.limit(0)
        in_state(daemon, job.id, State.CONVERTING)
        assert daemon.client.retry(job.id).attempts == 1
        assert encoders(daemon) == pids
    done = ends_well(daemon, job.id)
    assert done.conversion
    assert done.conversion.attempts == 0


def test_what_a_kill_left_is_removed_also_when_the_job_is_cancelled_next(
    make_daemon: Make, swarm: Swarm, film: bytes
) -> None:
    daemon, job = whole(make_daemon, swarm, film)
    until(lambda: leftovers(daemon))
    daemon.client.pause(job.id)
    daemon.client.resume(job.id)
    once(daemon, job.id, is_made)
    until(lambda: leftovers(daemon))
    daemon.kill()
    daemon.start()
    daemon.client.cancel(job.id, delete=True)
    until(lambda: not leftovers(daemon))
    assert results(daemon) == []


def test_what_stalls_is_waited_for(make_daemon: Make, swarm: Swarm, film: bytes) -> None:
    daemon = make_daemon(conversion={"enabled": True, "stall_seconds": 3})
    torrent = swarm.seed({"film.mkv": film}, rate=RATE)
    job = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    once(daemon, job.id, lambda x: x.conversion and x.conversion.progress > 10)
    swarm.leave()
    pids = until(lambda: encoders(daemon))
    once(daemon, job.id, lambda x: x.peers == 0)
    time.sleep(4)  # longer than one that hangs would live
    assert daemon.client.job(job.id).status is State.DOWNLOADING
    assert daemon.client.job(job.id).progress < 90
    assert encoders(daemon) == pids
    assert results(daemon) == []
    seeder = lt.load_torrent_buffer(torrent.metainfo)
    seeder.save_path = str(torrent.folder)
    session = quiet_session()
    session.add_torrent(seeder).connect_peer(("127.0.0.1", daemon.port))
    done = ends_well(daemon, job.id)
    assert done.conversion
    assert done.conversion.attempts == 0
    del session


def test_one_that_hangs_while_its_film_arrives_is_ended_and_tried_again(
    make_daemon: Make, swarm: Swarm, film: bytes, tmp_path: Path
) -> None:
    """It is stopped, as by a debugger; the film is larger than what lies in the buffers of a socket."""
    daemon = make_daemon(conversion={"enabled": True, "stall_seconds": 1})
    large = repeated(clip(tmp_path, "mkv", seconds=4, noise=60), 8)
    size = large.stat().st_size
    torrent = swarm.seed({"film.mkv": large.read_bytes()}, rate=size // 15)
    job = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    [pid] = until(lambda: encoders(daemon))
    os.kill(pid, signal.SIGSTOP)
    once(daemon, job.id, lambda x: x.done_bytes > size * 0.4)  # so much lies in no buffer
    swarm.limit(1)
    until(lambda: not lives(pid), 60)
    assert daemon.client.job(job.id).status is State.DOWNLOADING
    until(lambda: "it hung: nothing came out of it for 1 s" in daemon.log())
    daemon.configure({"conversion": {"enabled": True}})  # a busy machine does not hang
    daemon.client.reload()
    swarm.limit(0)
    done = in_state(daemon, job.id, State.COMPLETED)
    assert done.conversion
    assert (done.conversion.attempts, done.conversion.status) == (1, ConversionState.DONE)


@pytest.mark.parametrize("ratio", [0.0, -1.0], ids=["let go", "seeding on"])
def test_a_conversion_that_began_early_outlasts_its_download(
    make_daemon: Make, swarm: Swarm, film: bytes, ratio: float
) -> None:
    daemon = make_daemon(conversion={"enabled": True}, torrent={"seed_ratio": ratio})
    torrent = swarm.seed({"film.mkv": film}, rate=RATE)
    job = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    assert job.status is State.DOWNLOADING
    once(daemon, job.id, lambda x: x.conversion and x.conversion.progress > 5)
    pids = encoders(daemon)
    with frozen(pids):
        swarm.limit(0)
        in_state(daemon, job.id, State.CONVERTING)
        assert encoders(daemon) == pids
    done = ends_well(daemon, job.id)
    assert done.conversion
    assert done.conversion.attempts == 0


def test_a_film_that_stalls_does_not_keep_others_from_being_encoded(
    make_daemon: Make, swarm: Swarm, tmp_path: Path
) -> None:
    daemon = make_daemon(conversion={"enabled": True}, torrent={"max_active_downloads": 2})
    first = clip(tmp_path, "avi", seconds=20, noise=10).read_bytes()
    torrent = swarm.seed({"first.avi": first}, rate=RATE)
    stalled = once(daemon, daemon.client.add(torrent.magnet).id, is_made)
    assert stalled.conversion
    assert stalled.conversion.effort == "transcode"
    swarm.leave()
    until(lambda: daemon.client.job(stalled.id).peers == 0)
    torrent = swarm.seed({"second.avi": clip(tmp_path, "avi", seconds=2).read_bytes()})
    in_state(daemon, daemon.client.add(torrent.magnet).id, State.COMPLETED, 60)
    assert is_made(daemon.client.job(stalled.id))


def test_kills_around_the_end_of_a_conversion(make_daemon: Make, swarm: Swarm, film: bytes) -> None:
    chance = random.Random(4)
    daemon = make_daemon(conversion={"enabled": True})
    for turn in range(3):
        torrents = [swarm.seed({"film.mkv": film + bytes(2 * turn + x)}) for x in range(2)]
        ids = [daemon.client.add(x.magnet, video_id=f"v{x.info_hash}").id for x in torrents]
        once(daemon, ids[1], lambda x: is_made(x) or x.status is State.COMPLETED)
        time.sleep(chance.uniform(0.0, 0.4))  # the moment of the kill is the case
        daemon.restart()
        for job in [in_state(daemon, x, State.COMPLETED, 60) for x in ids]:
            assert files(daemon.home / "videos" / job.video_id) == [Path(job.file_path or "")]
            assert probed(Path(job.file_path or "")).duration == pytest.approx(SECONDS, abs=0.5)
    assert leftovers(daemon) == []


def test_a_source_that_is_deleted_under_its_conversion_is_fetched_again(
    make_daemon: Make, swarm: Swarm, film: bytes
) -> None:
    daemon, job = arriving(make_daemon, swarm, film)
    once(daemon, job.id, lambda x: x.progress > 25)
    Path(job.save_path, job.files[0].path).unlink()
    swarm.limit(0)
    done = ends_well(daemon, job.id)
    assert packets(done.file_path) == packets(Path(job.save_path, job.files[0].path)), (
        "no hole was taken for film"
    )


def packets(path: str | Path | None) -> list[str]:
    """How many each stream of a file holds."""
    asked = ["-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]
    command = ["ffprobe", "-v", "error", *asked, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def test_a_conversion_switched_off_in_the_middle_ends(make_daemon: Make, swarm: Swarm, film: bytes) -> None:
    daemon, job = whole(make_daemon, swarm, film)
    daemon.configure({"conversion": {"enabled": False}})
    daemon.client.reload()
    job = in_state(daemon, job.id, State.COMPLETED)
    assert job.file_path == str(Path(job.save_path, job.files[0].path))
    until(lambda: not encoders(daemon))
    until(lambda: not leftovers(daemon))
    assert results(daemon) == []


def test_what_a_kill_left_is_removed_also_when_it_is_not_made_any_more(
    make_daemon: Make, swarm: Swarm, film: bytes
) -> None:
    daemon, job = whole(make_daemon, swarm, film)
    until(lambda: leftovers(daemon))
    daemon.kill()
    daemon.configure({"conversion": {"enabled": False}})
    daemon.start()
    in_state(daemon, job.id, State.COMPLETED)
    until(lambda: not leftovers(daemon))
