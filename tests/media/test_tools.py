"""Which ffmpeg serves.  Real ones, and small scripts that are none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from htdl.errors import ConversionFailed
from htdl.media.process import run
from htdl.media.tools import NEEDED, find_tools, has_pyav, is_too_old, names_in
from tests.tools import require

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

FFMPEG = shutil.which("ffmpeg")  # a test may empty PATH


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def other(folder: Path, version: str, more: str = "") -> Path:
    """An ffmpeg of that version that has what the real one has, and notes each call in `calls`."""
    said = f'case "$*" in *-version*) echo "ffmpeg version {version} Copyright"; exit;; esac'
    last = more or f'exec {FFMPEG} "$@"'
    return script(folder / "ffmpeg", f'echo "$@" >> {folder}/calls\n{said}\n{last}')


@pytest.fixture
def no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH holds what a shell needs, and neither ffmpeg nor ffprobe."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


async def test_the_one_of_the_system() -> None:
    tools = await find_tools("ffmpeg", "ffprobe")
    assert (tools.ffmpeg, tools.ffprobe) == (require("ffmpeg"), require("ffprobe"))
    assert tools.version[0].isdigit()
    assert NEEDED | {"bwdif", "tee", "webvtt", "scale"} <= tools.has


async def test_the_packaged_one_where_there_is_no_other(no_path: Path) -> None:
    tools = await find_tools("ffmpeg", "ffprobe")
    assert tools.ffmpeg == imageio_ffmpeg.get_ffmpeg_exe()
    assert tools.ffprobe is None
    assert tools.has >= NEEDED


async def test_the_configured_one_goes_first(tmp_path: Path) -> None:
    mine = other(tmp_path, "8.1.2-mine")
    tools = await find_tools(str(mine), "ffprobe")
    assert (tools.ffmpeg, tools.version) == (str(mine), "8.1.2-mine")


async def test_it_is_asked_once_and_again_when_it_changed(tmp_path: Path) -> None:
    mine = other(tmp_path, "8.0")
    for _ in range(3):
        await find_tools(str(mine), "ffprobe")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 4  # version, encoders, filters, muxers
    other(tmp_path, "8.1")
    os.utime(mine, ns=(1, 1))
    assert (await find_tools(str(mine), "ffprobe")).version == "8.1"


async def test_one_that_is_too_old_is_passed_over(no_path: Path) -> None:
    mine = other(no_path, "4.4.2")
    assert (await find_tools(str(mine), "ffprobe")).ffmpeg == imageio_ffmpeg.get_ffmpeg_exe()


@pytest.mark.parametrize(
    ("version", "more", "words"),
    [
        ("4.4.2", "", "is version 4.4.2, and 5.1 is needed"),
        ("7.0", "echo ' V....D mpeg4  words'", "was built without aac, hls, libx264, mp4"),
        ("", "echo libfoo.so is missing >&2; exit 127", "does not work: libfoo.so is missing"),
    ],
)
async def test_without_any_it_says_what_was_found_and_what_to_do(
    version: str, more: str, words: str, no_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version:
        other(no_path, version, more)
    else:
        script(no_path / "ffmpeg", more)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as if it were not installed
    with pytest.raises(ConversionFailed) as caught:
        await find_tools("ffmpeg", "ffprobe")
    assert caught.value.code == "no_ffmpeg"
    assert f"{no_path}/ffmpeg {words}" in caught.value.message
    assert "pip install 'htdl[ffmpeg]'" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("4.4.2-0ubuntu", True),
        ("5.0.1", True),
        ("5.1.9-0+deb12u1", False),
        ("n8.0", False),
        ("10.0", False),
        ("N-118372-g5f0dae", False),
        ("2026-01-02-git-abc", False),
    ],
)
def test_versions(version: str, old: bool) -> None:
    assert is_too_old(version) == old


async def test_the_names_of_both_builds_are_read() -> None:
    for path in (shutil.which("ffmpeg"), imageio_ffmpeg.get_ffmpeg_exe()):
        assert path
        assert "hls" in names_in((await run([path, "-muxers"])).stdout.decode())
        assert "bwdif" in names_in((await run([path, "-filters"])).stdout.decode())


async def test_a_pyav_that_is_too_old_is_none(
    no_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip leaves of an installation, in a folder that is looked in first."""
    folder = tmp_path / "site" / "av-14.2.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: av\nVersion: 14.2.0\n")
    assert has_pyav()
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert not has_pyav()
    with pytest.raises(ConversionFailed, match="no ffprobe that serves was found: neither it nor PyAV"):
        await find_tools("ffmpeg", "ffprobe")
