"""`htdl config show` and `check`: of the daemon that runs, else of what a start would read."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.daemons import Daemon

Make = Callable[..., Daemon]

FAULTY = """\
[torrent]
max_connection = 3
port_range_start = "many"

[loging]
level = "debug"

[log]
level = "loud"
"""


def test_check_names_every_fault_with_its_line(offline: Daemon) -> None:
    offline.config.write_text(FAULTY)
    result = offline.htdl("config", "check", env={"HTDL_STREAM_PORT": "-1", "HTDL_TORENT_ALLOW_LAN": "1"})
    assert result.returncode == 2
    told = result.stderr.splitlines()
    assert told[0] == f"htdl: the configuration ({offline.config}) has 5 faults:"
    assert told[1] == "  line 2: torrent.max_connection: no such key; did you mean max_connections?"
    assert told[2].startswith("  line 3: torrent.port_range_start: must be a whole number")
    assert told[3] == "  line 5: [loging]: no such section; did you mean log?"
    assert told[4].startswith("  line 9: log.level: 'loud' is none of debug")
    assert told[5].startswith("  HTDL_STREAM_PORT: must be a whole number of at least 0")
    assert told[6] == "  HTDL_TORENT_ALLOW_LAN: means nothing to htdl; did you mean HTDL_TORRENT_ALLOW_LAN?"


def test_check_shows_the_line_that_is_no_toml(offline: Daemon) -> None:
    offline.config.write_text("[torrent]\nmax_connections 50\n")
    result = offline.htdl("config", "check")
    assert result.returncode == 2
    assert "(at line 2, column 17)" in result.stderr
    assert "  line 2: max_connections 50\n" in result.stderr


def test_a_variable_that_means_nothing_is_told_though_the_file_is_good(offline: Daemon) -> None:
    result = offline.htdl("config", "check", env={"HTDL_LIMTI_SCHEDULE": "x"})
    assert result.returncode == 2
    assert "did you mean HTDL_LIMIT_SCHEDULE?" in result.stderr
    assert offline.htdl("config", "check", env={"HTDL_JOB_ID": "of a hook"}).returncode == 0


def test_show_says_where_each_value_comes_from(offline: Daemon) -> None:
    assert offline.htdl("config", "check").stdout == f"OK: {offline.config}\n"
    offline.env["HTDL_TORRENT_MAX_CONNECTIONS"] = "70"
    shown = json.loads(offline.htdl("config", "show", "--json").stdout)
    folder = shown["torrent.download_path"]
    line = offline.config.read_text().splitlines().index(f'download_path = "{offline.downloads}"') + 1
    assert folder == {"value": str(offline.downloads), "source": "file", "line": line, "variable": None}
    lines = offline.htdl("config", "show").stdout.splitlines()
    assert lines[0] == f"# {offline.config}"
    told = {x.split(" = ")[0]: x.split("  # ")[1] for x in lines[1:]}
    assert told["torrent.download_path"] == f"line {line}"
    assert told["torrent.max_connections"] == "HTDL_TORRENT_MAX_CONNECTIONS"
    assert told["torrent.seed_ratio"] == "default"


def test_show_asks_the_daemon_that_runs_what_it_has_taken_over(make_daemon: Make) -> None:
    daemon = make_daemon(torrent={"max_connections": 50})
    before = daemon.client.config_origins()
    assert before["file"] == str(daemon.config)
    assert before["values"]["torrent.max_connections"]["source"] == "file"
    daemon.configure({"log": {"level": "info"}})
    daemon.client.reload()
    after = daemon.client.config_origins()["values"]["torrent.max_connections"]
    assert (after["value"], after["source"]) == (200, "default")
    daemon.config.write_text("[torrent]\nmax_connections = 'many'\n")
    shown = json.loads(daemon.htdl("config", "show", "--json").stdout)
    assert shown["torrent.max_connections"]["value"] == 200, "a faulty file changes nothing"
