"""What a user installs: the wheel, made of the sdist, in an environment of its own.

The environment sees the packages that htdl needs where the tests have theirs, so that nothing is fetched: a
.pth file names that folder, whose own .pth files, an editable htdl's among them, do not count then (the
documentation of Python's `site`).
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import htdl
from tests.daemons import Daemon
from tests.swarm import Swarm

ROOT = Path(htdl.__file__).parent.parent
OLDEST = ROOT / "tests" / "store" / "old" / "schema-1.sql"
NOT_SHIPPED = {"htdl/data/watching.svg"}  # the README's picture


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """Its output; the environment is almost empty, so that nothing of the source tree is found through it."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def sdist(work: Path) -> Path:
    """Unpacked."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", work / "sdist", cwd=ROOT)
    (archive,) = (work / "sdist").iterdir()
    assert archive.name == f"htdl-{htdl.__version__}.tar.gz"
    with tarfile.open(archive) as tar:
        tar.extractall(work / "source", filter="data")
    return work / "source" / f"htdl-{htdl.__version__}"


@pytest.fixture(scope="module")
def wheel(work: Path, sdist: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", work / "wheel", cwd=sdist)
    (wheel,) = (work / "wheel").iterdir()
    assert wheel.name == f"htdl-{htdl.__version__}-py3-none-any.whl"
    return wheel


class Installed:
    """A fresh environment with the wheel in it."""

    def __init__(self, home: Path, wheel: Path) -> None:
        self.home = home
        run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
        self.python = home / "bin" / "python"
        self.htdl = home / "bin" / "htdl"
        (packages,) = home.glob("lib/python*/site-packages")
        (packages / "seen.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.before = self.files()
        self.pip("install", "--quiet", "--no-deps", "--no-index", wheel)

    def pip(self, *arguments: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check")
        run(*pip, *arguments, cwd=self.home.parent)

    def files(self) -> set[Path]:
        return {path for path in self.home.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def installed(work: Path, wheel: Path) -> Iterator[Installed]:
    yield Installed(work / "environment", wheel)
    shutil.rmtree(work)  # some MB that no later test looks at


@pytest.fixture
def away(installed: Installed, make_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon that is the installed one."""
    daemon = make_daemon(start=False)
    del daemon.env["PYTHONPATH"]
    daemon.command = [str(installed.htdl)]
    return daemon


def shipped(folder: str) -> set[str]:
    """The files below it in the source tree, as a checkout has them."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if name.startswith("htdl/")}
    assert package == shipped("htdl") - NOT_SHIPPED
    assert {name.split("/")[0] for name in names - package} <= {
        f"htdl-{htdl.__version__}.dist-info",
        f"htdl-{htdl.__version__}.data",
    }


def test_completions_and_manual_lie_where_shells_and_man_look(installed: Installed) -> None:
    share = installed.home / "share"
    wanted = {ROOT / name for folder in ("completions", "man") for name in shipped(folder)}
    there = {path.read_bytes() for path in share.rglob("*") if path.is_file()}
    assert wanted
    assert not [path.name for path in wanted if path.read_bytes() not in there]


def test_the_sdist_can_be_tested_and_built(sdist: Path) -> None:
    for name in ("tests/conftest.py", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml"):
        assert (sdist / name).is_file(), name


def test_it_is_the_installed_one_that_runs_and_its_version_is_one(
    installed: Installed, tmp_path: Path
) -> None:
    code = "import htdl, importlib.metadata as m; print(htdl.__file__, htdl.__version__, m.version('htdl'))"
    place, *versions = run(installed.python, "-c", code, cwd=tmp_path).split()
    assert Path(place).is_relative_to(installed.home)
    assert run(installed.htdl, "--version", cwd=tmp_path).split() == ["htdl", htdl.__version__]
    assert versions == [htdl.__version__] * 2
    assert f"## {htdl.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_installed_it_downloads_and_serves_its_page(away: Daemon, swarm: Swarm, tmp_path: Path) -> None:
    torrent = swarm.seed({"video.mkv": 300_000})
    assert away.htdl("daemon", "start", cwd=tmp_path).returncode == 0
    try:
        added = away.htdl("add", torrent.magnet, "--watch", "--quiet", cwd=tmp_path)
        assert added.returncode == 0, added.stderr
        (job,) = json.loads(away.htdl("status", "--all", "--json", cwd=tmp_path).stdout)
        assert Path(job["file_path"]).read_bytes() == torrent.content("video.mkv")
        page = away.htdl("url", job["id"], "--page", cwd=tmp_path).stdout.strip()
        code = f"import urllib.request as r; print(r.urlopen({page!r}).read().decode())"
        assert "<video" in run(sys.executable, "-c", code, cwd=tmp_path)
    finally:
        stopped = away.htdl("daemon", "stop", cwd=tmp_path)
    assert stopped.returncode == 0, stopped.stderr


def test_the_jobs_of_an_older_htdl_are_there(away: Daemon) -> None:
    """Of the oldest, whose database takes every step there is; each step has its tests in tests/store."""
    away.state.mkdir(mode=0o700)
    with closing(sqlite3.connect(away.state / "htdl.db")) as database:
        database.executescript(OLDEST.read_text(encoding="utf-8"))
        before = {job_id for (job_id,) in database.execute("SELECT id FROM download_jobs")}
    away.start()
    listed = away.htdl("status", "--all", "--json")
    assert {job["id"] for job in json.loads(listed.stdout)} == before
    assert before
    assert away.stop() == 0


def test_uninstalled_it_leaves_nothing_but_what_is_the_users(installed: Installed, away: Daemon) -> None:
    away.start()
    assert away.stop() == 0
    users = {path for path in away.home.rglob("*") if path.is_file()}
    installed.pip("uninstall", "--quiet", "--yes", "htdl")
    assert installed.files() == installed.before
    assert {path for path in away.home.rglob("*") if path.is_file()} == users
    assert any(path.name == "htdl.db" for path in users)
