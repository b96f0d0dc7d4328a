"""The units that `htdl service` writes, held against systemd's own tools where they are installed."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from htdl.cli import systemctl, unit_files
from htdl.cli.systemctl import Systemd
from htdl.cli.unit_files import Wanted
from htdl.errors import BadConfig
from tests.daemons import Daemon
from tests.tools import require

SYSTEM = [
    "etc/systemd/system/htdl.service",
    "etc/systemd/system/htdl.socket",
    "etc/sysusers.d/htdl.conf",
    "etc/tmpfiles.d/htdl.conf",
]
MOST_EXPOSED = 2.0  # of 10, as systemd-analyze counts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def files_in(folder: Path) -> list[str]:
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file())


# what is written, and undone


def test_what_is_installed_is_named_and_removed_again(offline: Daemon, root: Path) -> None:
    done = offline.htdl("service", "install", "--system", "--root", str(root))
    assert done.returncode == 0, done.stderr
    assert files_in(root) == sorted(SYSTEM)
    assert [f"wrote {root / x}" for x in SYSTEM] == done.stdout.splitlines()[:4]
    assert "systemctl enable --now htdl.service htdl.socket" in done.stdout
    assert {stat.S_IMODE((root / x).stat().st_mode) for x in SYSTEM} == {0o644}
    again = offline.htdl("service", "install", "--system", "--root", str(root))
    assert again.stdout.count("unchanged: ") == 4
    removed = offline.htdl("service", "uninstall", "--system", "--root", str(root))
    assert removed.stdout.count("removed ") == 4
    assert files_in(root) == []
    assert (
        "nothing is installed" in offline.htdl("service", "uninstall", "--system", "--root", str(root)).stdout
    )


def test_what_a_person_has_changed_is_left_and_named(offline: Daemon, root: Path) -> None:
    install = ("service", "install", "--system", "--root", str(root))
    offline.htdl(*install)
    unit = root / SYSTEM[0]
    unit.write_text(unit.read_text() + "Environment=MINE=1\n")
    refused = offline.htdl(*install)
    assert refused.returncode == 9
    assert str(unit) in refused.stderr
    assert "drop-in" in refused.stderr
    status = json.loads(offline.htdl("service", "status", "--system", "--root", str(root), "--json").stdout)
    assert status["changed"] == [str(unit)]
    left = offline.htdl("service", "uninstall", "--system", "--root", str(root))
    assert left.returncode == 1
    assert f"left {unit}" in left.stderr
    assert files_in(root) == [SYSTEM[0]]
    assert offline.htdl(*install, "--force").returncode == 0
    assert "MINE" not in unit.read_text()


def test_a_dry_run_writes_nothing(offline: Daemon, root: Path) -> None:
    args = ("service", "install", "--user", "--root", str(root), "--dry-run")
    told = offline.htdl(*args)
    assert told.stdout.count("==> ") == 2
    assert "ExecStart=" in told.stdout
    assert not root.exists()
    files = json.loads(offline.htdl(*args, "--json").stdout)
    assert [Path(x["path"]).name for x in files] == ["htdl.service", "htdl.socket"]


def test_the_configuration_is_carried_over_and_what_is_not_is_told(offline: Daemon, root: Path) -> None:
    """HTDL_… variables of a shell are not there when systemd starts the daemon."""
    config = offline.home / "my own.toml"
    told = offline.htdl("--config", str(config), "service", "install", "--user", "--root", str(root))
    (unit,) = root.rglob("htdl.service")
    assert f'-P -m htdl --config "{config}" daemon run' in unit.read_text()
    assert "HTDL_SOCKET, HTDL_STATE_DIR" in told.stderr
    assert "HTDL_CONFIG" not in told.stderr


def test_the_machines_unit_may_write_where_the_configuration_says(offline: Daemon, root: Path) -> None:
    config = root / "etc/htdl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        "[storage]\nbase_path = '/srv/my videos'\n[torrent]\ndownload_path = '/home/me/x'\n"
        "[watch]\npaths = ['/srv/drop%']\n[daemon]\nsocket_group = 'video'\n"
    )
    told = offline.htdl("service", "install", "--system", "--root", str(root))
    text = (root / SYSTEM[0]).read_text()
    for line in (
        'ReadWritePaths=-"/srv/my videos"',
        "ReadWritePaths=-/home/me/x",
        "ReadWritePaths=-/srv/drop%%",
    ):
        assert line in text.splitlines()
    assert "Group=video" in text.splitlines()
    assert "SocketGroup=video" in (root / SYSTEM[1]).read_text()
    assert "m htdl video" in (root / SYSTEM[2]).read_text()
    assert "sees no home and no temporary folder, as /home/me/x" in told.stderr


def test_a_faulty_configuration_is_told_before_anything_is_written(offline: Daemon, root: Path) -> None:
    config = root / "etc/htdl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[daemon]\nsocket_group = 'a b'\n")
    told = offline.htdl("service", "install", "--system", "--root", str(root))
    assert told.returncode == 2
    assert "no name of a group" in told.stderr
    assert files_in(root) == ["etc/htdl/config.toml"]


@pytest.mark.parametrize("word", ["new\nline", "bell\a"])
def test_a_path_that_no_unit_can_hold_is_refused(word: str) -> None:
    with pytest.raises(BadConfig, match="cannot stand in a unit"):
        unit_files.system(Wanted(command=(f"/opt/{word}/htdl",)), Path("/"))


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/opt/htdl/bin/htdl", "/opt/htdl/bin/htdl"),
        ("/opt/100%/$HOME/htdl", "/opt/100%%/$$HOME/htdl"),
        ("/opt/my films/htdl", '"/opt/my films/htdl"'),
        ('/opt/"quoted"\\/htdl', '"/opt/\\"quoted\\"\\\\/htdl"'),
    ],
)
def test_a_path_is_written_so_that_systemd_reads_it_as_it_is(word: str, written: str) -> None:
    unit = unit_files.system(Wanted(command=(word,)), Path("/"))[0].text
    assert f"ExecStart={written} daemon run" in unit.splitlines()


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("/home/me/.venv/bin/htdl", True),
        ("/root/htdl", True),
        ("/tmp/htdl", True),
        ("/opt/htdl/bin/htdl", False),
        ("/usr/bin/htdl", False),
        ("/homes/htdl", False),
    ],
)
def test_what_the_machines_service_cannot_see(path: str, is_hidden: bool) -> None:
    assert unit_files.is_hidden(Path(path)) == is_hidden


# with systemd


@pytest.fixture
def machine(offline: Daemon) -> Daemon:
    """Where a program stands for systemctl: it writes down what it is asked."""
    program = offline.home / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {offline.home}/asked\n'
        'case "$*" in\n'
        "*is-system-running) echo running;;\n"
        f"*show*) cat {offline.home}/shown;;\n"
        "*enable*) [ ! -e $HOME/broken ] || { echo no >&2; exit 5; };;\n"
        "esac\n"
    )
    program.chmod(0o755)
    offline.env = {k: v for k, v in offline.env.items() if not k.startswith("HTDL_")}
    offline.env["PATH"] = f"{program.parent}:{offline.env['PATH']}"
    offline.env["XDG_CONFIG_HOME"] = str(offline.home / "xdg")
    offline.env["XDG_RUNTIME_DIR"] = offline.env["XDG_STATE_HOME"] = str(offline.home)
    show(offline, active="inactive", state="not-found")
    return offline


def show(machine: Daemon, active: str, state: str = "loaded") -> None:
    service = (
        f"Id=htdl.service\nLoadState={state}\nActiveState={active}\nUnitFileState=enabled\n"
        "MainPID=7\nStatusText=2 downloading; 3.1 MB/s down\n"
    )
    socket = f"Id=htdl.socket\nLoadState={state}\nActiveState={active}\nUnitFileState=enabled\n"
    (machine.home / "shown").write_text(f"{service}\n{socket}")


def asked(machine: Daemon) -> list[str]:
    """What systemctl was told to do, and not only asked."""
    lines = (machine.home / "asked").read_text().splitlines()
    (machine.home / "asked").unlink()
    return [x for x in lines if "is-system-running" not in x and "show" not in x]


def test_a_user_s_service_is_started_and_stopped(machine: Daemon) -> None:
    done = machine.htdl("service", "install", "--user")
    assert done.returncode == 0, done.stderr
    units = machine.home / "xdg/systemd/user"
    assert files_in(units) == ["htdl.service", "htdl.socket"]
    assert asked(machine) == [
        "--user daemon-reload",
        "--user enable htdl.service htdl.socket",
        "--user restart htdl.socket htdl.service",
    ]
    assert "loginctl enable-linger" in done.stdout
    show(machine, "active")
    status = machine.htdl("service", "status", "--user")
    assert status.returncode == 0
    assert "htdl.service: enabled, active, pid 7: 2 downloading; 3.1 MB/s down" in status.stdout
    asked(machine)
    assert machine.htdl("service", "uninstall", "--user").returncode == 0
    assert asked(machine) == ["--user disable --now htdl.service htdl.socket", "--user daemon-reload"]
    assert files_in(units) == []


def test_the_files_alone_are_written_where_that_is_wanted(machine: Daemon) -> None:
    done = machine.htdl("service", "install", "--user", "--no-enable")
    assert asked(machine) == []
    assert "nothing is started" in done.stdout


def test_what_systemd_says_against_it_is_told(machine: Daemon) -> None:
    (machine.home / "broken").touch()
    told = machine.htdl("service", "install", "--user")
    assert told.returncode == 1
    assert "`systemctl --user enable htdl.service htdl.socket` ended with code 5: no" in told.stderr
    assert "journalctl --user -u htdl" in told.stderr


def test_status_of_what_is_not_installed(machine: Daemon) -> None:
    status = machine.htdl("service", "status", "--user")
    assert status.returncode == 3
    assert status.stdout == "not installed (yours): htdl service install\n"


def test_add_starts_the_unit_where_it_is_installed(machine: Daemon) -> None:
    """Rather than a process of its own.  Here nobody listens then, and that is told."""
    show(machine, "inactive")
    told = machine.htdl("add", "a" * 40)
    assert asked(machine) == ["--user start htdl.socket"]
    assert told.returncode == 1
    assert "journalctl --user -u htdl" in told.stderr


def test_without_systemd_it_says_what_to_do(offline: Daemon) -> None:
    offline.env["PATH"] = str(offline.home)
    told = offline.htdl("service", "install", "--user")
    assert told.returncode == 9
    assert "systemd does not run here" in told.stderr
    assert "htdl daemon start" in told.stderr
    assert offline.htdl("service", "status", "--user").returncode == 3


def test_the_answer_of_systemctl_is_read() -> None:
    units = systemctl.parse(
        "Id=htdl.socket\nLoadState=masked\nActiveState=failed\nUnitFileState=\nStatusText=a=b\n"
    )
    assert units["htdl.socket"].is_known
    assert (units["htdl.socket"].active, units["htdl.socket"].enabled) == ("failed", "disabled")
    assert units["htdl.socket"].says == "a=b"
    assert Systemd(of_user=True, environ={}).spelled("start", "x") == "systemctl --user start x"


# systemd's own tools


@pytest.fixture
def installed(offline: Daemon, root: Path) -> Path:
    require("systemd-analyze")
    for scope in ("--system", "--user"):
        assert offline.htdl("service", "install", scope, "--root", str(root)).returncode == 0
    return root


def analyze(*args: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": "/tmp", "LC_ALL": "C.UTF-8"}
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, env=env, timeout=60)


def test_systemd_finds_no_fault_in_the_units(installed: Path) -> None:
    for scope in ("system", "user"):
        (folder,) = (x for x in installed.rglob(scope) if x.parent.name == "systemd")
        done = analyze("verify", "--man=no", f"--{scope}", *(str(x) for x in sorted(folder.iterdir())))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_machine_s_unit_is_hardly_exposed(installed: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(installed / SYSTEM[0]))
    found = re.search(r"exposure level for htdl\.service: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MOST_EXPOSED, done.stdout


def test_the_user_and_the_folder_can_be_made(installed: Path) -> None:
    done = subprocess.run(
        [require("systemd-sysusers"), "--dry-run", f"--root={installed}", str(installed / SYSTEM[2])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Creating user 'htdl'" in done.stderr + done.stdout
