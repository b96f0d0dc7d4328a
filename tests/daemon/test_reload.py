from __future__ import annotations

import signal
import tomllib
from collections.abc import Callable

import pytest

from htdl.errors import BadConfig, NoDaemon
from htdl.jobs import Blocked, State
from tests.daemon.downloads import once
from tests.daemons import Daemon
from tests.waiting import until

Make = Callable[..., Daemon]

ONE = {"max_active_downloads": 1}
TWO = {"max_active_downloads": 2}


def two_jobs(daemon: Daemon) -> str:
    """The id of the one that waits for a slot."""
    daemon.client.add("a" * 40)
    waits = daemon.client.add("b" * 40)
    once(daemon, waits.id, lambda job: job.blocked_by is Blocked.QUEUE)
    return waits.id


def test_a_changed_file_is_taken_over_by_itself(make_daemon: Make) -> None:
    daemon = make_daemon(torrent=ONE)
    waits = two_jobs(daemon)
    daemon.configure({"torrent": TWO})
    once(daemon, waits, lambda job: job.status is State.DOWNLOADING)
    assert daemon.client.config()["torrent.max_active_downloads"] == 2


def test_sighup_reads_the_configuration_again(make_daemon: Make) -> None:
    """Through a link, whose target nobody watches."""
    daemon = make_daemon(torrent=ONE, start=False)
    target = daemon.home / "elsewhere.toml"
    daemon.config.rename(target)
    daemon.config.symlink_to(target)
    daemon.start()
    waits = two_jobs(daemon)
    daemon.configure({"torrent": TWO})
    assert daemon.config.is_symlink()
    assert daemon.process
    daemon.process.send_signal(signal.SIGHUP)
    once(daemon, waits, lambda job: job.status is State.DOWNLOADING)


def test_fewer_slots_send_the_last_back_to_the_queue(make_daemon: Make) -> None:
    daemon = make_daemon(torrent=TWO)
    first, second = daemon.client.add("a" * 40), daemon.client.add("b" * 40)
    for job in (first, second):
        once(daemon, job.id, lambda job: job.status is State.DOWNLOADING)
    daemon.configure({"torrent": ONE})
    once(daemon, second.id, lambda job: job.blocked_by is Blocked.QUEUE)
    assert daemon.client.job(first.id).status is State.DOWNLOADING


def test_what_changed_is_told_and_what_needs_a_restart(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)
    target = daemon.home / "elsewhere.toml"
    daemon.config.rename(target)
    daemon.config.symlink_to(target)
    daemon.start()
    daemon.configure({"torrent": TWO, "stream": {"port": 18083}})
    told = daemon.htdl("daemon", "reload")
    assert told.stdout == (
        "changed: torrent.max_active_downloads, stream.port\nonly after a restart: stream.port\n"
    )
    assert daemon.htdl("daemon", "reload").stdout == "nothing has changed since it was last read\n"


def test_a_faulty_file_changes_nothing_and_is_told(make_daemon: Make) -> None:
    daemon = make_daemon(torrent=TWO)
    daemon.configure({"torrent": {"max_active_downloads": 0, "max_conections": 1}})
    with pytest.raises(BadConfig) as caught:
        daemon.client.reload()
    assert "torrent.max_active_downloads" in caught.value.message
    assert "did you mean max_connections" in caught.value.message
    assert daemon.client.config()["torrent.max_active_downloads"] == 2
    until(lambda: daemon.client.health().ok)  # from then on it takes signals
    assert daemon.process
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration kept as it was" in daemon.log())
    assert daemon.answers()


def test_a_first_configuration_is_noticed_though_its_folder_was_not_there(make_daemon: Make) -> None:
    """As on a new machine: the loopback settings come by variables, and no file is named."""
    daemon = make_daemon(start=False)
    sections = tomllib.loads(daemon.config.read_text())
    for section, values in sections.items():
        for key, value in values.items():
            daemon.env[f"HTDL_{section}_{key}".upper()] = str(value)
    daemon.config.unlink()
    del daemon.env["HTDL_CONFIG"]
    daemon.env["XDG_CONFIG_HOME"] = str(daemon.home / "new")
    daemon.start()
    first = daemon.home / "new" / "htdl" / "config.toml"
    until(first.parent.is_dir)
    first.write_text("[torrent]\nseed_ratio = 0.5\n")
    until(lambda: daemon.client.config()["torrent.seed_ratio"] == 0.5)


def reloaded(daemon: Daemon) -> bool:
    try:
        daemon.client.reload()
    except NoDaemon:  # its socket is there, and does not listen yet
        return False
    return True


def test_a_reload_while_it_starts_waits_for_what_takes_it_over(make_daemon: Make) -> None:
    daemon = make_daemon(start=False)
    daemon.launch()
    while not daemon.socket.exists():
        assert daemon.process
        assert daemon.process.poll() is None, daemon.log()
    daemon.configure({"torrent": TWO})
    until(lambda: reloaded(daemon))
    assert daemon.client.config()["torrent.max_active_downloads"] == 2
    assert "Traceback" not in daemon.log()
